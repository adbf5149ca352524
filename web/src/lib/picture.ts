import { VIRIDIS } from './color';
import { bytesOf } from './file';
import type { HeadPicture } from './types';

/** Paints a head's small picture; cells that no query may see stay blank. */
export function paintPicture(canvas: HTMLCanvasElement, picture: HeadPicture): { update: (picture: HeadPicture) => void } {
  const paint = ({ side, cells }: HeadPicture) => {
    canvas.width = side;
    canvas.height = side;
    const context = canvas.getContext('2d')!;
    const image = context.createImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    const bytes = bytesOf(cells);
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === 0 && i % side > Math.floor(i / side)) continue;
      const [red, green, blue] = VIRIDIS[bytes[i]!]!;
      pixels[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
    }
    context.putImageData(image, 0, 0);
  };
  paint(picture);
  return { update: paint };
}
