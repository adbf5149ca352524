// A trace's numbers within the page: a safetensors file, whose parts are read in place.

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** All numbers of 16 bits, as f32. */
const HALVES: Float32Array = (() => {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * 2 ** -24 * fraction;
    else if (exponent === 31) table[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else table[bits] = sign * 2 ** (exponent - 25) * (1024 + fraction);
  }
  return table;
})();

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const native = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (native.fromBase64) return native.fromBase64(base64);
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** The file's tensors and what it says about itself. */
export class Numbers {
  readonly metadata: Record<string, string>;
  private readonly tensors: Record<string, Tensor>;
  private readonly start: number;
  private readonly buffer: ArrayBuffer;

  constructor(file: Uint8Array<ArrayBuffer>) {
    // Numbers are read in place, so the file must begin where its buffer does.
    this.buffer = file.byteOffset === 0 ? file.buffer : file.slice().buffer;
    const length = Number(new DataView(this.buffer).getBigUint64(0, true));
    this.start = 8 + length;
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(this.buffer, 8, length))) as Record<string, unknown>;
    this.metadata = header.__metadata__ as Record<string, string>;
    delete header.__metadata__;
    this.tensors = header as Record<string, Tensor>;
  }

  has(name: string): boolean {
    return name in this.tensors;
  }

  shape(name: string): number[] {
    return this.tensors[name]!.shape;
  }

  /** One head's part of a tensor as f32, in `into` where it has to be widened. */
  read(name: string, head: number, into: Float32Array): Float32Array {
    const tensor = this.tensors[name]!;
    const count = tensor.shape.slice(1).reduce((a, b) => a * b, 1);
    const from = this.start + tensor.data_offsets[0];
    if (tensor.dtype !== 'F16') return new Float32Array(this.buffer, from + 4 * head * count, count);
    const halves = new Uint16Array(this.buffer, from + 2 * head * count, count);
    const out = into.length === count ? into : new Float32Array(count);
    for (let at = 0; at < count; at++) out[at] = HALVES[halves[at]!]!;
    return out;
  }
}
