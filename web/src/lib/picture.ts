import { VIRIDIS } from './color';
import { bytesOf } from './numbers';
import { visible } from './mask';
import type { HeadPicture, Mask } from './types';

/** A head's small picture, of a text of n tokens. */
export interface Painted {
  picture: HeadPicture;
  n: number;
  mask: Mask;
}

/** Paints a head's small picture; cells that no query may see stay blank. */
export function paintPicture(canvas: HTMLCanvasElement, painted: Painted): { update: (painted: Painted) => void } {
  const paint = ({ picture: { side, cells }, n, mask }: Painted) => {
    const part = (at: number): [number, number] => [Math.floor((at * n) / side), Math.floor(((at + 1) * n) / side)];
    canvas.width = side;
    canvas.height = side;
    const context = canvas.getContext('2d')!;
    const image = context.createImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    const bytes = bytesOf(cells);
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === 0 && !visible(mask, part(Math.floor(i / side)), part(i % side))) continue;
      const [red, green, blue] = VIRIDIS[bytes[i]!]!;
      pixels[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
    }
    context.putImageData(image, 0, 0);
  };
  paint(painted);
  return { update: paint };
}
