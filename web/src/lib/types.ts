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
  /** The word that the page opens with, as the program chooses it. */
  word?: number | null;
  /** Words that another may refer to, ascending. */
  names: number[];
  /** Of tokens that stand for no text, the prefix's aside, by what text each is printed. */
  token_texts?: Record<number, string>;
  /** How many heads each layer of the model has here: 0 of one that the trace does not hold. */
  heads: number[];
  /** Their numbers in the model, where those are not 0, 1, … in each layer. */
  head_ids?: number[][];
  /** Whether there are norms of values, for statistics that weigh them. */
  vnorm: boolean;
  /** For each layer, which keys a query may see. */
  masks: Mask[];
  key_ranges?: KeyRanges[];
  qk_dtype: string;
  rounding: number | null;
  intervened: boolean;
  /** What an exported page keeps, where it does not keep everything. */
  kept?: { heads: HeadId[]; words: number[]; top: number };
}

/**
 * Key j is seen by query i where j − i ≤ offset and, under a window, j − i > offset − window; under a symmetric one where
 * |j − i − offset| ≤ radius; under ranges where starts[i] ≤ j < ends[i].
 */
export interface Mask {
  kind: 'none' | 'causal' | 'window' | 'symmetric_window' | 'ranges';
  window?: number;
  radius?: number;
  offset?: number;
  /** Which of the description's `key_ranges`; those are put in their place by `maskOf`. */
  ranges?: number;
  starts?: number[];
  ends?: number[];
}

/** One range of keys for each query. */
export interface KeyRanges {
  starts: number[];
  ends: number[];
}

export interface HeadId {
  layer: number;
  head: number;
}

export type Unit = 'word' | 'token';
export type Pool = 'max' | 'mean';
export type Scale = 'linear' | 'log';

/** What is changed in the model while it reads. */
export interface Interventions {
  /** Heads whose outputs are set to zero, as `5.1`. */
  ablate: string[];
  /** Edges that are cut, as `he->Madd@14.8`. */
  cut: string[];
}

export interface TokenAttentionQuery {
  unit: Unit;
  index: number;
  /** None is all heads. */
  heads: HeadId[];
  /** Excludes every other unit that is given more than this. */
  above: number | null;
  target: number | null;
}

export interface HeadAttention extends HeadId {
  hidden: number;
  on_itself: number;
  score: number;
  most: { index: number; weight: number }[];
}

export interface TokenAttention {
  index: number;
  heads_averaged: number;
  given: number[];
  hidden: number;
  learned_sink: number;
  other: number;
  excluded: number[];
  received: number[];
  received_hidden: number[];
  ranked: HeadAttention[];
  /** The head that is shown where none is chosen; none for a token. */
  default_head?: HeadId | null;
  /** What an exported page cannot say, in a sentence. */
  note?: string;
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
  /** Whether it says what comes next. */
  predicts: boolean;
}

/** What a head does on the text: see docs/heads.md. */
export interface HeadProfile extends HeadId {
  sink_share: number;
  sink_rate: number;
  entropy: number;
  mean_distance: number;
  self_share: number;
  previous_share: number;
  local_share: number;
  special_share: number;
  /** None of a trace without norms of values. */
  value_sink_share?: number;
  value_self_share?: number;
  value_previous_share?: number;
}

/** What a head does on random repeated tokens, and by its weights. */
export interface HeadScores extends HeadId {
  induction: number;
  duplicate: number;
  previous: number;
  /** None for a model that cannot read the needles' texts. */
  retrieval: number | null;
  copying: number | null;
}

/** Where answers come from: a server, or a trace within the page. */
export interface Source {
  /** Whether this is an exported page. */
  readonly offline: boolean;
  readonly description: Description;
  /** Heads of which any weight can be asked. */
  readonly kept: HeadId[];
  /** `onProgress` hears of heads done and in all, where the page itself computes. */
  tokenAttention(query: TokenAttentionQuery, signal: AbortSignal, onProgress: (done: number, of: number) => void): Promise<TokenAttention>;
  /** A tile's cells, row by row. */
  tile(key: TileKey, signal: AbortSignal): Promise<Float32Array>;
  /** One weight, as the trace gives it. */
  weight(head: HeadId, query: number, key: number, signal: AbortSignal): Promise<number>;
}

export const headName = (id: HeadId): string => `L${id.layer}H${id.head}`;

/** A head as the interface and links write it. */
export const writeHead = (id: HeadId): string => `${id.layer}.${id.head}`;

export function readHead(name: string): HeadId | null {
  const found = /^(\d{1,4})\.(\d{1,4})$/.exec(name);
  return found ? { layer: Number(found[1]), head: Number(found[2]) } : null;
}

export const sameHead = (a: HeadId, b: HeadId): boolean => a.layer === b.layer && a.head === b.head;

export function allHeads(description: Description): HeadId[] {
  return description.heads.flatMap((count, layer) =>
    Array.from({ length: count }, (_, at) => ({ layer, head: description.head_ids?.[layer]?.[at] ?? at })),
  );
}

/** The layers that have heads. */
export const layersOf = (description: Description): number[] =>
  description.heads.flatMap((count, layer) => (count > 0 ? [layer] : []));

/** A weight with the hidden ones excluded: weight / (1 − hidden); 0 where they took all. */
export function share(weight: number, hidden: number): number {
  const left = 1 - hidden;
  return left > 2 ** -23 ? weight / left : 0;
}
