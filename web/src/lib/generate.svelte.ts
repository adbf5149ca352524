import type { App } from './app.svelte';
import * as server from './server';

/** New tokens after which the views follow. */
const BATCH = 8;

/** Continues the text; the views follow while it grows, and show the whole once it ends. */
export class Writer {
  /** What was written so far; empty while nothing is. */
  written = $state('');
  private writing = $state.raw<AbortController | null>(null);

  constructor(private readonly app: App) {}

  get running(): boolean {
    return this.writing !== null;
  }

  stop(): void {
    this.writing?.abort();
  }

  async start(tokens: number, temperature: number, seed: number): Promise<void> {
    const { app } = this;
    const source = app.server;
    if (!source || this.running) return;
    const writing = new AbortController();
    this.writing = writing;
    this.written = '';
    app.growing = true;
    const before = source.description.text;
    let whole = before;
    let follows: Promise<void> | null = null;
    let fresh = 0;
    try {
      const options = { trace: source.id, max_tokens: tokens, temperature, seed };
      for await (const line of server.generate(options, writing.signal)) {
        if ('error' in line) throw new Error(line.error);
        if ('token' in line) {
          this.written += line.text;
          whole = before + this.written;
          fresh += 1;
          // One reading at a time: a long text is followed less often.
          if (fresh >= BATCH && !follows) {
            fresh = 0;
            follows = app.grow(whole).finally(() => (follows = null));
          }
        } else whole = line.text;
      }
    } catch (error) {
      if (!writing.signal.aborted) app.fail(error);
    }
    this.writing = null;
    await follows;
    if (whole !== app.source?.description.text) await app.grow(whole);
    app.growing = false;
    this.written = '';
  }
}
