// Which keys a query may see.

import type { Description, KeyRanges, Mask } from './types';

type Range = readonly [number, number];

/** A layer's mask, with its ranges of keys where it is one of those; none in a layer that is not there. */
export const maskOf = (d: Description, layer: number): Mask => withRanges(d.masks[layer] ?? { kind: 'none' }, d.key_ranges ?? []);

/** A mask with the ranges that it names. */
export function withRanges(mask: Mask, ranges: KeyRanges[]): Mask {
  return mask.kind === 'ranges' ? { ...mask, ...ranges[mask.ranges ?? 0] } : mask;
}

/** The distances ahead at which a key is seen: from the least to the greatest. */
function distances(mask: Mask): Range {
  const far = 1 << 24;
  const offset = mask.offset ?? 0;
  if (mask.kind === 'causal') return [-far, offset];
  if (mask.kind === 'window') return [offset - (mask.window ?? 0) + 1, offset];
  if (mask.kind === 'symmetric_window') return [offset - (mask.radius ?? 0), offset + (mask.radius ?? 0)];
  return [-far, far];
}

/** The keys of `cols` that query `i` may see. */
export function seen(mask: Mask, i: number, [from, to]: Range): Range {
  const [least, most] = distances(mask);
  const [first, end] = mask.kind === 'ranges' ? [mask.starts?.[i] ?? 0, mask.ends?.[i] ?? 0] : [i + least, i + most + 1];
  const start = Math.max(from, first);
  return [start, Math.max(start, Math.min(to, end))];
}

/** Whether any query of `rows` sees any key of `cols`, neither of them empty. */
export function visible(mask: Mask, rows: Range, cols: Range): boolean {
  if (mask.kind === 'ranges') {
    for (let i = rows[0]; i < rows[1]; i++) {
      const [start, end] = seen(mask, i, cols);
      if (start < end) return true;
    }
    return false;
  }
  // How far keys lie ahead of queries: every distance from the least to the most is there.
  const [least, most] = distances(mask);
  return cols[0] - rows[1] + 1 <= most && cols[1] - 1 - rows[0] >= least;
}

/** The least and the greatest distance ahead at which a key is seen, for a shader; ranges of keys are not told so. */
export const reach = (mask: Mask): [number, number] => [...distances(mask)];
