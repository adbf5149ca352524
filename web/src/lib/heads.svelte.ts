import * as server from './server';
import type { Origin } from './statistics';
import { type HeadId, type HeadPicture, type HeadScores, type HeadProfile, writeHead } from './types';

/** Milliseconds between two questions how far the model's scores are. */
const POLL = 200;

/** What is known of the heads of a text; what is not is asked for when it is wanted. */
export class Heads {
  pictures = $state.raw<HeadPicture[]>([]);
  done = $state(false);
  /** What is being computed, and how far it is. */
  progress = $state<{ done: number; of: number } | null>(null);
  private profiles = $state.raw<Map<string, HeadProfile>>(new Map());
  private scores = $state.raw<Map<string, HeadScores>>(new Map());
  private readonly asked = new Set<Origin>();
  private readonly controller = new AbortController();

  constructor(
    private readonly source: server.ServerSource,
    private readonly count: number,
    private readonly fail: (error: unknown) => void,
  ) {}

  of(picture: HeadPicture) {
    const name = writeHead(picture);
    return { picture, profile: this.profiles.get(name), scores: this.scores.get(name) };
  }

  /** Whether what statistics of this origin need is all here. */
  knows(origin: Origin): boolean {
    return { picture: this.done, text: this.profiles.size === this.count, model: this.scores.size > 0 }[origin];
  }

  /** Asks for what statistics of this origin need, once. */
  want(origin: Origin): void {
    if (this.asked.has(origin)) return;
    this.asked.add(origin);
    const work = { picture: () => this.draw(), text: () => this.observe(), model: () => this.probe() }[origin];
    work().catch((error: unknown) => {
      this.asked.delete(origin);
      this.progress = null;
      if (!this.controller.signal.aborted) this.fail(error);
    });
  }

  stop(): void {
    this.controller.abort();
  }

  private async draw(): Promise<void> {
    const got: HeadPicture[] = [];
    for await (const picture of this.source.grid(this.controller.signal)) {
      got.push(picture);
      this.pictures = [...got];
    }
    this.done = true;
  }

  private async observe(): Promise<void> {
    const got = new Map<string, HeadProfile>();
    for await (const profile of this.source.profiles(this.controller.signal)) {
      got.set(writeHead(profile), profile);
      this.profiles = new Map(got);
      this.progress = { done: got.size, of: this.count };
    }
    this.progress = null;
  }

  private async probe(): Promise<void> {
    let status = await server.beginScores(this.controller.signal);
    while (status.state === 'computing' || status.state === 'none') {
      this.progress = status.state === 'computing' ? { done: status.done, of: status.of } : { done: 0, of: 0 };
      await new Promise((resolve) => setTimeout(resolve, POLL));
      status = await server.scores(this.controller.signal);
    }
    this.progress = null;
    if (status.state === 'failed') throw new Error(status.error);
    this.scores = new Map(status.heads.map((head: HeadScores & HeadId) => [writeHead(head), head]));
  }
}
