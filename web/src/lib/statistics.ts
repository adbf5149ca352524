// What heads can be sorted by; docs/heads.md defines each.

import { minus, percent } from './text';
import type { HeadPicture, HeadScores, HeadProfile } from './types';

/** Where a statistic comes from: the picture's own pass, a further pass over the text, or the model alone. */
export type Origin = 'picture' | 'text' | 'model';

/** How a statistic is written: its name, and how many of it are 1. */
interface Unit {
  name: string;
  one: number;
  says: (value: number) => string;
}

const PERCENT: Unit = { name: '%', one: 100, says: percent };
const NATS: Unit = { name: 'nats', one: 1, says: (value) => `${value.toFixed(2)} nats` };
const TOKENS: Unit = { name: 'tokens', one: 1, says: (value) => `${value.toFixed(1)} tokens` };
/** From −1 to 1, and so no part of a whole. */
const SCORE: Unit = { name: '', one: 1, says: minus };

export interface Statistic {
  id: string;
  name: string;
  origin: Origin;
  value: (of: { picture: HeadPicture; profile?: HeadProfile | undefined; scores?: HeadScores | undefined }) => number | null;
  unit: Unit;
  /** What it tells, in a sentence. */
  about: string;
}

/** Whether a statistic weighs values, whose norms not every trace holds. */
export const weighsValues = ({ id }: Statistic): boolean => id.startsWith('value_');


const picture = (id: string, name: string, about: string, of: (p: HeadPicture) => number, unit = PERCENT): Statistic => ({
  id, name, about, unit, origin: 'picture', value: ({ picture }) => of(picture),
});
const profile = (id: string, name: string, about: string, of: (p: HeadProfile) => number | undefined): Statistic => ({
  id, name, about, unit: PERCENT, origin: 'text', value: ({ profile }) => (profile ? (of(profile) ?? null) : null),
});
const scores = (id: string, name: string, about: string, of: (s: HeadScores) => number | null, unit = PERCENT): Statistic => ({
  id, name, about, unit, origin: 'model', value: ({ scores }) => (scores ? of(scores) : null),
});

export const STATISTICS: readonly Statistic[] = [
  picture('entropy', 'entropy', 'How spread a query’s weights are: 0 where all lies on one key.', (p) => p.entropy, NATS),
  picture('distance', 'mean distance', 'How far back the weight lies on average.', (p) => p.distance, TOKENS),
  picture('sink', 'sink share', 'Weight on the prefix, which acts as the sink; on the first token where there is none.', (p) => p.sink),
  picture('previous', 'previous-token share', 'Weight on the token before, in this text.', (p) => p.previous),
  picture('itself', 'own-token share', 'Weight on the query’s own token.', (p) => p.itself),
  profile('local', 'local share', 'Weight on the last 8 tokens, the query’s own included.', (p) => p.local_share),
  profile('sink_rate', 'sink rate', 'Share of queries with more than 30% of their weight on the sink.', (p) => p.sink_rate),
  profile('special', 'special-token share', 'Weight on special tokens, in the prefix or in the text.', (p) => p.special_share),
  profile('value_sink', 'sink’s part by value', 'The sink’s part of what the head moves, each weight times the norm of its value: often far less than its weight.', (p) => p.value_sink_share),
  profile('value_self', 'own token’s part by value', 'The own token’s part of what the head moves.', (p) => p.value_self_share),
  profile('value_previous', 'previous token’s part by value', 'The previous token’s part of what the head moves.', (p) => p.value_previous_share),
  scores('induction', 'induction', 'On random tokens that come twice: weight on what followed the same token the last time.', (s) => s.induction),
  scores('duplicate', 'duplicate token', 'On random tokens that come twice: weight on the same token, one period before.', (s) => s.duplicate),
  scores('previous_random', 'previous token', 'On random tokens, where nothing but position can draw it: weight on the token before.', (s) => s.previous),
  scores('retrieval', 'retrieval', 'On needles in other texts: the share of an answer’s tokens whose row looks most at the same token in the needle.', (s) => s.retrieval),
  scores('copying', 'copying', 'From the weights alone: whether looking at a token raises that token’s own probability, −1 to 1.', (s) => s.copying, SCORE),
];

export const ORIGINS: readonly { origin: Origin; name: string }[] = [
  { origin: 'picture', name: 'on this text' },
  { origin: 'text', name: 'on this text, one more pass' },
  { origin: 'model', name: 'of the model, whatever the text' },
];
