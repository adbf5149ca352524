// Interventions in the model, as they are named: docs/api.md.

import { type HeadId, headName, readHead, writeHead } from './types';

/** The name of the edges from one word to another, in some heads or, where none is given, in all. */
export const edgeName = (from: string, to: string, heads: HeadId[]): string =>
  `${from}->${to}@${heads.length > 0 ? heads.map(writeHead).join(',') : 'all'}`;

/** What an edge's name says, for people. */
export function edgeParts(edge: string): { from: string; to: string; heads: string } {
  const [from = '', rest = ''] = [edge.slice(0, edge.indexOf('->')), edge.slice(edge.indexOf('->') + 2)];
  const at = rest.lastIndexOf('@');
  const heads = at < 0 ? 'all' : rest.slice(at + 1);
  const names = heads.split(',').flatMap((name) => {
    const id = readHead(name);
    return id ? [headName(id)] : [];
  });
  return { from, to: at < 0 ? rest : rest.slice(0, at), heads: heads === 'all' ? 'all heads' : names.join(', ') };
}
