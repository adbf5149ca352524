import { FileSource } from './file';
import { type Place, SHORT_TEXT, readLink, writeLink } from './link';
import * as server from './server';
import { pieces } from './text';
import { type TokenAttention, type HeadId, type Interventions, type Source, allHeads, sameHead, writeHead } from './types';

/** What is shown, and how it is got: one for the page. */
export class App {
  source = $state.raw<Source | null>(null);
  session = $state.raw<server.Session | null>(null);
  /** Layers done and in all, while a text is read. */
  reading = $state<{ id: string; done: number; layers: number } | null>(null);
  error = $state<string | null>(null);
  /** Whether the server wants its token first. */
  locked = $state(false);
  /** Whether the text is being continued: views follow without losing what they show. */
  growing = $state(false);
  place = $state<Place>(readLink(location.hash));
  attention = $state.raw<TokenAttention | null>(null);
  /** The unit under the pointer. */
  hovered = $state<number | null>(null);
  seconds = $state<number | null>(null);
  /** Heads done and in all, while the page itself computes an answer. */
  computing = $state<{ done: number; of: number } | null>(null);

  private asking: AbortController | null = null;
  private texts = 0;

  readonly pieces = $derived(this.source ? pieces(this.source.description, this.place.unit) : []);
  readonly heads = $derived(this.source ? allHeads(this.source.description) : []);

  /** The head that map and steps show: the one chosen, else the one that the program chooses for the word. */
  readonly head = $derived.by((): HeadId | null => {
    const { head, heads } = this.place;
    const kept = this.source?.kept ?? [];
    const known = (id: HeadId | null | undefined) => (id && kept.some((other) => sameHead(other, id)) ? id : null);
    const ranked = this.attention?.ranked.find((id) => known(id));
    return known(head) ?? known(heads[0]) ?? known(this.attention?.default_head) ?? known(ranked) ?? kept[0] ?? null;
  });

  async start(): Promise<void> {
    const kept = FileSource.fromPage();
    if (kept) {
      this.show(kept);
      return;
    }
    try {
      this.session = await server.session();
      const { text, trace, interventions } = $state.snapshot(this.place);
      const shown = await this.settle(await this.first(this.session.trace));
      // What the link asks for cannot be read: the page begins as it would without.
      if (!shown && !this.source) await this.settle(await server.status(this.session.trace));
      // A link without a text means the text that the server begins with.
      else if (text === null && trace === null && interventions.ablate.length + interventions.cut.length > 0) {
        await this.change(interventions);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** The text that the link names, or, where that cannot be read, what the server begins with. */
  private async first(trace: string): Promise<server.Status> {
    const { text, trace: named } = this.place;
    if (text !== null || named !== null) {
      try {
        if (text === null) return await this.named(named!);
        return await server.read(text, $state.snapshot(this.place.interventions));
      } catch (error) {
        this.fail(error);
        this.place.index = null;
      }
    }
    return server.status(trace);
  }

  /** The trace of that name: the server has it, or this tab has seen its text. */
  private async named(trace: string): Promise<server.Status> {
    try {
      return await server.status(trace);
    } catch (error) {
      const seen = recall(trace);
      if (!seen) throw error;
      return server.read(seen.text, seen.interventions);
    }
  }

  /** Goes to where an address leads, as the browser's Back does. */
  async follow(place: Place): Promise<void> {
    const source = this.server;
    const here = source && { text: source.description.text, interventions: JSON.stringify(source.interventions) };
    const { text, trace } = place;
    const interventions = $state.snapshot(place.interventions);
    Object.assign(this.place, place);
    const same = trace !== null ? trace === source?.id : (text ?? here?.text) === here?.text && JSON.stringify(interventions) === here?.interventions;
    if (same || this.source?.offline) return this.ask();
    this.error = null;
    try {
      const status = trace !== null ? await this.named(trace) : await server.read(text ?? here?.text ?? '', interventions);
      await this.settle(status);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Does not wait for the text that is being read. */
  async stopReading(): Promise<void> {
    const { reading } = this;
    if (reading) await server.cancel(reading.id).catch((error: unknown) => this.fail(error));
  }

  /** Reads another text. Heads that were ablated stay so; edges belong to their text. */
  async read(text: string): Promise<void> {
    const { ablate } = $state.snapshot(this.place.interventions);
    await this.readAnd(text, { ablate, cut: [] }, () => {
      this.place.index = null;
      this.place.target = null;
      this.place.map = null;
    });
  }

  /** Reads the text that is continued, with everything that is chosen. */
  async grow(text: string): Promise<void> {
    await this.readAnd(text, $state.snapshot(this.place.interventions), () => undefined);
  }

  /** Reads the same text with other interventions. */
  async change(interventions: Interventions): Promise<void> {
    const text = this.source?.description.text;
    if (text !== undefined) await this.readAnd(text, interventions, () => undefined);
  }

  /** Ablates a head, or restores it. */
  toggleAblated(id: HeadId): Promise<void> {
    const { ablate, cut } = $state.snapshot(this.place.interventions);
    const name = writeHead(id);
    return this.change({ ablate: ablate.includes(name) ? ablate.filter((other) => other !== name) : [...ablate, name], cut });
  }

  /** Cuts an edge, or restores it. */
  toggleCut(edge: string): Promise<void> {
    const { ablate, cut } = $state.snapshot(this.place.interventions);
    return this.change({ ablate, cut: cut.includes(edge) ? cut.filter((other) => other !== edge) : [...cut, edge] });
  }

  private async readAnd(text: string, interventions: Interventions, forget: () => void): Promise<void> {
    this.error = null;
    try {
      const status = await server.read(text, interventions);
      forget();
      await this.settle(status);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Waits until a text is read, and shows it, unless another was asked for meanwhile; false where it cannot be read. */
  private async settle(first: server.Status): Promise<boolean> {
    const turn = ++this.texts;
    let status = first;
    while (status.state === 'reading') {
      this.reading = { id: status.id, done: status.done, layers: status.layers };
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (turn !== this.texts) return true;
      status = await server.status(status.id);
    }
    this.reading = null;
    if (status.state === 'failed') {
      this.error = status.error;
      this.place.interventions = this.server?.interventions ?? { ablate: [], cut: [] };
      return false;
    }
    this.seconds = status.seconds;
    this.place.interventions = status.interventions;
    remember(status.id, status.trace.text, status.interventions);
    this.show(new server.ServerSource(status.id, status.trace, status.interventions));
    return true;
  }

  private show(source: Source): void {
    // Where the text is the same or goes on, what is shown stays until the new answer is here: nothing loses the focus.
    if (!this.growing && this.source?.description.text !== source.description.text) this.attention = null;
    const { map } = this.place;
    // Who saw the whole of the old text sees the whole of the new one.
    if (map && this.source && map[2] >= this.source.description.n) this.place.map = null;
    this.source = source;
    const units = this.units(source);
    if (this.place.index === null || this.place.index >= units) this.place.index = this.begin(source);
    const known = allHeads(source.description);
    this.place.heads = this.place.heads.filter((id) => known.some((other) => sameHead(other, id)));
    if (this.place.target !== null && this.place.target >= units) this.place.target = null;
    void this.ask();
  }

  /** The word or token that the page begins with. */
  private begin(source: Source): number {
    const { word, words, prefix, n } = source.description;
    if (this.place.unit === 'token') return Math.min(prefix.length, n - 1);
    return word ?? Math.max(words.length - 1, 0);
  }

  units(source: Source | null = this.source): number {
    if (!source) return 0;
    return this.place.unit === 'word' ? source.description.words.length : source.description.n;
  }

  /** The word that is chosen, or that the chosen token belongs to. */
  wordIndex(): number | null {
    const words = this.source?.description.words ?? [];
    const { unit, index } = this.place;
    if (index === null || words.length === 0) return null;
    if (unit === 'word') return Math.min(index, words.length - 1);
    const of = words.findIndex(([, , first, end]) => index >= first && index < end);
    return of < 0 ? null : of;
  }

  choose(index: number): void {
    if (index < 0 || index >= this.units()) return;
    this.error = null;
    this.place.index = index;
    if (this.place.target === index) this.place.target = null;
    void this.ask();
  }

  setUnit(unit: Place['unit']): void {
    const d = this.source?.description;
    const { index } = this.place;
    if (!d || unit === this.place.unit) return;
    this.place.unit = unit;
    this.place.target = null;
    // The same place in the text: a word's last token, a token's word.
    if (index !== null) {
      const of = d.words.findIndex(([, , first, end]) => index >= first && index < end);
      this.place.index = unit === 'token' ? (d.words[index]?.[3] ?? 1) - 1 : Math.max(of, 0);
    }
    void this.ask();
  }

  /** Makes this head the only one chosen, or adds it to those that are, or takes it away from them. */
  toggleHead(id: HeadId, add: boolean): void {
    const { heads } = this.place;
    const there = heads.some((other) => sameHead(other, id));
    const others = heads.filter((other) => !sameHead(other, id));
    if (add) this.place.heads = there ? others : [...heads, id];
    else this.place.heads = there && heads.length === 1 ? [] : [id];
    this.place.head = this.place.heads.length > 0 ? id : null;
    void this.ask();
  }

  setHeads(heads: HeadId[]): void {
    this.place.heads = heads;
    this.place.head = heads[0] ?? null;
    void this.ask();
  }

  query() {
    const { unit, index, heads, above, target } = this.place;
    return { unit, index: index ?? 0, heads: $state.snapshot(heads), above, target };
  }

  /** Asks what the chosen unit gives and receives; an earlier question is taken back. */
  async ask(): Promise<void> {
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    if (!this.source || this.units() === 0) return;
    this.computing = null;
    try {
      const attention = await this.source.tokenAttention(this.query(), asking.signal, (done, of) => (this.computing = { done, of }));
      if (asking.signal.aborted) return;
      this.attention = attention;
    } catch (error) {
      if (!asking.signal.aborted) this.fail(error);
    }
    if (this.asking === asking) this.computing = null;
  }

  /** Ends what the page computes; what was seen before stays, and is what is chosen again. */
  stopComputing(): void {
    this.asking?.abort();
    this.computing = null;
    if (this.attention) this.place.index = this.attention.index;
  }

  fail(error: unknown): void {
    this.reading = null;
    if (error instanceof server.NeedsToken) {
      this.locked = true;
      return;
    }
    this.error = error instanceof TypeError ? 'the server does not answer: is lookback still running?' : String(error instanceof Error ? error.message : error);
  }

  /** The address that brings this back. */
  link(): string {
    return writeLink(this.whole());
  }

  /** What is seen, with the text: an exported page has its own; the server must be told which. */
  whole(): Place {
    const place = $state.snapshot(this.place);
    const source = this.server;
    const text = source?.description.text ?? null;
    const long = text !== null && text.length > SHORT_TEXT;
    return { ...place, text: long ? null : text, trace: long ? source!.id : null };
  }

  /** The page's own server, where there is one. */
  get server(): server.ServerSource | null {
    return this.source instanceof server.ServerSource ? this.source : null;
  }
}

/** Texts that this tab has seen, by the names that links give them: a server that was started again has them no more. */
const SEEN = 'lookback-text-';

function remember(trace: string, text: string, interventions: Interventions): void {
  if (text.length <= SHORT_TEXT) return;
  try {
    sessionStorage.setItem(SEEN + trace, JSON.stringify({ text, interventions }));
  } catch {
    // No room: the link is good as long as the server has the text.
  }
}

function recall(trace: string): { text: string; interventions: Interventions } | null {
  try {
    return JSON.parse(sessionStorage.getItem(SEEN + trace) ?? 'null') as { text: string; interventions: Interventions } | null;
  } catch {
    return null;
  }
}
