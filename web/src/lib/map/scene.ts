import type { Tile } from '../tiles';
import { tileArea } from '../tiles';
import type { Mask, Scale } from '../types';
import type { Margin, Size, View } from './geometry';

/** All that a picture of the map is drawn from. */
export interface Scene {
  n: number;
  /** Which keys a query may see. */
  mask: Mask;
  size: Size;
  margin: Margin;
  plot: Size;
  view: View;
  /** Screen pixels of a CSS pixel. */
  density: number;
  /** Coarse tiles first: finer ones are drawn over them. */
  tiles: Tile[];
  scale: Scale;
  /** The weight at the end of the colour scale. */
  peak: number;
}

/** Draws tiles; what is drawn over them (axes, cross-hair, numbers) is the same for all painters. */
export interface Painter {
  draw(scene: Scene): void;
  dispose(): void;
}

/** The part of the canvas that shows weights, in CSS pixels: left, top, width, height. */
export function shownPart({ n, margin, plot, view }: Scene): [number, number, number, number] {
  const within = (room: number, from: number) => Math.min(room, (n - from) * view.scale);
  return [margin.left, margin.top, within(plot.width, view.col), within(plot.height, view.row)];
}

/** The same in whole pixels of the screen: one that is seen only in part is left out. */
export function shownPixels(scene: Scene): [number, number, number, number] {
  const [x, y, width, height] = shownPart(scene).map((at) => at * scene.density) as [number, number, number, number];
  const [left, top] = [Math.ceil(x), Math.ceil(y)];
  return [left, top, Math.floor(x + width) - left, Math.floor(y + height) - top];
}

/** Where a tile stands, in CSS pixels: left, top, width, height. */
export function tilePart({ n, margin, view }: Scene, tile: Tile): [number, number, number, number] {
  const { rows, cols, height, width, cell } = tileArea(n, tile.key);
  const span = cell * view.scale;
  const x = margin.left + (cols[0] - view.col) * view.scale;
  return [x, margin.top + (rows[0] - view.row) * view.scale, width * span, height * span];
}
