// A trace that is within the page: weights are recomputed from its queries, keys and log-sum-exps.

import { type TokenAttentionQuery, type TokenAttention, type Description, type HeadAttention, type HeadId, type Source, type TileKey, allHeads } from './types';
import { SIDE, tileArea } from './tiles';

interface LayerMeta {
  scale: number;
  mask: { kind: 'none' | 'causal' | 'window'; window?: number; offset?: number };
  soft_cap?: number;
  sinks?: number[];
  alibi?: number[];
}

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

interface Head {
  q: Float32Array;
  k: Float32Array;
  lse: Float32Array;
  dK: number;
  layer: LayerMeta;
  slope: number;
  cut: Set<string>;
}

/** All numbers of 16 bits, as f32. */
function halves(): Float32Array {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * 2 ** -24 * fraction;
    else if (exponent === 31) table[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else table[bits] = sign * 2 ** (exponent - 25) * (1024 + fraction);
  }
  return table;
}

export function bytesOf(base64: string): Uint8Array {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

export class FileSource implements Source {
  readonly offline = true;
  private readonly tensors: Record<string, Tensor>;
  private readonly start: number;
  private readonly layers: LayerMeta[];
  private readonly cuts: { layer: number; head: number; i: number; j: number }[];
  private readonly table = halves();
  private last: { id: HeadId; head: Head } | null = null;

  constructor(
    readonly description: Description,
    private readonly file: Uint8Array<ArrayBuffer>,
  ) {
    const view = new DataView(file.buffer);
    const length = Number(view.getBigUint64(0, true));
    this.start = 8 + length;
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, this.start))) as Record<string, unknown>;
    const metadata = header.__metadata__ as Record<string, string>;
    this.layers = JSON.parse(metadata.layers ?? '[]') as LayerMeta[];
    const edits = JSON.parse(metadata.edits ?? '{}') as { cut?: FileSource['cuts'] };
    this.cuts = edits.cut ?? [];
    delete header.__metadata__;
    this.tensors = header as Record<string, Tensor>;
  }

  /** The trace that the page holds, if it holds one. */
  static fromPage(): FileSource | null {
    const description = document.getElementById('description')?.textContent;
    const trace = document.getElementById('trace');
    if (!description || !trace) return null;
    const bytes = bytesOf(trace.textContent ?? '') as Uint8Array<ArrayBuffer>;
    trace.remove();
    return new FileSource(JSON.parse(description) as Description, bytes);
  }

  async tokenAttention(query: TokenAttentionQuery, signal: AbortSignal): Promise<TokenAttention> {
    const d = this.description;
    const units = query.unit === 'word' ? d.words.map((w) => [w[2], w[3]] as const) : d.tokens.map((_, t) => [t, t + 1] as const);
    const own = units[query.index];
    if (!own) throw new Error('there is no such word');
    const all = allHeads(d);
    const chosen = query.heads.length > 0 ? query.heads : all;
    const isChosen = new Set(chosen.map((id) => `${id.layer}.${id.head}`));
    const mean = new Float64Array(d.n);
    const rows: Float64Array[] = [];
    for (const id of all) {
      const row = this.meanRow(this.head(id), own);
      rows.push(row);
      if (isChosen.has(`${id.layer}.${id.head}`)) for (let j = 0; j < d.n; j++) mean[j]! += row[j]! / chosen.length;
      await breath(signal);
    }
    const prefix = d.prefix.length;
    const given = units.map((range) => sum(mean, range));
    const aside = given.flatMap((weight, unit) =>
      query.above !== null && unit !== query.index && units[unit]![0] >= prefix && weight > query.above ? [unit] : [],
    );
    const holds = (unit: number) => units[unit]![1] <= prefix || aside.includes(unit);
    const mass = (row: Float64Array) => sum(row, [0, prefix]) + aside.reduce((all, unit) => all + sum(row, units[unit]!), 0);
    const learned = (id: HeadId, row: Float64Array) => (this.layers[id.layer]?.sinks ? Math.max(0, 1 - sum(row, [0, d.n])) : 0);
    const ranked = all.map((id, at): HeadAttention => {
      const row = rows[at]!;
      const most = units
        .map((range, index) => ({ index, weight: sum(row, range) }))
        .filter(({ index, weight }) => index !== query.index && weight > 0 && !holds(index))
        .sort((a, b) => b.weight - a.weight || a.index - b.index)
        .slice(0, 3);
      const score = query.target !== null ? sum(row, units[query.target]!) : (most[0]?.weight ?? 0);
      return { ...id, hidden: mass(row) + learned(id, row), on_itself: sum(row, own), score, most };
    });
    ranked.sort((a, b) => b.score - a.score || a.layer - b.layer || a.head - b.head);
    const learned_sink = all.reduce(
      (total, id, at) => total + (isChosen.has(`${id.layer}.${id.head}`) ? learned(id, rows[at]!) / chosen.length : 0),
      0,
    );
    const hidden = mass(mean) + learned_sink;
    const kept = given.reduce((total, weight, unit) => total + (holds(unit) ? 0 : weight), 0);
    const columns = await this.received(chosen, own, [[0, prefix], ...aside.map((unit) => units[unit]!)], signal);
    const means = (values: Float64Array) =>
      units.map((range, unit) => (unit === query.index ? 0 : sum(values, range) / (range[1] - range[0])));
    return {
      index: query.index,
      heads_averaged: chosen.length,
      given,
      hidden,
      learned_sink,
      other: Math.max(0, sum(mean, [0, d.n]) - mass(mean) - kept),
      set_aside: aside,
      received: means(columns.on),
      received_hidden: means(columns.hidden),
      ranked,
    };
  }

  async tile(key: TileKey, signal: AbortSignal): Promise<Float32Array> {
    const head = this.head(key.head);
    const { rows, cols, height, width, cell } = tileArea(this.description.n, key);
    const cells = new Float32Array(height * width);
    for (let i = rows[0]; i < rows[1]; i++) {
      const line = Math.floor((i - rows[0]) / cell) * width;
      for (let j = cols[0]; j < cols[1]; j++) {
        const weight = weightOf(head, i, j);
        const at = line + Math.floor((j - cols[0]) / cell);
        cells[at] = key.pool === 'max' ? Math.max(cells[at]!, weight) : cells[at]! + weight;
      }
      if (i % SIDE === 0) await breath(signal);
    }
    if (key.pool === 'mean' && cell > 1) {
      const side = (at: number, range: readonly [number, number]) => Math.min(cell, range[1] - range[0] - at * cell);
      for (let row = 0; row < height; row++)
        for (let col = 0; col < width; col++) cells[row * width + col]! /= side(row, rows) * side(col, cols);
    }
    return cells;
  }

  async weight(id: HeadId, query: number, key: number): Promise<number> {
    return Math.fround(weightOf(this.head(id), query, key));
  }

  private async received(chosen: HeadId[], own: readonly [number, number], aside: (readonly [number, number])[], signal: AbortSignal) {
    const n = this.description.n;
    const on = new Float64Array(n);
    const hidden = new Float64Array(n);
    for (const id of chosen) {
      const head = this.head(id);
      for (let i = 0; i < n; i++) {
        for (let j = own[0]; j < own[1]; j++) on[i]! += weightOf(head, i, j) / chosen.length;
        for (const [from, to] of aside) for (let j = from; j < to; j++) hidden[i]! += weightOf(head, i, j) / chosen.length;
      }
      await breath(signal);
    }
    return { on, hidden };
  }

  private meanRow(head: Head, own: readonly [number, number]): Float64Array {
    const row = new Float64Array(this.description.n);
    for (let i = own[0]; i < own[1]; i++)
      for (let j = 0; j < row.length; j++) row[j]! += weightOf(head, i, j) / (own[1] - own[0]);
    return row;
  }

  private head(id: HeadId): Head {
    if (this.last && this.last.id.layer === id.layer && this.last.id.head === id.head) return this.last.head;
    const layer = this.layers[id.layer]!;
    const heads = this.tensors[`layers.${id.layer}.q`]!.shape[0]!;
    const kvHeads = this.tensors[`layers.${id.layer}.k`]!.shape[0]!;
    const head: Head = {
      q: this.numbers(`layers.${id.layer}.q`, id.head),
      k: this.numbers(`layers.${id.layer}.k`, Math.floor(id.head / (heads / kvHeads))),
      lse: this.numbers(`layers.${id.layer}.lse`, id.head),
      dK: this.tensors[`layers.${id.layer}.q`]!.shape[2]!,
      layer,
      slope: layer.alibi?.[id.head] ?? 0,
      cut: new Set(this.cuts.filter((c) => c.layer === id.layer && c.head === id.head).map((c) => `${c.i},${c.j}`)),
    };
    this.last = { id, head };
    return head;
  }

  /** One head's part of a tensor, as f32. */
  private numbers(name: string, head: number): Float32Array {
    const tensor = this.tensors[name]!;
    const count = tensor.shape.slice(1).reduce((a, b) => a * b, 1);
    const size = tensor.dtype === 'F16' ? 2 : 4;
    const from = this.start + tensor.data_offsets[0] + head * count * size;
    const bytes = this.file.slice(from, from + count * size).buffer;
    if (size === 4) return new Float32Array(bytes);
    return Float32Array.from(new Uint16Array(bytes), (bits) => this.table[bits]!);
  }
}

/** exp(score − lse), and 0 where the mask hides the key or the edge was cut. */
function weightOf(head: Head, i: number, j: number): number {
  const { mask, scale, soft_cap } = head.layer;
  const ahead = j - i - (mask.offset ?? 0);
  if (mask.kind !== 'none' && ahead > 0) return 0;
  if (mask.kind === 'window' && ahead <= -(mask.window ?? 0)) return 0;
  if (head.cut.size > 0 && head.cut.has(`${i},${j}`)) return 0;
  const { q, k, dK } = head;
  let dot = 0;
  for (let c = 0, a = i * dK, b = j * dK; c < dK; c++, a++, b++) dot += q[a]! * k[b]!;
  let score = dot * scale;
  if (soft_cap) score = soft_cap * Math.tanh(score / soft_cap);
  if (head.slope) score -= head.slope * Math.abs(ahead);
  return Math.exp(score - head.lse[i]!);
}

function sum(row: ArrayLike<number>, [from, to]: readonly [number, number]): number {
  let total = 0;
  for (let j = from; j < to; j++) total += row[j]!;
  return total;
}

let rested = 0;

/** Lets the page answer every now and then, and ends what is not wanted any more. */
async function breath(signal: AbortSignal): Promise<void> {
  if (performance.now() - rested > 24) {
    await new Promise((resolve) => setTimeout(resolve));
    rested = performance.now();
  }
  signal.throwIfAborted();
}
