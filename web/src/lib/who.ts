// Which name a word refers to, and what comes next, as the server gives them (docs/api.md).

import type { HeadId } from './types';

/** What a head prefers over the variants of a text, as the terminal says it. */
export const PREFERENCES = { name: 'a name', first: 'the first', nearer: 'the nearer', role: 'a role' } as const;

export type Preference = keyof typeof PREFERENCES;

export type Row = 'word' | 'last' | 'probe';

export interface WhoQuestion {
  word: number;
  candidates: string[];
  probe: string;
  from: Row;
  top: number;
}

export type WhoLine = WhoAnswer | { reading: number; readings: number; layer: number; layers: number } | { error: string };

export interface WhoAnswer {
  /** The word as an edge names it: `he`, or `he#2`. */
  label: string;
  who: Who;
}

export interface Who {
  candidates: { name: string }[];
  /** The two that the controls are about. */
  pair: [number, number];
  probe: string | null;
  rows: WhoRow[];
  cause: { log_prob: number[]; effects: Effect[] };
  /** Similarity of raw embeddings with each candidate: softmax(x·x), and of x·x/√d. */
  baseline: { similarity: number[]; scaled: number[] };
  /** A verdict, its reason, a caveat. */
  verdict: string[];
  /** What they rest on. */
  evidence: string[];
}

export interface WhoRow {
  from: Row;
  all_heads: MeanReading;
  /** The mean over the heads that answer: of a language model all of them. */
  answering_heads: MeanReading;
  heads: (HeadReading & HeadId & { swapped: number[]; prefers: Preference })[];
  controls: {
    /** What was flipped: a connective or the word itself, or the clauses' order. */
    flip: { kind: 'connective' | 'pronoun'; from: string; to: string } | { kind: 'order' };
    best: HeadId & { meaning: number };
    chance: number;
    consistent: number;
    heads: number;
    distinguishes: boolean;
  }[];
}

export interface HeadReading {
  weights: number[];
  shares: number[];
  sink_share: number;
}

/** The mean over some heads. */
export interface MeanReading extends HeadReading {
  /** How many. */
  heads: number;
}

export interface Effect {
  intervention: { kind: 'cut'; heads: HeadId[]; candidate: number } | { kind: 'ablated'; heads: HeadId[] };
  kl: number;
  log_prob_change: number[];
}

export interface Prediction {
  kl: number;
  next: { token: number; text: string; probability: number; unchanged: number }[];
  continuations: { text: string; log_prob: number; unchanged: number }[];
}
