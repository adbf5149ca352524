import { type HeadId, type Interventions, type Pool, type Scale, type Unit, readHead, writeHead } from './types';

export type View = 'text' | 'who' | 'grid' | 'map' | 'steps';

/** Everything that a link brings back. */
export interface Place {
  text: string | null;
  /** The server's name of the text and what was changed in the model; stands for both where the text is long. */
  trace: string | null;
  view: View;
  unit: Unit;
  index: number | null;
  heads: HeadId[];
  /** The head that map and steps show. */
  head: HeadId | null;
  above: number | null;
  target: number | null;
  pool: Pool;
  scale: Scale;
  /** The part of the map: first query, first key, tokens across. */
  map: [number, number, number] | null;
  /** The statistic by which heads are sorted. */
  sort: string;
  /** What is changed in the model. */
  interventions: Interventions;
  /** The names that a word may refer to, as they were typed; empty for those that are found. */
  candidates: string;
  /** How the text is continued before the model is asked. */
  probe: string;
}

const VIEWS: readonly View[] = ['text', 'who', 'grid', 'map', 'steps'];

/** Heads and edges that a link may hold. */
const MOST_INTERVENTIONS = 512;

/** Characters of a text that a link holds itself: it is then good for any server. */
export const SHORT_TEXT = 400;

function readNumber(text: string | null, most = Number.MAX_SAFE_INTEGER): number | null {
  const value = text === null || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) && value >= 0 && value <= most ? value : null;
}

/** Reads what stands after the # of an address; what makes no sense there is left out. */
export function readLink(hash: string): Place {
  const link = new URLSearchParams(hash.replace(/^#/, ''));
  const view = VIEWS.find((view) => view === link.get('view')) ?? 'text';
  const index = readNumber(link.get('at'));
  const target = readNumber(link.get('rank'));
  const map = (link.get('part') ?? '').split(',').map((part) => readNumber(part));
  return {
    text: link.get('text'),
    trace: /^[0-9a-f]{16}$/.exec(link.get('trace') ?? '')?.[0] ?? null,
    view,
    unit: link.get('unit') === 'token' ? 'token' : 'word',
    index: index === null ? null : Math.floor(index),
    heads: (link.get('heads') ?? '').split(',').flatMap((name) => readHead(name) ?? []),
    head: readHead(link.get('head') ?? ''),
    above: readNumber(link.get('above'), 1),
    target: target === null ? null : Math.floor(target),
    pool: link.get('pool') === 'mean' ? 'mean' : 'max',
    scale: link.get('scale') === 'linear' ? 'linear' : 'log',
    map: map.length === 3 && map.every((part) => part !== null) ? (map as [number, number, number]) : null,
    sort: link.get('sort') ?? 'order',
    interventions: {
      ablate: (link.get('out') ?? '').split(',').filter((name) => readHead(name)).slice(0, MOST_INTERVENTIONS),
      cut: link.getAll('cut').filter((edge) => edge.includes('->')).slice(0, MOST_INTERVENTIONS),
    },
    candidates: link.get('candidates') ?? '',
    probe: link.get('probe') ?? '',
  };
}

/** What stands after the # of an address that brings this back. */
export function writeLink(place: Place): string {
  const link = new URLSearchParams();
  const set = (name: string, value: string | number | null) => {
    if (value !== null && value !== '') link.set(name, `${value}`);
  };
  set('view', place.view);
  set('unit', place.unit === 'token' ? 'token' : null);
  set('at', place.index);
  set('heads', place.heads.map(writeHead).join(','));
  set('head', place.head && writeHead(place.head));
  set('above', place.above);
  set('rank', place.target);
  set('pool', place.pool === 'mean' ? 'mean' : null);
  set('scale', place.scale === 'linear' ? 'linear' : null);
  set('part', place.map && place.map.map((part) => +part.toFixed(2)).join(','));
  set('sort', place.sort === 'order' ? null : place.sort);
  // The name of a trace stands for what was changed in the model too.
  if (place.trace === null) {
    set('out', place.interventions.ablate.join(','));
    for (const edge of place.interventions.cut) link.append('cut', edge);
  }
  set('candidates', place.candidates);
  set('probe', place.probe);
  set('trace', place.trace);
  set('text', place.text);
  return `#${link}`;
}

/** What makes another page of it: the browser's Back goes from one to the one before. */
export const pageOf = ({ text, trace, view, unit, index, heads, head, interventions }: Place): string =>
  JSON.stringify([text, trace, view, unit, index, heads, head, interventions]);
