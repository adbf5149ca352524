// What pointers and keys do to a map.

/** What a gesture asks for, in pixels of the plot. */
export interface Gestures {
  point(x: number, y: number): void;
  drag(dx: number, dy: number): void;
  zoom(factor: number, x: number, y: number): void;
}

interface Point {
  x: number;
  y: number;
}

/** Follows pointers: one drags, two pinch, and none pressed points. */
export class Pointers {
  private readonly pressed = new Map<number, Point>();

  constructor(
    /** Where an event is, in pixels of the plot. */
    private readonly at: (event: MouseEvent) => Point,
    private readonly does: Gestures,
  ) {}

  down(event: PointerEvent): void {
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    const now = this.at(event);
    this.pressed.set(event.pointerId, now);
    this.does.point(now.x, now.y);
  }

  move(event: PointerEvent): void {
    const now = this.at(event);
    const before = this.pressed.get(event.pointerId);
    if (!before) {
      this.does.point(now.x, now.y);
      return;
    }
    const other = [...this.pressed].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const spread = (p: Point) => Math.hypot(p.x - other.x, p.y - other.y);
      this.does.zoom(spread(now) / Math.max(spread(before), 1), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else this.does.drag(now.x - before.x, now.y - before.y);
    this.pressed.set(event.pointerId, now);
  }

  up(event: PointerEvent): void {
    this.pressed.delete(event.pointerId);
  }

  wheel(event: WheelEvent): void {
    event.preventDefault();
    const { x, y } = this.at(event);
    // Lines are about 23 times as far as pixels.
    this.does.zoom(2 ** (-event.deltaY * (event.deltaMode === 1 ? 0.08 : 0.0035)), Math.max(x, 0), Math.max(y, 0));
  }
}

/** What a key does. */
export type KeyAct = { move: [number, number] } | { zoom: number } | 'whole' | 'cells' | null;

export function keyAct(event: KeyboardEvent): KeyAct {
  const far = event.shiftKey ? 10 : 1;
  const moves: Record<string, [number, number]> = { ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far] };
  const move = moves[event.key];
  if (move) return { move };
  if (event.key === '+' || event.key === '=') return { zoom: 2 };
  if (event.key === '-') return { zoom: 0.5 };
  if (event.key === '0' || event.key === 'Home') return 'whole';
  return event.key === 'Enter' ? 'cells' : null;
}
