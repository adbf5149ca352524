// Words of which an exported page keeps the answers over all heads (crates/view/src/page/words.rs has the form).

import { type Description, type HeadAttention, type HeadId, type TokenAttention, type TokenAttentionQuery, allHeads, sameHead } from './types';

/** Units that are listed for each head. */
const LISTED = 3;

/** One word's answer over all heads, and the largest weights of each. */
export class KeptWord {
  private readonly numbers: Float32Array;
  private readonly indices: Uint32Array;
  private readonly heads: HeadId[];
  private readonly words: number;
  private readonly top: number;
  /** The head that is opened for the word. */
  private readonly opened: HeadId;

  private constructor(
    private readonly d: Description,
    private readonly word: number,
    buffer: ArrayBuffer,
    from: number,
  ) {
    this.heads = allHeads(d);
    this.words = d.words.length;
    this.top = d.kept!.top;
    const listed = this.heads.length * this.top;
    const numbers = 3 * this.words + 3 + 2 * this.heads.length + listed;
    this.numbers = new Float32Array(buffer, from, numbers);
    this.indices = new Uint32Array(buffer, from + 4 * numbers, listed);
    const [layer, head] = new Uint32Array(buffer, from + 4 * (numbers + listed), 2) as unknown as [number, number];
    this.opened = { layer, head };
  }

  /** The answer of a word, where the page keeps it. */
  static of(d: Description, word: number, blocks: Uint8Array<ArrayBuffer>): KeptWord | null {
    const kept = d.kept?.words ?? [];
    const at = kept.indexOf(word);
    return at < 0 ? null : new KeptWord(d, word, blocks.buffer, blocks.byteOffset + (at * blocks.byteLength) / kept.length);
  }

  /** What is asked, of all heads or of some. */
  answer(query: TokenAttentionQuery): TokenAttention {
    const ranked = this.ranked(query.target);
    return query.heads.length === 0 ? this.ofAll(ranked) : this.ofSome(query.heads, ranked);
  }

  private ofAll(ranked: HeadAttention[]): TokenAttention {
    const { words, numbers } = this;
    const list = (at: number) => [...numbers.subarray(at * words, (at + 1) * words)];
    const [hidden, learned_sink, other] = numbers.subarray(3 * words) as unknown as [number, number, number];
    return {
      index: this.word,
      heads_averaged: this.heads.length,
      given: list(0),
      received: list(1),
      received_hidden: list(2),
      hidden,
      learned_sink,
      other,
      excluded: [],
      ranked,
      default_head: this.opened,
    };
  }

  /** The mean over some heads, as far as their largest weights go. */
  private ofSome(chosen: HeadId[], ranked: HeadAttention[]): TokenAttention {
    const given = new Array<number>(this.words).fill(0);
    let [hidden, known] = [0, 0];
    for (const id of chosen) {
      const part = 1 / chosen.length;
      const of = ranked.find((head) => sameHead(head, id))!;
      hidden += part * of.hidden;
      given[this.word]! += part * of.on_itself;
      known += part * (of.hidden + of.on_itself);
      for (const { index, weight } of this.largest(id)) {
        given[index]! += part * weight;
        known += part * weight;
      }
    }
    return {
      index: this.word,
      heads_averaged: chosen.length,
      given,
      received: given.map(() => 0),
      received_hidden: given.map(() => 0),
      hidden,
      learned_sink: 0,
      other: Math.max(0, 1 - known),
      excluded: [],
      ranked,
      default_head: this.opened,
      note: `Of these heads this file keeps the ${this.top} largest weights of “${this.name()}”, and not what looks at it.`,
    };
  }

  private ranked(target: number | null): HeadAttention[] {
    const own = 3 * this.words + 3;
    const ranked = this.heads.map((id, at): HeadAttention => {
      const most = this.largest(id);
      const on = target === null ? most[0] : most.find(({ index }) => index === target);
      return {
        ...id,
        hidden: this.numbers[own + 2 * at]!,
        on_itself: this.numbers[own + 2 * at + 1]!,
        score: on?.weight ?? 0,
        most: most.slice(0, LISTED),
      };
    });
    return ranked.sort((a, b) => b.score - a.score || a.layer - b.layer || a.head - b.head);
  }

  /** A head's largest weights on other words. */
  private largest(id: HeadId): { index: number; weight: number }[] {
    const head = this.heads.findIndex((other) => sameHead(other, id));
    const from = 3 * this.words + 3 + 2 * this.heads.length + head * this.top;
    return Array.from({ length: this.top }, (_, at) => ({
      index: this.indices[head * this.top + at]!,
      weight: this.numbers[from + at]!,
    })).filter(({ weight }) => weight > 0);
  }

  private name(): string {
    const [start, end] = this.d.words[this.word]!;
    return this.d.text.slice(start, end);
  }
}
