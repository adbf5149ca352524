// One head explained step by step, as the server gives it (docs/json/explain.md).

export interface Explanation {
  model: string;
  tokens: string[];
  prefix_tokens: number;
  layer: number;
  head: number;
  kv_head: number;
  dimensions: { n: number; d: number; d_k: number; d_v: number; heads: number; kv_heads: number; layers: number };
  word: { label: string; token: number };
  steps: Step[];
  outcome: {
    self_weight: number;
    sink_share: number;
    candidates: { text: string; weight: number; similarity_weight: number }[];
  };
}

export interface Step {
  id: string;
  name: string;
  formula: string;
  shapes: { letters: string; numbers: string }[];
  says: string[];
  departs: string | null;
  matrices: Matrix[];
  row: { id: string; name: string; values: (number | null)[] }[];
  checks: { what: string; largest_difference: number; allowed: number; agrees: boolean }[];
}

export interface Matrix {
  symbol: string;
  meaning: string;
  shape: [number, number];
  rows: number[];
  row_labels: string[];
  columns: number[];
  column_labels: string[];
  values: (number | null)[][];
}
