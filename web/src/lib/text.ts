import type { Description, Unit } from './types';

/** Characters that would not show, or would turn the text around them, as symbols that can be seen. */
export function visible(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '␡' : '�';
  });
}

/** A piece of the text: a unit, or what stands between units. */
export interface Piece {
  text: string;
  /** Which word or token; none between them. */
  unit: number | null;
  /** Whether it is of the prefix. */
  prefix: boolean;
}

/** The whole text in pieces, the prefix's tokens first where tokens are meant. */
export function pieces(d: Description, unit: Unit): Piece[] {
  const out: Piece[] = [];
  let end = 0;
  const add = (text: string, unit: number | null, prefix = false) => {
    if (text !== '' || unit !== null) out.push({ text: visible(text), unit, prefix });
  };
  const spans =
    unit === 'word'
      ? d.words.map(([start, end]) => [start, end] as const)
      : d.tokens.map(([, start, end]) => [start, end] as const);
  spans.forEach(([start, stop], index) => {
    if (unit === 'token' && index < d.prefix.length) {
      add(d.prefix[index] ?? '', index, true);
      return;
    }
    const own = unit === 'token' ? d.token_texts?.[index] : undefined;
    if (own !== undefined) {
      add(own, index);
      return;
    }
    if (start > end) add(d.text.slice(end, start), null);
    // Tokens that share a character have its span: the first shows it, the others a mark.
    add(stop > end ? d.text.slice(Math.max(start, end), stop) : '·', index);
    end = Math.max(end, stop);
  });
  add(d.text.slice(end), null);
  return out;
}

/** Letters of scripts that are written from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]|[\ud802\ud803\ud83a\ud83b]/;

/** A name that cannot turn the sentence around it: isolated where it is written from right to left. */
export const isolated = (name: string): string => (RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name);

/** What a word or token is called in a sentence. */
export function unitName(d: Description, unit: Unit, index: number): string {
  return unit === 'word' ? wordName(d, index) : tokenName(d, index);
}

function wordName(d: Description, index: number): string {
  const word = d.words[index];
  return word ? visible(d.text.slice(word[0], word[1])) : '';
}

/** What a token stands for, without the space before it. */
export function tokenName(d: Description, index: number): string {
  if (index < d.prefix.length) return visible(d.prefix[index] ?? '');
  const own = d.token_texts?.[index];
  if (own !== undefined) return visible(own);
  const token = d.tokens[index];
  if (!token) return '';
  const text = d.text.slice(token[1], token[2]);
  const trimmed = text.trim();
  if (trimmed !== '') return visible(trimmed);
  return text.replace(/ /g, '␣').replace(/\n/g, '↵').replace(/\t/g, '⇥') || '·';
}

/** What a prefix token is called whose text nobody knows. */
const UNKNOWN_PREFIX = 'prefix';

/** The prefix with its text: `the prefix <|endoftext|>`. */
export const prefixName = ({ prefix }: Description): string =>
  prefix.every((token) => token === UNKNOWN_PREFIX) ? 'the prefix' : `the prefix ${prefix.join('')}`;

/** The beginning of a name that is too long. */
export const elided = (name: string, most: number): string => {
  const characters = [...name.slice(0, 4 * most + 4)];
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : name;
};

/** A weight in percent with four significant digits, without rounding small ones to nothing. */
export function exactPercent(weight: number): string {
  const percent = 100 * weight;
  if (percent === 0) return '0%';
  return `${percent < 0.001 ? percent.toExponential(2) : percent.toPrecision(4)}%`;
}

/** A number with three digits behind the point. */
export const minus = (value: number): string => value.toFixed(3).replace('-', '−');

/** A change, with its sign. */
export const signed = (change: number): string => `${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(3)}`;

/** A part of a whole to a tenth of a percent, as the terminal writes it. */
export function percent(part: number): string {
  if (part === 0) return '0%';
  if (part > 0 && part < 0.0005) return '<0.1%';
  return `${(100 * part).toFixed(1)}%`;
}

/** A change of a weight, in two significant digits. */
export const points = (change: number): string => `${+(100 * change).toPrecision(2)} percentage points`;

/** A weight at a scale's tick: `20%`, `0.01%`, `1e-5%`. */
export function tickPercent(weight: number): string {
  // Without what binary fractions leave behind the last digit.
  const percent = +(100 * weight).toPrecision(3);
  return `${percent === 0 || percent >= 0.001 ? percent : percent.toExponential(0)}%`;
}
