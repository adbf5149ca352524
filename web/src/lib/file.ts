// A trace that is within the page: weights are recomputed from its queries, keys and log-sum-exps.

import { KeptWord } from './kept';
import { maskOf, seen, visible, withRanges } from './mask';
import { Numbers, bytesOf } from './numbers';
import { tileArea } from './tiles';
import {
  type Description,
  type HeadAttention,
  type HeadId,
  type KeyRanges,
  type Mask,
  type Source,
  type TileKey,
  type TokenAttention,
  type TokenAttentionQuery,
  allHeads,
  sameHead,
  writeHead,
} from './types';
import { Work } from './work';

interface LayerMeta {
  scale: number;
  mask: Mask;
  soft_cap?: number;
  sinks?: number[];
  alibi?: number[];
}

type Range = readonly [number, number];

/** A head's numbers, which are there until another head's are asked for. */
interface Head {
  q: Float32Array;
  k: Float32Array;
  lse: Float32Array;
  dK: number;
  layer: LayerMeta;
  slope: number;
  /** What is added to the scores, and how far its queries and keys lie from each other: 0 along what it is the same for. */
  bias: { numbers: Float32Array; row: number; col: number } | null;
  cut: Set<string>;
}

/** What a pass over some heads found of one unit: of each head its row, and the means of its columns. */
interface Pass {
  rows: Map<string, Float64Array>;
  /** For each query, its weight on the unit, and that on what is excluded. */
  on: Float64Array;
  hidden: Float64Array;
}

export class FileSource implements Source {
  readonly offline = true;
  readonly kept: HeadId[];
  private readonly numbers: Numbers;
  private readonly layers: LayerMeta[];
  private readonly cuts: { layer: number; head: number; i: number; j: number }[];
  /** The numbers by which the file's edits name its layers and heads, where those are not 0, 1, …. */
  private readonly layerIds: number[];
  private readonly headIds: number[][];
  /** Where each head stands in the file. */
  private readonly places = new Map<string, HeadId>();
  private last: { id: HeadId; head: Head } | null = null;
  /** Room for one head's queries and one's keys, so that a pass over all heads takes none for each. */
  private readonly room = { q: new Float32Array(0), k: new Float32Array(0), keys: '' };

  constructor(
    readonly description: Description,
    file: Uint8Array<ArrayBuffer>,
    private readonly words: Uint8Array<ArrayBuffer>,
  ) {
    this.numbers = new Numbers(file);
    const json = <T>(key: string, otherwise: T): T => JSON.parse(this.numbers.metadata[key] ?? JSON.stringify(otherwise)) as T;
    const ranges = json<KeyRanges[]>('key_ranges', []);
    const layers = json<LayerMeta[]>('layers', []);
    this.layers = layers.map((layer) => ({ ...layer, mask: withRanges(layer.mask, ranges) }));
    this.cuts = json<{ cut?: FileSource['cuts'] }>('edits', {}).cut ?? [];
    this.layerIds = json<number[]>('layer_ids', []);
    this.headIds = json<number[][]>('head_ids', []);
    this.kept = description.kept?.heads ?? allHeads(description);
    // The file's layers are those that have a head that is kept, and its heads those of each.
    const ids = [...new Set(this.kept.map((id) => id.layer))];
    const count = new Map<number, number>();
    for (const id of this.kept) {
      const head = count.get(id.layer) ?? 0;
      count.set(id.layer, head + 1);
      this.places.set(writeHead(id), { layer: ids.indexOf(id.layer), head });
    }
  }

  /** The trace that the page holds, if it holds one. */
  static fromPage(): FileSource | null {
    const description = document.getElementById('description')?.textContent;
    const trace = document.getElementById('trace');
    if (!description || !trace) return null;
    const words = document.getElementById('words');
    const source = new FileSource(JSON.parse(description) as Description, bytesOf(trace.textContent ?? ''), bytesOf(words?.textContent ?? ''));
    trace.remove();
    words?.remove();
    return source;
  }

  async tokenAttention(
    query: TokenAttentionQuery,
    signal: AbortSignal,
    onProgress: (done: number, of: number) => void,
  ): Promise<TokenAttention> {
    const isKept = (id: HeadId) => this.places.has(writeHead(id));
    const partial = this.description.kept !== undefined;
    // What is kept as an answer need not be computed, and may be of heads that cannot be.
    if (partial && query.unit === 'word' && query.above === null && !(query.heads.length > 0 && query.heads.every(isKept))) {
      const word = KeptWord.of(this.description, query.index, this.words);
      if (word) return word.answer(query);
    }
    const chosen = query.heads.filter(isKept);
    const answer = await this.compute({ ...query, heads: chosen.length > 0 ? chosen : this.kept }, new Work(signal, onProgress));
    if (!partial) return answer;
    const of = chosen.length > 0 ? 'chosen heads' : `${this.kept.length} heads`;
    return chosen.length > 0 && chosen.length === query.heads.length
      ? answer
      : { ...answer, note: `The mean of the ${of} that this file keeps, of ${allHeads(this.description).length}.` };
  }

  async tile(key: TileKey, signal: AbortSignal): Promise<Float32Array> {
    let head = this.head(key.head);
    const { rows, cols, height, width, cell } = tileArea(this.description.n, key);
    const cells = new Float32Array(height * width);
    const work = new Work(signal);
    for (let i = rows[0]; i < rows[1]; i++) {
      const line = Math.floor((i - rows[0]) / cell) * width;
      const [from, to] = seen(head.layer.mask, i, cols);
      for (let j = from; j < to; j++) {
        const weight = weightOf(head, i, j);
        const at = line + Math.floor((j - cols[0]) / cell);
        cells[at] = key.pool === 'max' ? Math.max(cells[at]!, weight) : cells[at]! + weight;
      }
      await work.turn();
      // Another question may have had its turn, and its head the room.
      head = this.head(key.head);
    }
    if (key.pool === 'mean' && cell > 1) {
      const side = (at: number, range: readonly [number, number]) => Math.min(cell, range[1] - range[0] - at * cell);
      for (let row = 0; row < height; row++)
        for (let col = 0; col < width; col++) cells[row * width + col]! /= side(row, rows) * side(col, cols);
    }
    return cells;
  }

  async weight(id: HeadId, query: number, key: number): Promise<number> {
    const head = this.head(id);
    if (!visible(head.layer.mask, [query, query + 1], [key, key + 1])) return 0;
    return Math.fround(weightOf(head, query, key));
  }

  /** What `TokenAttention` of the library computes, over the heads that are kept. */
  private async compute(query: TokenAttentionQuery, work: Work): Promise<TokenAttention> {
    const d = this.description;
    const units = query.unit === 'word' ? d.words.map((w) => [w[2], w[3]] as const) : d.tokens.map((_, t) => [t, t + 1] as const);
    const own = units[query.index];
    if (!own) throw new Error('there is no such word');
    const prefix = d.prefix.length;
    const chosen = query.heads;
    const { rows, on, hidden: onPrefix } = await this.pass(own, chosen, prefix > 0 ? [[0, prefix]] : [], this.kept, work);
    const mean = new Float64Array(d.n);
    for (const id of chosen) {
      const row = rows.get(writeHead(id))!;
      for (let j = 0; j < d.n; j++) mean[j]! += row[j]! / chosen.length;
    }
    const given = units.map((range) => sum(mean, range));
    const excluded = given.flatMap((weight, unit) =>
      query.above !== null && unit !== query.index && units[unit]![0] >= prefix && weight > query.above ? [unit] : [],
    );
    const isExcluded = new Set(excluded);
    const holds = (unit: number) => units[unit]![1] <= prefix || isExcluded.has(unit);
    const mass = (row: Float64Array) => sum(row, [0, prefix]) + excluded.reduce((all, unit) => all + sum(row, units[unit]!), 0);
    const learned = (id: HeadId, row: Float64Array) => (this.layerOf(id).sinks ? Math.max(0, 1 - sum(row, [0, d.n])) : 0);
    if (excluded.length > 0) {
      const more = await this.pass(null, chosen, excluded.map((unit) => units[unit]!), chosen, work);
      for (let i = 0; i < d.n; i++) onPrefix[i]! += more.hidden[i]!;
    }
    const ranked = this.kept.map((id): HeadAttention => {
      const row = rows.get(writeHead(id))!;
      const most = largest(units, row, (unit) => unit === query.index || holds(unit));
      const score = query.target !== null ? sum(row, units[query.target]!) : (most[0]?.weight ?? 0);
      return { ...id, hidden: mass(row) + learned(id, row), on_itself: sum(row, own), score, most };
    });
    ranked.sort((a, b) => b.score - a.score || a.layer - b.layer || a.head - b.head);
    const default_head = query.unit === 'word' ? defaultHead(d, query.index, this.kept, rows) : null;
    const learned_sink = chosen.reduce((total, id) => total + learned(id, rows.get(writeHead(id))!) / chosen.length, 0);
    const inUnits = given.reduce((total, weight, unit) => total + (holds(unit) ? 0 : weight), 0);
    const means = (values: Float64Array) =>
      units.map((range, unit) => (unit === query.index ? 0 : sum(values, range) / (range[1] - range[0])));
    return {
      index: query.index,
      heads_averaged: chosen.length,
      given,
      hidden: mass(mean) + learned_sink,
      learned_sink,
      other: Math.max(0, sum(mean, [0, d.n]) - mass(mean) - inUnits),
      excluded,
      received: means(on),
      received_hidden: means(onPrefix),
      ranked,
      default_head,
    };
  }

  /** Goes once over `heads`: the mean row of the tokens `own` of each, and of `chosen` ones the columns. */
  private async pass(own: Range | null, chosen: HeadId[], excluded: Range[], heads: HeadId[], work: Work): Promise<Pass> {
    const n = this.description.n;
    const isChosen = new Set(chosen.map(writeHead));
    const pass: Pass = { rows: new Map(), on: new Float64Array(n), hidden: new Float64Array(n) };
    for (const [at, id] of heads.entries()) {
      const head = this.head(id);
      if (own) pass.rows.set(writeHead(id), meanRow(head, own, n));
      if (isChosen.has(writeHead(id))) {
        if (own) addColumns(head, own, pass.on, 1 / chosen.length);
        for (const range of excluded) addColumns(head, range, pass.hidden, 1 / chosen.length);
      }
      await work.turn(at + 1, heads.length);
    }
    return pass;
  }

  private bias(name: string, head: number): Head['bias'] {
    if (!this.numbers.has(name)) return null;
    const [heads, rows, cols] = this.numbers.shape(name) as [number, number, number];
    const numbers = this.numbers.read(name, heads === 1 ? 0 : head, new Float32Array(0));
    return { numbers, row: rows === 1 ? 0 : cols, col: cols === 1 ? 0 : 1 };
  }

  private layerOf(id: HeadId): LayerMeta {
    return this.layers[this.places.get(writeHead(id))!.layer]!;
  }

  private head(id: HeadId): Head {
    if (this.last && sameHead(this.last.id, id)) return this.last.head;
    const place = this.places.get(writeHead(id));
    if (!place) throw new Error('this file does not keep that head');
    const { numbers, room } = this;
    const name = (what: string) => `layers.${place.layer}.${what}`;
    const layer = this.layers[place.layer]!;
    const [heads, n, dK] = numbers.shape(name('q')) as [number, number, number];
    const kvHead = Math.floor(place.head / (heads / numbers.shape(name('k'))[0]!));
    if (room.q.length !== n * dK) [room.q, room.k, room.keys] = [new Float32Array(n * dK), new Float32Array(n * dK), ''];
    // Heads that share keys follow each other: the keys are there already.
    const keys = `${place.layer}.${kvHead}`;
    const k = room.keys === keys ? this.last!.head.k : numbers.read(name('k'), kvHead, room.k);
    room.keys = keys;
    const named = {
      layer: this.layerIds[place.layer] ?? place.layer,
      head: this.headIds[place.layer]?.[place.head] ?? place.head,
    };
    const cut = this.cuts.filter((c) => sameHead(c, named));
    const head: Head = {
      q: numbers.read(name('q'), place.head, room.q),
      k,
      lse: numbers.read(name('lse'), place.head, room.q),
      dK,
      layer,
      slope: layer.alibi?.[place.head] ?? 0,
      bias: this.bias(name('bias'), place.head),
      cut: new Set(cut.map((c) => `${c.i},${c.j}`)),
    };
    this.last = { id, head };
    return head;
  }
}

/** The head that is opened for a word, as `default_head` of the library chooses it: the one that gives what the word may
 * refer to the most weight; where there is nothing, the other words that it sees; where there are none, itself. */
function defaultHead(d: Description, word: number, heads: HeadId[], rows: Map<string, Float64Array>): HeadId | null {
  const [, , first, end] = d.words[word]!;
  const ends = d.masks.map((_, layer) => seen(maskOf(d, layer), end - 1, [0, d.n])[1]);
  const last = Math.max(...ends);
  const isSeen = (other: number) => other !== word && (other < word || d.words[other]![2] < last);
  const others = d.words.map((_, at) => at).filter(isSeen);
  const names = d.names.filter(isSeen);
  const on = names.length > 0 ? names : others;
  const keys = on.length > 0 ? on.map((at): Range => [d.words[at]![2], d.words[at]![3]]) : [[first, end] as const];
  let best: { id: HeadId; weight: number } | null = null;
  for (const id of heads) {
    const row = rows.get(writeHead(id))!;
    const weight = keys.reduce((total, range) => total + sum(row, range), 0);
    if (!best || weight > best.weight) best = { id, weight };
  }
  return best && best.id;
}

/** exp(score − lse) of a key that the query may see, and 0 where the edge was cut. */
function weightOf(head: Head, i: number, j: number): number {
  if (head.cut.size > 0 && head.cut.has(`${i},${j}`)) return 0;
  const { scale, soft_cap, mask } = head.layer;
  const { q, k, dK } = head;
  let dot = 0;
  for (let c = 0, a = i * dK, b = j * dK; c < dK; c++, a++, b++) dot += q[a]! * k[b]!;
  let score = dot * scale;
  if (soft_cap) score = soft_cap * Math.tanh(score / soft_cap);
  if (head.slope) score -= head.slope * Math.abs(j - i - (mask.offset ?? 0));
  if (head.bias) score += head.bias.numbers[i * head.bias.row + j * head.bias.col]!;
  return Math.exp(score - head.lse[i]!);
}

/** The mean of some tokens' rows: [N]. */
function meanRow(head: Head, own: Range, n: number): Float64Array {
  const row = new Float64Array(n);
  for (let i = own[0]; i < own[1]; i++) {
    const [from, to] = seen(head.layer.mask, i, [0, n]);
    for (let j = from; j < to; j++) row[j]! += weightOf(head, i, j) / (own[1] - own[0]);
  }
  return row;
}

/** Adds, for each query, a part of its weight on some keys. */
function addColumns(head: Head, keys: Range, to: Float64Array, part: number): void {
  for (let i = 0; i < to.length; i++) {
    const [from, end] = seen(head.layer.mask, i, keys);
    for (let j = from; j < end; j++) to[i]! += part * weightOf(head, i, j);
  }
}

/** The three units with the largest weights, without those that are left out. */
function largest(units: Range[], row: Float64Array, leftOut: (unit: number) => boolean): { index: number; weight: number }[] {
  const most: { index: number; weight: number }[] = [];
  for (const [index, range] of units.entries()) {
    const weight = sum(row, range);
    if (!(weight > (most.length < 3 ? 0 : most[2]!.weight)) || leftOut(index)) continue;
    most.splice(most.filter((other) => other.weight >= weight).length, 0, { index, weight });
    most.length = Math.min(most.length, 3);
  }
  return most;
}

function sum(row: ArrayLike<number>, [from, to]: readonly [number, number]): number {
  let total = 0;
  for (let j = from; j < to; j++) total += row[j]!;
  return total;
}
