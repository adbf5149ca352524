// Words by their names, as the program names them: a word that occurs more than once has its number behind it.

import { unitName } from './text';
import type { Description, Unit } from './types';

/** Names that are offered at most. */
const MOST = 40;

/** The units of a text by name. */
export class UnitNames {
  private readonly names: string[];
  private readonly numbers = new Map<string, number>();

  constructor(d: Description, unit: Unit) {
    const count = unit === 'word' ? d.words.length : d.n;
    const texts = Array.from({ length: count }, (_, at) => unitName(d, unit, at));
    const times = new Map<string, number>();
    for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1);
    const seen = new Map<string, number>();
    this.names = texts.map((text) => {
      const nth = (seen.get(text) ?? 0) + 1;
      seen.set(text, nth);
      return times.get(text) === 1 ? text : `${text}#${nth}`;
    });
    this.names.forEach((name, at) => this.numbers.set(name, at));
  }

  name(at: number): string {
    return this.names[at] ?? '';
  }

  /** The unit of exactly this name. */
  find(name: string): number | null {
    return this.numbers.get(name) ?? null;
  }

  /** Units whose names hold what was typed, those that begin with it first, from the one after `from` on. */
  matches(typed: string, from = -1): number[] {
    const wanted = typed.trim().toLocaleLowerCase().normalize();
    if (wanted === '') return [];
    const [begins, holds]: [number[], number[]] = [[], []];
    for (let step = 1; step <= this.names.length && begins.length < MOST; step++) {
      const at = (from + step) % this.names.length;
      const name = this.names[at]!.toLocaleLowerCase().normalize();
      if (name.startsWith(wanted)) begins.push(at);
      else if (holds.length < MOST && name.includes(wanted)) holds.push(at);
    }
    return [...begins, ...holds].slice(0, MOST);
  }
}
