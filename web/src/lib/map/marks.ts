// What is drawn over the tiles: numbers, the cross-hair, and what stands at the axes.

import { isBright, place } from '../color';
import { elided, percent, tokenName } from '../text';
import { type Tile, tileArea } from '../tiles';
import type { Description } from '../types';
import { NAMES, NUMBERS, type Place } from './geometry';
import { type Scene, shownPart } from './scene';

const FONT = 'ui-sans-serif, system-ui, sans-serif';

/** Colours of the page. */
export interface Inks {
  ink: string;
  lesser: string;
}

/** Draws all marks; `cell` is how many tokens a cell spans. */
export function drawMarks(
  canvas: HTMLCanvasElement,
  scene: Scene,
  d: Description,
  { cursor, cell, inks }: { cursor: Place | null; cell: number; inks: Inks },
): void {
  const context = canvas.getContext('2d')!;
  const { size, density } = scene;
  canvas.width = Math.round(size.width * density);
  canvas.height = Math.round(size.height * density);
  context.setTransform(density, 0, 0, density, 0, 0);
  context.save();
  context.beginPath();
  context.rect(...shownPart(scene));
  context.clip();
  if (scene.view.scale >= NUMBERS) for (const tile of scene.tiles) if (tile.key.zoom === 0) drawNumbers(context, scene, tile);
  if (cursor) drawCross(context, scene, cursor, cell, inks.ink);
  context.restore();
  if (scene.view.scale >= NAMES) drawNames(context, scene, d, cursor, inks);
  else drawTicks(context, scene, inks.lesser);
}

function drawNumbers(context: CanvasRenderingContext2D, scene: Scene, tile: Tile): void {
  const { view, margin, plot, n } = scene;
  const at = place(scene.scale, scene.peak);
  context.font = `11px ${FONT}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const { rows, cols, width } = tileArea(n, tile.key);
  const first = { row: Math.max(rows[0], Math.floor(view.row)), col: Math.max(cols[0], Math.floor(view.col)) };
  const last = {
    row: Math.min(rows[1], Math.ceil(view.row + plot.height / view.scale)),
    col: Math.min(cols[1], Math.ceil(view.col + plot.width / view.scale)),
  };
  for (let i = first.row; i < last.row; i++)
    for (let j = first.col; j < last.col; j++) {
      const weight = tile.cells[(i - rows[0]) * width + (j - cols[0])]!;
      if (weight === 0) continue;
      context.fillStyle = isBright(at(weight)) ? '#111' : '#f4f4f0';
      context.fillText(percent(weight), margin.left + (j + 0.5 - view.col) * view.scale, margin.top + (i + 0.5 - view.row) * view.scale);
    }
}

function drawCross(context: CanvasRenderingContext2D, { view, margin, plot }: Scene, cursor: Place, cell: number, ink: string): void {
  const block = (at: number) => Math.floor(at / cell) * cell;
  const x = margin.left + (block(cursor.col) - view.col) * view.scale;
  const y = margin.top + (block(cursor.row) - view.row) * view.scale;
  const side = cell * view.scale;
  context.globalAlpha = 0.16;
  context.fillStyle = ink;
  context.fillRect(margin.left, y, plot.width, side);
  context.fillRect(x, margin.top, side, plot.height);
  context.globalAlpha = 1;
  context.lineWidth = 1.5;
  context.strokeStyle = '#000';
  context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
  context.strokeStyle = '#fff';
  context.strokeRect(x - 2, y - 2, side + 4, side + 4);
}

/** The tokens that are seen along a side. */
const seen = (n: number, from: number, span: number): [number, number] => [Math.floor(from), Math.min(Math.ceil(from + span), n)];

function drawNames(context: CanvasRenderingContext2D, scene: Scene, d: Description, cursor: Place | null, { ink, lesser }: Inks): void {
  const { n, view, margin, plot } = scene;
  context.font = `12px ${FONT}`;
  context.textBaseline = 'middle';
  const room = Math.floor(margin.left / 7);
  const [top, bottom] = seen(n, view.row, plot.height / view.scale);
  context.textAlign = 'right';
  for (let row = top; row < bottom; row++) {
    const y = margin.top + (row + 0.5 - view.row) * view.scale;
    if (y < margin.top) continue;
    context.fillStyle = cursor?.row === row ? ink : lesser;
    context.fillText(elided(tokenName(d, row), room), margin.left - 6, y, margin.left - 8);
  }
  const [left, right] = seen(n, view.col, plot.width / view.scale);
  context.textAlign = 'left';
  for (let col = left; col < right; col++) {
    const x = margin.left + (col + 0.5 - view.col) * view.scale;
    if (x < margin.left) continue;
    context.save();
    context.translate(x, margin.top - 6);
    context.rotate(-Math.PI / 2);
    context.fillStyle = cursor?.col === col ? ink : lesser;
    context.fillText(elided(tokenName(d, col), 13), 0, 0, margin.top - 8);
    context.restore();
  }
}

function drawTicks(context: CanvasRenderingContext2D, { n, view, margin, plot }: Scene, lesser: string): void {
  context.font = `11px ${FONT}`;
  context.textBaseline = 'middle';
  context.fillStyle = lesser;
  const [top, bottom] = seen(n, view.row, plot.height / view.scale);
  const down = tickStep((bottom - top) / Math.max(plot.height / 56, 1));
  context.textAlign = 'right';
  for (let row = Math.ceil(top / down) * down; row < bottom; row += down) {
    context.fillText(`${row}`, margin.left - 6, Math.max(margin.top + (row - view.row) * view.scale, margin.top + 5));
  }
  const [left, right] = seen(n, view.col, plot.width / view.scale);
  const across = tickStep((right - left) / Math.max(plot.width / 56, 1));
  context.textAlign = 'left';
  for (let col = Math.ceil(left / across) * across; col < right; col += across) {
    context.fillText(`${col}`, margin.left + (col - view.col) * view.scale, margin.top - 10);
  }
}

/** The round number that is no smaller. */
function tickStep(least: number): number {
  for (let power = 1; ; power *= 10) for (const digit of [1, 2, 5]) if (digit * power >= least) return digit * power;
}
