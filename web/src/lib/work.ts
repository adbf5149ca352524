// Long work within the page: it goes on in turns, so that the page answers, shows how far it is and can be stopped.

/** Milliseconds of work between two turns of the page. */
const TURN = 20;

/** Long work that was begun; `signal` ends it. */
export class Work {
  private since = performance.now();

  constructor(
    private readonly signal: AbortSignal,
    private readonly onProgress: (done: number, of: number) => void = () => undefined,
  ) {}

  /** Lets the page take its turn where it is time, with what is done so far, and ends what is not wanted any more. */
  async turn(done = 0, of = 0): Promise<void> {
    if (performance.now() - this.since > TURN) {
      this.onProgress(done, of);
      await new Promise((resolve) => setTimeout(resolve));
      this.since = performance.now();
    }
    this.signal.throwIfAborted();
  }
}
