//! The queries of a group against a block of keys.

use super::block::{BLOCK, Block};
use super::chunk::{Call, HeadAt};
use super::products::{add_value, dots};
use super::weigh::Scores;
use super::workspace::State;
use crate::isa::{Isa, Line, lines_for};
use crate::{Element, Error};

impl<E: Element> Call<'_, '_, '_, E> {
    /// Every row of the group against one block, as many rows at a time as registers hold.
    #[inline(always)]
    pub(super) fn attend_block<I: Isa>(
        &self,
        isa: I,
        block: &Block<E>,
        head: &HeadAt,
        states: &mut [State],
        o: &mut [Line],
    ) -> Result<(), Error> {
        // Sixteen registers hold two chains for each of three or four queries, thirty-two hold four.
        let many = I::LANES == 16;
        let mut row = 0;
        while row < states.len() {
            let at = (head, row);
            row += match (states.len() - row, many) {
                (1, _) => self.attend_rows::<I, 1, 4>(isa, block, at, states, o)?,
                (2, _) => self.attend_rows::<I, 2, 4>(isa, block, at, states, o)?,
                (3, true) => self.attend_rows::<I, 3, 4>(isa, block, at, states, o)?,
                (3, false) => self.attend_rows::<I, 3, 2>(isa, block, at, states, o)?,
                (_, true) => self.attend_rows::<I, 4, 4>(isa, block, at, states, o)?,
                (_, false) => self.attend_rows::<I, 4, 2>(isa, block, at, states, o)?,
            };
        }
        Ok(())
    }

    /// `R` rows from `row` on, in `C` chains each. Gives `R`.
    #[inline(always)]
    fn attend_rows<I: Isa, const R: usize, const C: usize>(
        &self,
        isa: I,
        block: &Block<E>,
        (head, row): (&HeadAt, usize),
        states: &mut [State],
        o: &mut [Line],
    ) -> Result<usize, Error> {
        let (q_lines, o_lines) = (lines_for(self.shape.d_k), lines_for(self.shape.d_v));
        let q = &head.q[row * q_lines..];
        let q: [&[f32]; R] = std::array::from_fn(|r| Line::flat(&q[r * q_lines..][..q_lines]));
        let mut weights = products::<I, E, R, C>(isa, &q, block);

        let mut rows = o[row * o_lines..].chunks_exact_mut(o_lines);
        let mut o: [&mut [Line]; R] = std::array::from_fn(|_| rows.next().expect("a row each"));
        let mut all_visible = true;
        for r in 0..R {
            let of_row = (&mut states[row + r], &mut *o[r]);
            let visible = self.weigh(isa, (head, row + r), block, &mut weights[r], of_row)?;
            all_visible &= block.is_within(&visible);
        }
        if all_visible {
            for j in 0..BLOCK {
                let mut w = [0.0; R];
                for r in 0..R {
                    w[r] = weights[r][j / Line::LEN].0[j % Line::LEN];
                }
                add_value(isa, &w, block.v[j], &mut o);
            }
        } else {
            // Each row over its visible keys alone: a weight of 0 does not hide a value that is not finite.
            for r in 0..R {
                let visible = self
                    .scoring
                    .mask
                    .visible((row + r) % self.shape.n, head.keys);
                for key in block.keys.clone().filter(|key| visible.contains(key)) {
                    let j = key - block.keys.start;
                    let weight = weights[r][j / Line::LEN].0[j % Line::LEN];
                    add_value(isa, &[weight], block.v[j], &mut [&mut *o[r]]);
                }
            }
        }
        Ok(R)
    }
}

/// q_r · k_j of every key of a block.
#[inline(always)]
fn products<I: Isa, E: Element, const R: usize, const C: usize>(
    isa: I,
    q: &[&[f32]; R],
    block: &Block<E>,
) -> [Scores; R] {
    let mut scores = [[Line::ZERO; BLOCK / Line::LEN]; R];
    let mut sums = [[isa.splat(0.0); Line::LEN]; R];
    for line in 0..BLOCK / Line::LEN {
        for j in 0..Line::LEN {
            let dots = dots::<I, E, R, C>(isa, q, block.k[line * Line::LEN + j]);
            for r in 0..R {
                sums[r][j] = dots[r];
            }
        }
        for r in 0..R {
            scores[r][line] = isa.sum_each(&sums[r]);
        }
    }
    scores
}
