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
        };
        let block = |start: usize, end: usize| Block::new(start..end.min(start + BLOCK), [k, v]);
        let mut now = block(first, end);
        for start in (first..end).step_by(BLOCK) {
            // What is read next, also where that is the next chunk's.
            let next = start.saturating_add(BLOCK);
            let ahead = block(if next < keys { next } else { start }, keys);
            self.attend_block(isa, (&now, &ahead), &place, states, o)?;
            now = block(next.min(end - 1), end);
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
                (1, _) => self.attend_rows::<I, 1, 4>(isa, blocks, at, states, o)?,
                (2, _) => self.attend_rows::<I, 2, 4>(isa, blocks, at, states, o)?,
                (3, true) => self.attend_rows::<I, 3, 4>(isa, blocks, at, states, o)?,
                (3, false) => self.attend_rows::<I, 3, 2>(isa, blocks, at, states, o)?,
                (_, true) => self.attend_rows::<I, 4, 4>(isa, blocks, at, states, o)?,
                (_, false) => self.attend_rows::<I, 4, 2>(isa, blocks, at, states, o)?,
            };
        }
        Ok(())
    }

    /// `R` rows from `row` on against one block, `J` keys at a time; `J` divides 16. The first of them ask for the
    /// block that is read next. Gives `R`.
    #[inline(always)]
    fn attend_rows<I: Isa, const R: usize, const J: usize>(
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
        let q: [&[Line]; R] = std::array::from_fn(|r| &q[r * q_lines..][..q_lines]);
        let mut weights = [[Line::ZERO; BLOCK / Line::LEN]; R];
        self.scores::<I, R, J>(isa, q, (block, ahead), &mut weights);

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
                ask(isa, ahead.map(|ahead| &ahead.v[j..j + J]));
                let values: [&[E]; J] = std::array::from_fn(|i| block.v[j + i]);
                let mut w = [[0.0; J]; R];
                for r in 0..R {
                    for i in 0..J {
                        w[r][i] = weights[r][(j + i) / Line::LEN].0[(j + i) % Line::LEN];
                    }
                }
                add_values::<I, E, R, J>(isa, w, values, o.each_mut().map(|o| &mut **o));
            }
        } else {
            // Each row over its visible keys alone: a weight of 0 does not hide a value that is not finite.
            for r in 0..R {
                let visible = self.scoring.mask.visible((row + r) % n, keys);
                for key in block.keys.clone().filter(|key| visible.contains(key)) {
                    let j = key - block.keys.start;
                    let weight = weights[r][j / Line::LEN].0[j % Line::LEN];
                    add_values::<I, E, 1, 1>(isa, [[weight]], [block.v[j]], [&mut *o[r]]);
                }
            }
        }
        Ok(R)
    }

    /// `scores[r][j]` = q_r · k_j of one block.
    #[inline(always)]
    fn scores<I: Isa, const R: usize, const J: usize>(
        &self,
        isa: I,
        q: [&[Line]; R],
        (block, ahead): (&Block<E>, Option<&Block<E>>),
        scores: &mut [[Line; BLOCK / Line::LEN]; R],
    ) {
        for line in 0..BLOCK / Line::LEN {
            let mut sums = [[isa.splat(0.0); 16]; R];
            for j in (0..Line::LEN).step_by(J) {
                let at = line * Line::LEN + j;
                ask(isa, ahead.map(|ahead| &ahead.k[at..at + J]));
                let keys: [&[E]; J] = std::array::from_fn(|i| block.k[at + i]);
                dots::<I, E, R, J>(isa, q, keys, &mut sums, j);
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
}

/// Brings rows nearer that are read soon.
#[inline(always)]
fn ask<I: Isa, E>(isa: I, rows: Option<&[&[E]]>) {
    for row in rows.unwrap_or(&[]) {
        isa.prefetch(row);
    }
}

impl<'a, E: Element> Block<'a, E> {
    #[inline(always)]
    fn new(keys: Range<usize>, [k, v]: [Head<'a, E>; 2]) -> Block<'a, E> {
        let mut block = Block {
            keys: keys.clone(),
            k: [&[]; BLOCK],
            v: [&[]; BLOCK],
        };
        for (head, rows) in [(k, &mut block.k), (v, &mut block.v)] {
            head.rows(keys.start, &mut rows[..keys.len()]);
            let first = rows[0];
            rows[keys.len()..].fill(first);
        }
        block
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
