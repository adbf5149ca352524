import { DECADES, VIRIDIS } from '../color';
import { reach, visible } from '../mask';
import { type Tile, cellPart, tileArea } from '../tiles';
import { type Painter, type Scene, shownPixels, tilePart } from './scene';

/** Textures that are kept at most: those of tiles drawn longest ago go. */
const KEPT = 128;

/** A rectangle of the canvas, its corners from 0 to 1. */
const VERTEX = `#version 300 es
uniform highp vec4 part;
uniform highp vec2 canvas;
void main() {
  vec2 pixel = part.xy + vec2(gl_VertexID & 1, gl_VertexID >> 1) * part.zw;
  gl_Position = vec4(2.0 * pixel.x / canvas.x - 1.0, 1.0 - 2.0 * pixel.y / canvas.y, 0.0, 1.0);
}`;

/** A weight's place on the colour scale: what lib/color.ts says, so that the scale changes without another tile. */
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
uniform highp sampler2D weights;
uniform lowp sampler2D palette;
uniform ivec2 cells;
uniform ivec4 area; // first query, first key, number of tokens, tokens of a cell
uniform ivec2 reach; // the least and the greatest distance ahead at which a key is seen
uniform bool logarithmic;
uniform float peak;
uniform highp vec4 part;
uniform highp vec2 canvas;
out vec4 color;
void main() {
  // From the pixel's own place: what is interpolated between corners is not as exact.
  vec2 at = (vec2(gl_FragCoord.x, canvas.y - gl_FragCoord.y) - part.xy) / part.zw;
  ivec2 cell = clamp(ivec2(floor(at * vec2(cells))), ivec2(0), cells - 1);
  float weight = texelFetch(weights, cell, 0).r;
  ivec2 first = area.yx + cell * area.w; // key, query
  ivec2 last = min(first + area.w, area.zz) - 1;
  if (weight < 0.0 || weight == 0.0 && (first.x - last.y > reach.y || last.x - first.y < reach.x)) {
    color = vec4(0.0);
    return;
  }
  float place = 0.0;
  if (peak > 0.0 && weight > 0.0) {
    place = logarithmic ? 1.0 + log(weight / peak) / (log(10.0) * ${DECADES.toFixed(1)}) : weight / peak;
  }
  color = texelFetch(palette, ivec2(int(clamp(place, 0.0, 1.0) * 255.0 + 0.5), 0), 0);
}`;

/** Tiles as textures of their weights, coloured while they are drawn. */
export class WebGlPainter implements Painter {
  private readonly textures = new Map<Tile, WebGLTexture>();
  private readonly uniforms: Record<string, WebGLUniformLocation | null>;

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
    program: WebGLProgram,
    palette: WebGLTexture,
  ) {
    gl.useProgram(program);
    const names = ['part', 'canvas', 'weights', 'palette', 'cells', 'area', 'reach', 'logarithmic', 'peak'];
    this.uniforms = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)]));
    gl.uniform1i(this.uniforms.weights!, 0);
    gl.uniform1i(this.uniforms.palette!, 1);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, palette);
    gl.activeTexture(gl.TEXTURE0);
    gl.disable(gl.BLEND);
    gl.enable(gl.SCISSOR_TEST);
  }

  /** None where the browser has no WebGL2, or only a slow one and `slow` does not allow it. */
  static on(canvas: HTMLCanvasElement, slow: boolean): WebGlPainter | null {
    const gl = canvas.getContext('webgl2', { antialias: false, failIfMajorPerformanceCaveat: !slow });
    if (!gl) return null;
    const program = linked(gl);
    return program && new WebGlPainter(canvas, gl, program, paletteTexture(gl));
  }

  draw(scene: Scene): void {
    const { gl, canvas, uniforms } = this;
    const { size, density } = scene;
    const [width, height] = [Math.round(size.width * density), Math.round(size.height * density)];
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    gl.viewport(0, 0, width, height);
    gl.scissor(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const [x, y, w, h] = shownPixels(scene);
    gl.scissor(x, height - y - h, w, h);
    gl.uniform2f(uniforms.canvas!, width, height);
    gl.uniform2i(uniforms.reach!, ...reach(scene.mask));
    gl.uniform1i(uniforms.logarithmic!, Number(scene.scale === 'log'));
    gl.uniform1f(uniforms.peak!, scene.peak);
    for (const tile of scene.tiles) {
      const { rows, cols, height, width, cell } = tileArea(scene.n, tile.key);
      gl.bindTexture(gl.TEXTURE_2D, this.texture(tile, scene));
      const part = tilePart(scene, tile).map((at) => at * density) as [number, number, number, number];
      gl.uniform4f(uniforms.part!, ...part);
      gl.uniform2i(uniforms.cells!, width, height);
      gl.uniform4i(uniforms.area!, rows[0], cols[0], scene.n, cell);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
  }

  dispose(): void {
    for (const texture of this.textures.values()) this.gl.deleteTexture(texture);
    this.textures.clear();
    this.gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  private texture(tile: Tile, scene: Scene): WebGLTexture {
    const known = this.textures.get(tile);
    if (known) {
      // What is used goes to the end: the first is dropped first.
      this.textures.delete(tile);
      this.textures.set(tile, known);
      return known;
    }
    const { gl } = this;
    const texture = nearest(gl);
    const { width, height } = tileArea(scene.n, tile.key);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, width, height, 0, gl.RED, gl.FLOAT, marked(tile, scene));
    this.textures.set(tile, texture);
    const [oldest] = this.textures;
    if (this.textures.size > KEPT && oldest) {
      gl.deleteTexture(oldest[1]);
      this.textures.delete(oldest[0]);
    }
    return texture;
  }
}

/** A tile's cells; under ranges of keys, which a shader cannot tell by distance, −1 where no query sees a key. */
function marked(tile: Tile, { n, mask }: Scene): Float32Array {
  if (mask.kind !== 'ranges') return tile.cells;
  const { rows, cols, width, cell } = tileArea(n, tile.key);
  return tile.cells.map((weight, at) => {
    const part = [cellPart(rows, Math.floor(at / width), cell), cellPart(cols, at % width, cell)] as const;
    return weight === 0 && !visible(mask, ...part) ? -1 : weight;
  });
}

function nearest(gl: WebGL2RenderingContext): WebGLTexture {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return texture;
}

function paletteTexture(gl: WebGL2RenderingContext): WebGLTexture {
  const palette = nearest(gl);
  const colors = new Uint8Array(VIRIDIS.flatMap((color) => [...color, 255]));
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, VIRIDIS.length, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colors);
  return palette;
}

function linked(gl: WebGL2RenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}
