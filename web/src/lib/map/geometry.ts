// Where the cells of a map stand on the screen.

import { visible } from '../mask';
import { SIDE } from '../tiles';
import type { HeadId, Mask, Pool, TileKey } from '../types';

/** Pixels of a token at the closest. */
export const CLOSEST = 72;
/** Pixels of a token where each weight is a cell with its number. */
export const CELLS = 52;
/** From so many pixels a token on, names stand at the axes and numbers in the cells. */
export const NAMES = 13;
export const NUMBERS = 46;

export interface Size {
  width: number;
  height: number;
}

/** Pixels of a token, and the query and key at the top left. */
export interface View {
  scale: number;
  row: number;
  col: number;
}

/** A query and a key. */
export interface Place {
  row: number;
  col: number;
}

export interface Margin {
  left: number;
  top: number;
}

/** What fits on a canvas of this size, for a text of n tokens. */
export class Geometry {
  constructor(
    readonly n: number,
    readonly size: Size,
  ) {}

  /** Room for names, or for numbers only. */
  margin(scale: number): Margin {
    return scale >= NAMES ? { left: Math.min(110, this.size.width * 0.28), top: 90 } : { left: 46, top: 24 };
  }

  plot(scale: number): Size {
    const { left, top } = this.margin(scale);
    return { width: Math.max(this.size.width - left, 40), height: Math.max(this.size.height - top, 40) };
  }

  /** Pixels of a token when the whole text is seen; at most the closest. */
  get least(): number {
    const fit = ({ left, top }: Margin) => Math.min(this.size.width - left, this.size.height - top) / this.n;
    const named = fit(this.margin(NAMES));
    // Names need room: where the whole fits only without them, it is shown without.
    return Math.min(named >= NAMES ? named : Math.min(fit(this.margin(0)), NAMES - 0.01), CLOSEST);
  }

  /** The nearest view that is neither too close nor beyond the text. */
  limited(next: View): View {
    const scale = this.limitedScale(next.scale);
    const { left, top } = this.margin(scale);
    const within = (at: number, room: number) => Math.min(Math.max(at, 0), Math.max(this.n - room / scale, 0));
    return { scale, row: within(next.row, this.size.height - top), col: within(next.col, this.size.width - left) };
  }

  /** Zooms so that what is at a point of the plot stays there. */
  zoomed(view: View, factor: number, x: number, y: number): View {
    const scale = this.limitedScale(view.scale * factor);
    return { scale, row: view.row + y / view.scale - y / scale, col: view.col + x / view.scale - x / scale };
  }

  /** Moves as little as shows the place. */
  following(view: View, place: Place): View {
    const plot = this.plot(view.scale);
    const keep = (at: number, from: number, room: number) => {
      const span = room / view.scale;
      if (at < from) return at;
      return at + 1 > from + span ? at + 1 - span : from;
    };
    return { ...view, row: keep(place.row, view.row, plot.height), col: keep(place.col, view.col, plot.width) };
  }

  middle(view: View): Place {
    const plot = this.plot(view.scale);
    return { row: view.row + plot.height / view.scale / 2, col: view.col + plot.width / view.scale / 2 };
  }

  /** Tiles of what is seen, from the middle outwards. */
  tiles(view: View, of: { head: HeadId; zoom: number; pool: Pool; mask: Mask }): TileKey[] {
    const { head, zoom, pool, mask } = of;
    const plot = this.plot(view.scale);
    const span = SIDE * 2 ** zoom;
    const part = (from: number, room: number) => {
      const first = Math.floor(from / span);
      const last = Math.floor(Math.min(from + room / view.scale, this.n - 1) / span);
      return Array.from({ length: Math.max(last - first + 1, 1) }, (_, at) => first + at);
    };
    const tokens = (at: number): [number, number] => [at * span, Math.min((at + 1) * span, this.n)];
    const keys: TileKey[] = [];
    for (const row of part(view.row, plot.height))
      for (const col of part(view.col, plot.width))
        if (visible(mask, tokens(row), tokens(col))) keys.push({ head, zoom, row, col, pool });
    const middle = this.middle(view);
    const far = (key: TileKey) => Math.hypot(key.row + 0.5 - middle.row / span, key.col + 0.5 - middle.col / span);
    return keys.sort((a, b) => far(a) - far(b));
  }

  private limitedScale(scale: number): number {
    return Math.min(Math.max(scale, this.least), CLOSEST);
  }
}
