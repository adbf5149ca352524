// What the server (docs/api.md) and an exported page give.

export interface Description {
  model: string;
  model_sha256: string | null;
  library: string;
  text: string;
  prefix: string[];
  n: number;
  /** Number in the vocabulary, start, end (UTF-16 code units of the text). */
  tokens: [number, number, number][];
  /** Start, end, first token, token after the last. */
  words: [number, number, number, number][];
  heads: number[];
  causal: boolean[];
  qk_dtype: string;
  rounding: number | null;
  edited: boolean;
}

export interface HeadId {
  layer: number;
  head: number;
}

export type Unit = 'word' | 'token';
export type Pool = 'max' | 'mean';
export type Scale = 'linear' | 'log';

export interface AroundQuery {
  unit: Unit;
  index: number;
  /** None is all heads. */
  heads: HeadId[];
  /** Sets aside every other unit that is given more than this. */
  above: number | null;
  target: number | null;
}

export interface HeadAround extends HeadId {
  hidden: number;
  on_itself: number;
  score: number;
  most: { index: number; weight: number }[];
}

export interface Around {
  index: number;
  heads_averaged: number;
  given: number[];
  hidden: number;
  learned_sink: number;
  other: number;
  set_aside: number[];
  received: number[];
  received_hidden: number[];
  ranked: HeadAround[];
}

export interface TileKey {
  head: HeadId;
  zoom: number;
  row: number;
  col: number;
  pool: Pool;
}

export interface HeadPicture extends HeadId {
  side: number;
  cells: string;
  peak: number;
  entropy: number;
  distance: number;
  sink: number;
  previous: number;
  itself: number;
}

export interface ModelInfo {
  name: string;
  sha256: string;
  layers: number;
  heads: number;
  context_length: number;
}

/** Where answers come from: a server, or a trace within the page. */
export interface Source {
  /** Whether this is an exported page. */
  readonly offline: boolean;
  readonly description: Description;
  around(query: AroundQuery, signal: AbortSignal): Promise<Around>;
  /** A tile's cells, row by row. */
  tile(key: TileKey, signal: AbortSignal): Promise<Float32Array>;
  /** One weight, as the trace gives it. */
  weight(head: HeadId, query: number, key: number, signal: AbortSignal): Promise<number>;
}

export const headName = (id: HeadId): string => `L${id.layer}H${id.head}`;

export const sameHead = (a: HeadId, b: HeadId): boolean => a.layer === b.layer && a.head === b.head;

export function allHeads(description: Description): HeadId[] {
  return description.heads.flatMap((count, layer) =>
    Array.from({ length: count }, (_, head) => ({ layer, head })),
  );
}

/** A weight with the hidden ones set aside: weight / (1 − hidden); 0 where they took all. */
export function share(weight: number, hidden: number): number {
  const left = 1 - hidden;
  return left > 2 ** -23 ? weight / left : 0;
}
