import type { Source, TileKey } from './types';

/** Cells along each side of a tile. */
export const SIDE = 256;

/** Tiles that are asked for at a time. */
const AT_A_TIME = 4;

/** Tiles that are kept. */
const KEPT = 96;

/** What a tile covers: queries, keys, cells down and across, tokens of a cell. */
export function tileArea(n: number, key: TileKey) {
  const cell = 2 ** key.zoom;
  const part = (at: number): [number, number] => [at * SIDE * cell, Math.min((at + 1) * SIDE * cell, n)];
  const rows = part(key.row);
  const cols = part(key.col);
  return { rows, cols, cell, height: Math.ceil((rows[1] - rows[0]) / cell), width: Math.ceil((cols[1] - cols[0]) / cell) };
}

/** The queries or keys of a tile's cell. */
export const cellPart = ([from, to]: readonly [number, number], at: number, cell: number): [number, number] => [
  from + at * cell,
  Math.min(from + (at + 1) * cell, to),
];

/** The zoom at which one tile covers all. */
export const coarsest = (n: number): number => Math.ceil(Math.log2(Math.max(Math.ceil(n / SIDE), 1)));

export interface Tile {
  key: TileKey;
  cells: Float32Array;
  peak: number;
}

export const keyName = (key: TileKey): string =>
  `${key.head.layer}.${key.head.head}/${key.pool}/${key.zoom}/${key.row}/${key.col}`;

/** Asks for tiles, keeps them, and takes back what is not wanted any more. */
export class Tiles {
  private readonly kept = new Map<string, Tile>();
  private readonly asked = new Map<string, AbortController>();
  private wanted: TileKey[] = [];

  constructor(
    private readonly source: Source,
    private readonly onTile: (error: string | null) => void,
  ) {}

  get(key: TileKey): Tile | undefined {
    const name = keyName(key);
    const tile = this.kept.get(name);
    if (tile) {
      // What is used goes to the end: the first is dropped first.
      this.kept.delete(name);
      this.kept.set(name, tile);
    }
    return tile;
  }

  /** Asks for these, the first first; what else was asked for is taken back. */
  want(keys: TileKey[]): void {
    const names = new Set(keys.map(keyName));
    for (const [name, controller] of this.asked) if (!names.has(name)) controller.abort();
    this.wanted = keys.filter((key) => !this.kept.has(keyName(key)));
    this.next();
  }

  get waiting(): number {
    return this.wanted.length;
  }

  stop(): void {
    this.wanted = [];
    for (const controller of this.asked.values()) controller.abort();
  }

  private next(): void {
    for (const key of this.wanted) {
      const name = keyName(key);
      if (this.asked.size >= AT_A_TIME) return;
      if (!this.asked.has(name)) void this.ask(name, key);
    }
  }

  private async ask(name: string, key: TileKey): Promise<void> {
    const controller = new AbortController();
    this.asked.set(name, controller);
    let wrong: string | null = null;
    try {
      const cells = await this.source.tile(key, controller.signal);
      let peak = 0;
      for (const cell of cells) if (cell > peak) peak = cell;
      this.kept.set(name, { key, cells, peak });
      const [oldest] = this.kept.keys();
      if (this.kept.size > KEPT && oldest) this.kept.delete(oldest);
    } catch (error) {
      if (!controller.signal.aborted) wrong = error instanceof Error ? error.message : String(error);
    }
    this.asked.delete(name);
    this.wanted = this.wanted.filter((key) => keyName(key) !== name);
    if (!controller.signal.aborted) this.onTile(wrong);
    this.next();
  }
}
