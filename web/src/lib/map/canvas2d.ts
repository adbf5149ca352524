import { VIRIDIS, place } from '../color';
import { visible } from '../mask';
import { type Tile, cellPart, tileArea } from '../tiles';
import { type Painter, type Scene, shownPixels, tilePart } from './scene';

/** Tiles on a 2D canvas: each is coloured once, and drawn as an image. */
export class Canvas2dPainter implements Painter {
  private readonly pictures = new WeakMap<Tile, { canvas: HTMLCanvasElement; how: string }>();
  private readonly context: CanvasRenderingContext2D;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d')!;
  }

  draw(scene: Scene): void {
    const { canvas, context } = this;
    const { size, density } = scene;
    canvas.width = Math.round(size.width * density);
    canvas.height = Math.round(size.height * density);
    context.beginPath();
    context.rect(...shownPixels(scene));
    context.clip();
    context.setTransform(density, 0, 0, density, 0, 0);
    context.imageSmoothingEnabled = false;
    for (const tile of scene.tiles) {
      const part = tilePart(scene, tile);
      // Blank cells stay blank over what is coarser.
      context.clearRect(...part);
      context.drawImage(this.picture(scene, tile), ...part);
    }
  }

  dispose(): void {
    this.canvas.width = 0;
  }

  /** A tile's picture; keys that no query of a cell may see are left blank. */
  private picture({ n, mask, scale, peak }: Scene, tile: Tile): HTMLCanvasElement {
    const how = `${scale}/${peak}`;
    const known = this.pictures.get(tile);
    if (known?.how === how) return known.canvas;
    const area = tileArea(n, tile.key);
    const canvas = known?.canvas ?? document.createElement('canvas');
    canvas.width = area.width;
    canvas.height = area.height;
    const context = canvas.getContext('2d')!;
    const image = context.createImageData(area.width, area.height);
    const pixels = new Uint32Array(image.data.buffer);
    const at = place(scale, peak);
    for (let r = 0, i = 0; r < area.height; r++) {
      const rows = cellPart(area.rows, r, area.cell);
      for (let c = 0; c < area.width; c++, i++) {
        const weight = tile.cells[i]!;
        if (weight === 0 && !visible(mask, rows, cellPart(area.cols, c, area.cell))) continue;
        const [red, green, blue] = VIRIDIS[Math.round(at(weight) * 255)]!;
        pixels[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
      }
    }
    context.putImageData(image, 0, 0);
    this.pictures.set(tile, { canvas, how });
    return canvas;
  }
}
