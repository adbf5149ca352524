// Which keys a query may see.

import type { Mask } from './types';

/** Whether any query of `rows` sees any key of `cols`, neither of them empty. */
export function visible(mask: Mask, rows: readonly [number, number], cols: readonly [number, number]): boolean {
  if (mask.kind === 'none') return true;
  const offset = mask.offset ?? 0;
  // How far keys lie ahead of queries: every distance from the least to the most is there.
  const [least, most] = [cols[0] - rows[1] + 1, cols[1] - 1 - rows[0]];
  return least <= offset && (mask.kind === 'causal' || most > offset - (mask.window ?? 0));
}

/** The least and the greatest distance ahead at which a key is seen, for a shader. */
export function reach(mask: Mask): [number, number] {
  const far = 1 << 24;
  if (mask.kind === 'none') return [-far, far];
  const offset = mask.offset ?? 0;
  return [mask.kind === 'causal' ? -far : offset - (mask.window ?? 0) + 1, offset];
}
