import { scaleLinear, scaleLog } from 'd3-scale';
import { interpolateViridis } from 'd3-scale-chromatic';
import { tickPercent } from './text';
import type { Scale } from './types';

/** Powers of ten that the logarithmic scale spans. */
export const DECADES = 4;

const SHADES = 256;

/** Viridis in 256 steps, as [r, g, b]: it reads the same for colour-blind people, and in grey. */
export const VIRIDIS: readonly [number, number, number][] = Array.from({ length: SHADES }, (_, at) => {
  const hex = Number.parseInt(interpolateViridis(at / (SHADES - 1)).slice(1), 16);
  return [(hex >> 16) & 255, (hex >> 8) & 255, hex & 255];
});

/** Places a weight on the scale: 0 to 1. */
export function place(scale: Scale, peak: number): (weight: number) => number {
  if (!(peak > 0)) return () => 0;
  if (scale === 'linear') return (weight) => Math.min(Math.max(weight / peak, 0), 1);
  const least = peak / 10 ** DECADES;
  return (weight) => (weight <= least ? 0 : Math.min(1 + Math.log10(weight / peak) / DECADES, 1));
}

/** Numbers to write at a scale bar, with their places. */
export function barTicks(scale: Scale, peak: number): { at: number; label: string }[] {
  if (!(peak > 0)) return [];
  if (scale === 'linear') {
    const linear = scaleLinear().domain([0, peak]);
    return linear.ticks(4).map((value) => ({ at: value / peak, label: tickPercent(value) }));
  }
  const log = scaleLog().domain([peak / 10 ** DECADES, peak]);
  return log
    .ticks(5)
    .filter((value) => Math.abs(Math.log10(value) % 1) < 1e-9)
    .map((value) => ({
      at: 1 + Math.log10(value / peak) / DECADES,
      label: tickPercent(value),
    }));
}

/** Whether ink on this shade should be dark: where dark and light ink have the same contrast, above 4.4. */
export const isBright = (place: number): boolean => place > 0.46;
