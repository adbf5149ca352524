//! Gradients that several tasks have a share in, added up in a fixed order whoever is done first.

use std::ops::Range;
use std::sync::Mutex;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};

use super::partition::Part;

/// Rows of a gradient, and the shares that came before their turn: no more than there are threads, about.
#[derive(Debug)]
pub(super) struct Ordered<'g> {
    out: ArrayViewMut2<'g, f32>,
    /// Whose turn it is.
    turn: usize,
    waiting: Vec<Share>,
}

/// Something to add when its turn comes.
#[derive(Debug)]
struct Share {
    turn: usize,
    rows: Range<usize>,
    values: Array2<f32>,
}

impl<'g> Ordered<'g> {
    /// Sums to which nothing has been added; the first that is overwrites what is there.
    fn new(out: ArrayViewMut2<'g, f32>) -> Ordered<'g> {
        Ordered {
            out,
            turn: 0,
            waiting: Vec::new(),
        }
    }

    /// Adds `values` to `rows`, after those of the turns before `turn`. Each turn comes once.
    pub(super) fn add(&mut self, turn: usize, rows: Range<usize>, values: ArrayView2<f32>) {
        if turn != self.turn {
            self.waiting.push(Share {
                turn,
                rows,
                values: values.to_owned(),
            });
            return;
        }
        self.add_now(rows, values);
        while let Some(at) = self
            .waiting
            .iter()
            .position(|share| share.turn == self.turn)
        {
            let Share { rows, values, .. } = self.waiting.swap_remove(at);
            self.add_now(rows, values.view());
        }
    }

    /// Adds what is in turn.
    fn add_now(&mut self, rows: Range<usize>, values: ArrayView2<f32>) {
        if self.turn == 0 {
            self.out.slice_mut(s![..rows.start, ..]).fill(0.0);
            self.out.slice_mut(s![rows.end.., ..]).fill(0.0);
            self.out.slice_mut(s![rows, ..]).assign(&values);
        } else {
            let mut out = self.out.slice_mut(s![rows, ..]);
            out += &values;
        }
        self.turn += 1;
    }
}

/// Where all tasks add their gradients.
pub(super) struct Outs<'g> {
    /// For each head, \[N, d_k\]; the parts take turns.
    pub(super) dq: Vec<Mutex<Ordered<'g>>>,
    /// For each key/value head and part, \[the part's keys, d_k\]; the heads of the group take turns.
    pub(super) dk: Vec<Vec<Mutex<Ordered<'g>>>>,
    /// Likewise, \[the part's keys, d_v\].
    pub(super) dv: Vec<Vec<Mutex<Ordered<'g>>>>,
}

/// A matrix for each head.
type Views<'g> = Vec<ArrayViewMut2<'g, f32>>;

impl<'g> Outs<'g> {
    /// The gradients of all heads and key/value heads in the pieces that `parts`, the parts of each head, give them. What no
    /// part adds to is set to 0.
    pub(super) fn new(
        group: usize,
        parts: &[Vec<Part>],
        (dq, dk, dv): (Views<'g>, Views<'g>, Views<'g>),
    ) -> Outs<'g> {
        let of_kv_heads = |gradient: Views<'g>| {
            let parts = parts.iter().step_by(group);
            gradient
                .into_iter()
                .zip(parts)
                .map(|(out, parts)| by_part(out, parts))
                .collect()
        };
        let whole = |(mut out, parts): (ArrayViewMut2<'g, f32>, &Vec<Part>)| {
            if parts.is_empty() {
                out.fill(0.0);
            }
            Mutex::new(Ordered::new(out))
        };
        Outs {
            dq: dq.into_iter().zip(parts).map(whole).collect(),
            dk: of_kv_heads(dk),
            dv: of_kv_heads(dv),
        }
    }
}

/// The rows of each part's keys; those in no part, which nobody sees, are set to 0.
fn by_part<'g>(out: ArrayViewMut2<'g, f32>, parts: &[Part]) -> Vec<Mutex<Ordered<'g>>> {
    let (mut rest, mut first) = (out, 0);
    let mut pieces = Vec::with_capacity(parts.len());
    for part in parts {
        let (mut passed, after) = rest.split_at(Axis(0), part.keys.start - first);
        passed.fill(0.0);
        let (piece, after) = after.split_at(Axis(0), part.keys.len());
        pieces.push(Mutex::new(Ordered::new(piece)));
        (rest, first) = (after, part.keys.end);
    }
    rest.fill(0.0);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounding tells one order from another.
    #[test]
    fn sums_do_not_depend_on_who_comes_first() {
        let terms = [1.0f32, 1e8, -1e8, 3.0];
        let sum = |order: [usize; 4]| {
            let mut out = Array2::from_elem((3, 1), f32::NAN);
            let mut ordered = Ordered::new(out.view_mut());
            for turn in order {
                ordered.add(turn, 1..3, Array2::from_elem((2, 1), terms[turn]).view());
            }
            out.into_raw_vec_and_offset().0
        };
        let expected = ((terms[0] + terms[1]) + terms[2]) + terms[3];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            assert_eq!(sum(order), [0.0, expected, expected], "{order:?}");
        }
    }
}
