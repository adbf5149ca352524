//! One chunk of the keys of one head, for all queries that read it.

use std::ops::Range;

use super::cache::{Cache, Head};
use super::products::{add_values, dots};
use super::workspace::State;
use crate::isa::math::exp2_bounded;
use crate::isa::{Isa, Line, lines_for};
use crate::score::{HeadScoring, TileAt, apply_options_to_row, hide_in_row};
use crate::shape::Shape;
use crate::{Element, Error, Scoring};

/// Keys of a chunk: what one task reads and one partial softmax covers.
pub(super) const CHUNK: usize = 256;

/// Keys between two looks at the softmax. Their keys and values at d = 128 take 32 KB of f32, which the first level of
/// the cache holds for the other queries of the group.
const BLOCK: usize = 32;

/// Bytes that are asked for before they are needed.
const AHEAD: usize = 8192;

/// How far, in log₂ units, a score may pass the reference: as in the forward pass.
const HEADROOM: f32 = 8.0;

/// A validated call, its queries packed.
pub(super) struct Call<'a, 'c, 's, E> {
    pub(super) shape: Shape,
    pub(super) cache: Cache<'c, E>,
    pub(super) scoring: &'a Scoring<'s>,
    /// `[B][H_kv][rows][d_k/16]`
    pub(super) q: &'a [Line],
}

impl<E: Element> Call<'_, '_, '_, E> {
    /// Queries that read the same keys: N of each head of the group, head after head.
    pub(super) fn rows(&self) -> usize {
        self.shape.group() * self.shape.n
    }

    /// Chunks of a head.
    pub(super) fn chunks(&self) -> usize {
        self.shape.m.div_ceil(CHUNK)
    }

    /// Attends to chunk `task` mod chunks of key/value head `task` / chunks, counted over the batch.
    ///
    /// `states` is `[rows]`, `o` is `[rows][d_v/16]`; what they held is overwritten, and `o` only where there are keys.
    #[inline(always)]
    pub(super) fn attend<I: Isa>(
        &self,
        isa: I,
        task: usize,
        states: &mut [State],
        o: &mut [Line],
    ) -> Result<(), Error> {
        let Shape { h_kv, n, m, .. } = self.shape;
        let (head, chunk) = (task / self.chunks(), task % self.chunks());
        let (b, kv) = (head / h_kv, head % h_kv);
        let keys = self.scoring.key_length(b, m);
        states.fill(State::EMPTY);
        let mask = &self.scoring.mask;
        let first = mask.visible(0, keys).start.max(chunk * CHUNK);
        let end = mask.visible(n - 1, keys).end.min((chunk + 1) * CHUNK);
        if first >= end {
            return Ok(());
        }
        o.fill(Line::ZERO);
        let [k, v] = self.cache.head(b, kv);
        let place = Place {
            b,
            kv,
            keys,
            has_options: self.has_options(),
            ahead: (AHEAD / (self.shape.d_k.max(self.shape.d_v) * size_of::<E>())).clamp(4, BLOCK),
        };
        let [k, v] = [k, v].map(Head::flatten);
        let mut blocks = [Block::EMPTY, Block::EMPTY];
        blocks[0].load(first..end.min(first + BLOCK), [k, v]);
        for (at, start) in (first..end).step_by(BLOCK).enumerate() {
            let [even, odd] = &mut blocks;
            let (now, ahead) = if at % 2 == 0 {
                (even, odd)
            } else {
                (odd, even)
            };
            // What is read next, also where that is the next chunk's.
            let next = start.saturating_add(BLOCK);
            let limit = if next < end { end } else { keys };
            let next = if next < limit { next } else { start };
            ahead.load(next..limit.min(next.saturating_add(BLOCK)), [k, v]);
            self.attend_block(isa, (&*now, &*ahead), &place, states, o)?;
        }
        Ok(())
    }

    /// Whether a score needs more than its product.
    fn has_options(&self) -> bool {
        let Scoring {
            soft_cap,
            alibi,
            bias,
            ..
        } = self.scoring;
        soft_cap.is_some() || alibi.is_some() || bias.is_some()
    }

    /// Every row of the group against one block, as many rows and keys at a time as registers hold.
    #[inline(always)]
    fn attend_block<I: Isa>(
        &self,
        isa: I,
        blocks: (&Block<E>, &Block<E>),
        place: &Place,
        states: &mut [State],
        o: &mut [Line],
    ) -> Result<(), Error> {
        // Thirty-two registers hold twice as much as sixteen.
        let many = I::LANES == 16;
        let mut row = 0;
        while row < states.len() {
            let at = (row, place);
            row += match (states.len() - row, many) {
                (1, _) => self.attend_rows::<I, 1, 4, 4>(isa, blocks, at, states, o)?,
                (2, _) => self.attend_rows::<I, 2, 4, 4>(isa, blocks, at, states, o)?,
                (3, true) => self.attend_rows::<I, 3, 4, 4>(isa, blocks, at, states, o)?,
                (3, false) => self.attend_rows::<I, 3, 2, 2>(isa, blocks, at, states, o)?,
                (_, true) => self.attend_rows::<I, 4, 4, 4>(isa, blocks, at, states, o)?,
                (_, false) => self.attend_rows::<I, 4, 2, 2>(isa, blocks, at, states, o)?,
            };
        }
        Ok(())
    }

    /// `R` rows from `row` on against one block, in `C` chains a row, and `J` values at a time; `J` divides 16. The first
    /// of them ask for what is read next. Gives `R`.
    #[inline(always)]
    fn attend_rows<I: Isa, const R: usize, const C: usize, const J: usize>(
        &self,
        isa: I,
        (block, ahead): (&Block<E>, &Block<E>),
        (row, place): (usize, &Place),
        states: &mut [State],
        o: &mut [Line],
    ) -> Result<usize, Error> {
        let &Place { b, kv, keys, .. } = place;
        let ahead = (row == 0).then_some(ahead);
        let Shape {
            h_kv, n, d_k, d_v, ..
        } = self.shape;
        let (q_lines, o_lines) = (lines_for(d_k), lines_for(d_v));
        let q = &self.q[((b * h_kv + kv) * self.rows() + row) * q_lines..];
        let q: [&[f32]; R] = std::array::from_fn(|r| Line::flat(&q[r * q_lines..][..q_lines]));
        let mut weights = [[Line::ZERO; BLOCK / Line::LEN]; R];
        self.scores::<I, R, C>(isa, &q, (block, ahead), place.ahead, &mut weights);

        let mut all_visible = true;
        for r in 0..R {
            let query = (row + r) % n;
            let mut visible = self.scoring.mask.visible(query, keys);
            // What stands beyond the block's last key is not the key of that position.
            visible.end = visible.end.min(block.keys.end);
            all_visible &= visible.start <= block.keys.start && block.full_end() <= visible.end;
            let at = TileAt {
                query,
                key: block.keys.start,
            };
            let h = kv * self.shape.group() + (row + r) / n;
            let head = match place.has_options {
                true => Some(HeadScoring::new(self.scoring, &self.shape, b, h)?),
                false => None,
            };
            let o = &mut o[(row + r) * o_lines..][..o_lines];
            weigh(
                isa,
                &mut weights[r],
                &mut states[row + r],
                o,
                (at, head.as_ref(), visible),
            );
        }

        let mut rows = o[row * o_lines..].chunks_exact_mut(o_lines);
        let mut o: [&mut [Line]; R] = std::array::from_fn(|_| rows.next().expect("a row each"));
        if all_visible {
            for j in (0..BLOCK).step_by(J) {
                if let Some(ahead) = ahead {
                    block.ask(isa, ahead, BLOCK + j + place.ahead, J);
                }
                let values: [&[E]; J] = std::array::from_fn(|i| block.v[j + i]);
                let mut w = [[0.0; J]; R];
                for r in 0..R {
                    for i in 0..J {
                        w[r][i] = weights[r][(j + i) / Line::LEN].0[(j + i) % Line::LEN];
                    }
                }
                add_values::<I, E, R, J>(isa, w, values, &mut o);
            }
        } else {
            // Each row over its visible keys alone: a weight of 0 does not hide a value that is not finite.
            for r in 0..R {
                let visible = self.scoring.mask.visible((row + r) % n, keys);
                for key in block.keys.clone().filter(|key| visible.contains(key)) {
                    let j = key - block.keys.start;
                    let weight = weights[r][j / Line::LEN].0[j % Line::LEN];
                    add_values::<I, E, 1, 1>(isa, [[weight]], [block.v[j]], &mut [&mut *o[r]]);
                }
            }
        }
        Ok(R)
    }

    /// `scores[r][j]` = q_r · k_j of one block.
    #[inline(always)]
    fn scores<I: Isa, const R: usize, const C: usize>(
        &self,
        isa: I,
        q: &[&[f32]; R],
        (block, ahead): (&Block<E>, Option<&Block<E>>),
        rows_ahead: usize,
        scores: &mut [[Line; BLOCK / Line::LEN]; R],
    ) {
        let mut sums = [[isa.splat(0.0); 16]; R];
        for line in 0..BLOCK / Line::LEN {
            for j in 0..Line::LEN {
                let at = line * Line::LEN + j;
                if let Some(ahead) = ahead {
                    block.ask(isa, ahead, at + rows_ahead, 1);
                }
                let dots = dots::<I, E, R, C>(isa, q, block.k[at]);
                for r in 0..R {
                    sums[r][j] = dots[r];
                }
            }
            for r in 0..R {
                scores[r][line] = isa.sum_each(&sums[r]);
            }
        }
    }
}

/// Consecutive keys of one head and their values, as they lie in the cache.
struct Block<'a, E> {
    keys: Range<usize>,
    /// Beyond the last key its first is repeated.
    k: [&'a [E]; BLOCK],
    v: [&'a [E]; BLOCK],
}

/// The head that a chunk belongs to.
struct Place {
    b: usize,
    kv: usize,
    /// Keys of the batch element that are real.
    keys: usize,
    /// Whether a score needs more than its product.
    has_options: bool,
    /// How many rows are asked for before they are read, at most [`BLOCK`].
    ahead: usize,
}

impl<'a, E: Element> Block<'a, E> {
    /// No rows.
    const EMPTY: Block<'static, E> = Block {
        keys: 0..0,
        k: [&[]; BLOCK],
        v: [&[]; BLOCK],
    };

    /// Becomes the block of these keys, in place, because it is large.
    #[inline(always)]
    fn load(&mut self, keys: Range<usize>, [k, v]: [Head<'a, E>; 2]) {
        for (head, rows) in [(k, &mut self.k), (v, &mut self.v)] {
            head.rows(keys.start, &mut rows[..keys.len()]);
            let first = rows[0];
            rows[keys.len()..].fill(first);
        }
        self.keys = keys;
    }

    /// Asks for `rows` rows from the `first` on, counted from the block's first key through its values to the keys of the
    /// block that is read next.
    #[inline(always)]
    fn ask<I: Isa>(&self, isa: I, next: &Block<E>, first: usize, rows: usize) {
        for at in first..first + rows {
            isa.prefetch(match at / BLOCK {
                0 => self.k[at],
                1 => self.v[at % BLOCK],
                _ => next.k[at % BLOCK],
            });
        }
    }

    /// Where the block would end if it were full.
    fn full_end(&self) -> usize {
        self.keys.start.saturating_add(BLOCK)
    }
}

/// Turns a row's products with the keys of a block into weights, and adds these to the row's sum.
#[inline(always)]
fn weigh<I: Isa>(
    isa: I,
    scores: &mut [Line; BLOCK / Line::LEN],
    state: &mut State,
    o: &mut [Line],
    (at, head, visible): (TileAt, Option<&HeadScoring>, Range<usize>),
) {
    let mut top = isa.splat(f32::MIN);
    for (l, line) in scores.iter_mut().enumerate() {
        for part in 0..Line::LEN / I::LANES {
            let offset = l * Line::LEN + part * I::LANES;
            let at = TileAt {
                query: at.query,
                key: at.key + offset,
            };
            let mut row = [isa.load(line.part(part, I::LANES))];
            if let Some(head) = head {
                apply_options_to_row(isa, &mut row, at, head);
            }
            if at.key < visible.start || at.key + I::LANES > visible.end {
                hide_in_row(isa, &mut row, at.key, visible.clone());
            }
            // The order of `max` passes over NaN, whose weights are NaN whatever the reference.
            top = isa.max(row[0], top);
            isa.store(row[0], line.part_mut(part, I::LANES));
        }
    }
    let reference = isa.splat(state.reference);
    if isa.any(isa.less(isa.splat(HEADROOM), isa.sub(top, reference))) {
        let top = isa.largest(top);
        if state.reference > f32::MIN {
            let factor = isa.splat((state.reference - top).exp2());
            for line in o.iter_mut().chain([&mut state.sums]) {
                for part in 0..Line::LEN / I::LANES {
                    let x = isa.load(line.part(part, I::LANES));
                    isa.store(isa.mul(x, factor), line.part_mut(part, I::LANES));
                }
            }
        }
        state.reference = top;
    }
    let reference = isa.splat(state.reference);
    let mut sum = isa.load(&state.sums.0);
    for line in scores.iter_mut() {
        for part in 0..Line::LEN / I::LANES {
            let score = isa.load(line.part(part, I::LANES));
            let weight = exp2_bounded(isa, isa.sub(score, reference));
            sum = isa.add(sum, weight);
            isa.store(weight, line.part_mut(part, I::LANES));
        }
    }
    isa.store(sum, &mut state.sums.0);
}
