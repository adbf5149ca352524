// Whom a word stands for, and what comes next, as the server gives them (docs/api.md).

import type { HeadId } from './types';

/** What a head keeps to over the variants of a text, as the terminal says it. */
export const HABITS = { name: 'a name', first: 'the first', nearer: 'the nearer', role: 'a role' } as const;

export type Habit = keyof typeof HABITS;

export type Row = 'word' | 'last' | 'probe';

export interface WhoQuestion {
  word: number;
  candidates: string[];
  probe: string;
  from: Row;
  top: number;
}

export type WhoLine = WhoAnswer | { reading: number; layer: number; layers: number } | { error: string };

export interface WhoAnswer {
  /** The word as an edge names it: `he`, or `he#2`. */
  label: string;
  who: Who;
}

export interface Who {
  candidates: { name: string }[];
  /** The two that the controls are about. */
  pair: [number, number];
  probe: string | null;
  rows: WhoRow[];
  cause: { log_prob: number[]; effects: Effect[] };
  /** Similarity of raw embeddings with each candidate. */
  baseline: number[];
  verdict: string[];
}

export interface WhoRow {
  from: Row;
  pooled: HeadReading;
  heads: (HeadReading & HeadId & { swapped: number[]; keeps_to: Habit })[];
  controls: {
    /** A connective or the word itself, turned into another; or the clauses' order. */
    turn: { kind: 'connective' | 'pronoun'; from: string; to: string } | { kind: 'order' };
    best: HeadId & { meaning: number };
    chance: number;
    consistent: number;
    heads: number;
    tells_apart: boolean;
  }[];
}

export interface HeadReading {
  weights: number[];
  shares: number[];
  sink_share: number;
}

export interface Effect {
  change: { kind: 'cut'; heads: HeadId[]; candidate: number } | { kind: 'ablated'; heads: HeadId[] };
  kl: number;
  log_prob_change: number[];
}

export interface Prediction {
  kl: number;
  next: { token: number; text: string; probability: number; unchanged: number }[];
  continuations: { text: string; log_prob: number; unchanged: number }[];
}
