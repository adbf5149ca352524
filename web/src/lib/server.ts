import type { Explanation } from './explanation';
import {
  type TokenAttention,
  type TokenAttentionQuery,
  type Interventions,
  type Description,
  type HeadId,
  type HeadPicture,
  type HeadScores,
  type ModelInfo,
  type HeadProfile,
  type Pool,
  type Scale,
  type Source,
  type TileKey,
  allHeads,
  writeHead,
} from './types';
import type { Prediction, WhoAnswer, WhoLine, WhoQuestion } from './who';

const API = '/api/1';

export interface Session {
  version: string;
  trace: string;
  model: ModelInfo | null;
  text_bytes: number;
}

export type Status =
  | { state: 'reading'; id: string; done: number; layers: number }
  | { state: 'ready'; id: string; seconds: number | null; interventions: Interventions; trace: Description }
  | { state: 'failed'; id: string; error: string };

export type Generated =
  | { token: number; text: string }
  | { end: unknown; text: string; tokens: number; seconds: number }
  | { error: string };

/** The server wants its token, and this browser has not shown it. */
export class NeedsToken extends Error {}

/** An answer, or an error that says what the server said. */
async function ask(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(`${API}${path}`, init);
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  const said = typeof body === 'object' && body && 'error' in body ? String(body.error) : response.statusText;
  const message = said || `the server answered ${response.status}`;
  throw response.status === 401 ? new NeedsToken(message) : new Error(message);
}

const json = async <T>(path: string, init?: RequestInit): Promise<T> => (await (await ask(path, init)).json()) as T;

const body = (value: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(value),
});

export const session = (): Promise<Session> => json('/session');

/** Whether this is the server's token. */
export const isToken = (token: string): Promise<boolean> =>
  fetch(`${API}/session`, { headers: { Authorization: `Bearer ${token}` } }).then(({ ok }) => ok);

export const read = (text: string, interventions: Interventions): Promise<Status> => json('/traces', body({ text, interventions }));

export const status = (id: string): Promise<Status> => json(`/traces/${id}`);

export const cancel = (id: string): Promise<Response> => ask(`/traces/${id}`, { method: 'DELETE' });

export type ScoresStatus =
  | { state: 'none' }
  | { state: 'computing'; done: number; of: number }
  | { state: 'ready'; heads: HeadScores[] }
  | { state: 'failed'; error: string };

/** Begins to compute the model's scores, and says how far they are. */
export const beginScores = (signal: AbortSignal): Promise<ScoresStatus> => json('/scores', { ...body({}), signal });

export const scores = (signal: AbortSignal): Promise<ScoresStatus> => json('/scores', { signal });

/** Each line of an answer as it comes. */
async function* lines<T>(response: Response): AsyncGenerator<T> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    rest += value ?? '';
    const whole = rest.split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) if (line) yield JSON.parse(line) as T;
    if (done) return;
  }
}

export interface GenerateOptions {
  trace: string;
  max_tokens: number;
  temperature: number;
  seed: number;
}

export async function* generate(options: GenerateOptions, signal: AbortSignal): AsyncGenerator<Generated> {
  yield* lines<Generated>(await ask('/generate', { ...body(options), signal }));
}

/** What an exported page will be. */
export interface PagePlan {
  bytes: number;
  left_out: string | null;
}

function pageQuery({ word, heads, all }: { word: number | null; heads: HeadId[]; all: boolean }): URLSearchParams {
  const query = new URLSearchParams();
  if (all) query.set('all', 'true');
  else {
    if (word !== null) query.set('word', `${word}`);
    if (heads.length > 0) query.set('heads', heads.map(writeHead).join(','));
  }
  return query;
}

export class ServerSource implements Source {
  readonly offline = false;
  readonly kept: HeadId[];

  constructor(
    readonly id: string,
    readonly description: Description,
    /** What was changed in the model while it read. */
    readonly interventions: Interventions,
  ) {
    this.kept = allHeads(description);
  }

  tokenAttention(query: TokenAttentionQuery, signal: AbortSignal): Promise<TokenAttention> {
    return json(`/traces/${this.id}/token-attention?${this.tokenAttentionQuery(query)}`, { signal });
  }

  async tile(key: TileKey, signal: AbortSignal): Promise<Float32Array> {
    const query = new URLSearchParams({
      zoom: `${key.zoom}`,
      row: `${key.row}`,
      col: `${key.col}`,
      pool: key.pool,
    });
    const response = await ask(`/traces/${this.id}/heads/${writeHead(key.head)}/tile?${query}`, { signal });
    return new Float32Array(await response.arrayBuffer());
  }

  async weight(head: HeadId, query: number, key: number, signal: AbortSignal): Promise<number> {
    const part = new URLSearchParams({
      from_row: `${query}`,
      to_row: `${query + 1}`,
      from_col: `${key}`,
      to_col: `${key + 1}`,
    });
    const path = `/traces/${this.id}/heads/${writeHead(head)}/weights.json?${part}`;
    const { weights } = await json<{ weights: number[][] }>(path, { signal });
    return weights[0]?.[0] ?? Number.NaN;
  }

  grid(signal: AbortSignal): AsyncGenerator<HeadPicture> {
    return this.heads('grid', signal);
  }

  profiles(signal: AbortSignal): AsyncGenerator<HeadProfile> {
    return this.heads('profiles', signal);
  }

  /** Each head as it is done. */
  private async *heads<T extends HeadId>(what: string, signal: AbortSignal): AsyncGenerator<T> {
    for await (const line of lines<T | { error: string }>(await ask(`/traces/${this.id}/${what}`, { signal }))) {
      if ('error' in line) throw new Error(line.error);
      yield line;
    }
  }

  /** Which name a word refers to; `onReading` hears how often the text was read. */
  async who(question: WhoQuestion, onReading: (reading: number, readings: number) => void, signal: AbortSignal): Promise<WhoAnswer> {
    for await (const line of lines<WhoLine>(await ask(`/traces/${this.id}/who`, { ...body(question), signal }))) {
      if ('error' in line) throw new Error(line.error);
      if ('who' in line) return line;
      onReading(line.reading, line.readings);
    }
    throw new Error('the answer was cut short; ask again');
  }

  /** What comes next under this trace's interventions, and without them. */
  predict(asked: { probe: string; continuations: string[]; top: number }, signal: AbortSignal): Promise<Prediction> {
    return json(`/traces/${this.id}/predict`, { ...body(asked), signal });
  }

  /** Where the table of heads can be saved from. */
  table(kind: 'json' | 'csv' | 'npy' | 'parquet'): string {
    return `${API}/traces/${this.id}/statistics/heads.${kind}`;
  }

  steps(head: HeadId, word: number | null, signal: AbortSignal): Promise<Explanation> {
    const query = new URLSearchParams({ head: writeHead(head) });
    if (word !== null) query.set('word', `${word}`);
    return json(`/traces/${this.id}/steps?${query}`, { signal });
  }

  /** Where the text view can be saved from. */
  textPicture(query: TokenAttentionQuery, kind: 'svg' | 'png', theme: string): string {
    const asked = this.tokenAttentionQuery(query);
    asked.delete('target');
    asked.set('theme', theme);
    return `${API}/traces/${this.id}/text.${kind}?${asked}`;
  }

  /** Where a part of the map can be saved from. */
  mapFile(
    head: HeadId,
    part: { rows: [number, number]; cols: [number, number] },
    file: 'map.svg' | 'map.png' | 'weights.json' | 'weights.csv' | 'weights.npy',
    look: { pool: Pool; scale: Scale; theme: string },
  ): string {
    const query = new URLSearchParams({
      from_row: `${part.rows[0]}`,
      to_row: `${part.rows[1]}`,
      from_col: `${part.cols[0]}`,
      to_col: `${part.cols[1]}`,
      ...(file.startsWith('map') ? look : {}),
    });
    return `${API}/traces/${this.id}/heads/${writeHead(head)}/${file}?${query}`;
  }

  /** Where the page that keeps what is seen can be saved from: the chosen word and heads are among what it keeps. */
  page(asked: { word: number | null; heads: HeadId[]; all: boolean }): string {
    return `${API}/traces/${this.id}/page.html?${pageQuery(asked)}`;
  }

  /** How large that page will be, and what it leaves out. */
  pagePlan(asked: { word: number | null; heads: HeadId[]; all: boolean }, signal: AbortSignal): Promise<PagePlan> {
    return json(`/traces/${this.id}/page.json?${pageQuery(asked)}`, { signal });
  }

  private tokenAttentionQuery(query: TokenAttentionQuery): URLSearchParams {
    const asked = new URLSearchParams({ unit: query.unit, index: `${query.index}` });
    if (query.heads.length > 0) asked.set('heads', query.heads.map(writeHead).join(','));
    if (query.above !== null) asked.set('above', `${query.above}`);
    if (query.target !== null) asked.set('target', `${query.target}`);
    return asked;
  }
}
