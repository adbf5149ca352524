import type {
  Around,
  AroundQuery,
  Description,
  HeadId,
  HeadPicture,
  ModelInfo,
  Pool,
  Scale,
  Source,
  TileKey,
} from './types';
import type { Walk } from './walk';

const API = '/api/1';

export interface Session {
  version: string;
  trace: string;
  model: ModelInfo | null;
  text_bytes: number;
}

export type Status =
  | { state: 'reading'; id: string; done: number; layers: number }
  | { state: 'ready'; id: string; seconds: number | null; trace: Description }
  | { state: 'failed'; id: string; error: string };

export type Generated =
  | { token: number; text: string }
  | { end: unknown; text: string; tokens: number; seconds: number }
  | { error: string };

const name = (id: HeadId): string => `${id.layer}.${id.head}`;

/** An answer, or an error that says what the server said. */
async function ask(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(`${API}${path}`, init);
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  const said = typeof body === 'object' && body && 'error' in body ? String(body.error) : response.statusText;
  throw new Error(said || `the server answered ${response.status}`);
}

const json = async <T>(path: string, init?: RequestInit): Promise<T> => (await (await ask(path, init)).json()) as T;

const body = (value: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(value),
});

export const session = (): Promise<Session> => json('/session');

export const read = (text: string): Promise<Status> => json('/traces', body({ text }));

export const status = (id: string): Promise<Status> => json(`/traces/${id}`);

export const cancel = (id: string): Promise<Response> => ask(`/traces/${id}`, { method: 'DELETE' });

/** Each line of an answer as it comes. */
async function* lines<T>(response: Response): AsyncGenerator<T> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    rest += value ?? '';
    const whole = rest.split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) if (line) yield JSON.parse(line) as T;
    if (done) return;
  }
}

export interface GenerateOptions {
  trace: string;
  max_tokens: number;
  temperature: number;
  seed: number;
}

export async function* generate(options: GenerateOptions, signal: AbortSignal): AsyncGenerator<Generated> {
  yield* lines<Generated>(await ask('/generate', { ...body(options), signal }));
}

export class ServerSource implements Source {
  readonly offline = false;

  constructor(
    readonly id: string,
    readonly description: Description,
  ) {}

  around(query: AroundQuery, signal: AbortSignal): Promise<Around> {
    return json(`/traces/${this.id}/around?${this.aroundQuery(query)}`, { signal });
  }

  async tile(key: TileKey, signal: AbortSignal): Promise<Float32Array> {
    const query = new URLSearchParams({
      zoom: `${key.zoom}`,
      row: `${key.row}`,
      col: `${key.col}`,
      pool: key.pool,
    });
    const response = await ask(`/traces/${this.id}/heads/${name(key.head)}/tile?${query}`, { signal });
    return new Float32Array(await response.arrayBuffer());
  }

  async weight(head: HeadId, query: number, key: number, signal: AbortSignal): Promise<number> {
    const part = new URLSearchParams({
      from_row: `${query}`,
      to_row: `${query + 1}`,
      from_col: `${key}`,
      to_col: `${key + 1}`,
    });
    const path = `/traces/${this.id}/heads/${name(head)}/weights.json?${part}`;
    const { weights } = await json<{ weights: number[][] }>(path, { signal });
    return weights[0]?.[0] ?? Number.NaN;
  }

  async *grid(signal: AbortSignal): AsyncGenerator<HeadPicture> {
    for await (const line of lines<HeadPicture | { error: string }>(await ask(`/traces/${this.id}/grid`, { signal }))) {
      if ('error' in line) throw new Error(line.error);
      yield line;
    }
  }

  steps(head: HeadId, word: number | null, signal: AbortSignal): Promise<Walk> {
    const query = new URLSearchParams({ head: name(head) });
    if (word !== null) query.set('word', `${word}`);
    return json(`/traces/${this.id}/steps?${query}`, { signal });
  }

  /** Where the text view can be saved from. */
  textPicture(query: AroundQuery, kind: 'svg' | 'png', theme: string): string {
    const asked = this.aroundQuery(query);
    asked.delete('target');
    asked.set('theme', theme);
    return `${API}/traces/${this.id}/text.${kind}?${asked}`;
  }

  /** Where a part of the map can be saved from. */
  mapFile(
    head: HeadId,
    part: { rows: [number, number]; cols: [number, number] },
    file: 'map.svg' | 'map.png' | 'weights.json' | 'weights.csv' | 'weights.npy',
    look: { pool: Pool; scale: Scale; theme: string },
  ): string {
    const query = new URLSearchParams({
      from_row: `${part.rows[0]}`,
      to_row: `${part.rows[1]}`,
      from_col: `${part.cols[0]}`,
      to_col: `${part.cols[1]}`,
      ...(file.startsWith('map') ? look : {}),
    });
    return `${API}/traces/${this.id}/heads/${name(head)}/${file}?${query}`;
  }

  /** Where the page that keeps all of it can be saved from. */
  page(): string {
    return `${API}/traces/${this.id}/page.html`;
  }

  private aroundQuery(query: AroundQuery): URLSearchParams {
    const asked = new URLSearchParams({ unit: query.unit, index: `${query.index}` });
    if (query.heads.length > 0) asked.set('heads', query.heads.map(name).join(','));
    if (query.above !== null) asked.set('above', `${query.above}`);
    if (query.target !== null) asked.set('target', `${query.target}`);
    return asked;
  }
}
