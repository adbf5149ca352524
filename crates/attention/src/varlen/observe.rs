//! Statistics of the weights of packed sequences.

use ndarray::{ArrayView2, ArrayView3, Axis, s};

use super::call::validate;
use super::sequences::{Sequence, Sequences};
use crate::observe::{self, Observer};
use crate::shape::same_dims;
use crate::{Element, Error, InstructionSet, Scoring};

/// Shows the weights of each sequence of q \[H, N, d_k\] on k \[H_kv, M, d_k\] to an observer of its own, `observer(i, …)`
/// for sequence `i`.
///
/// `lse` \[H, N\] is what the forward pass gave for the same sequences and scoring. What is found of each sequence is
/// what [`observe`](observe::observe()) finds of it alone, with B = 1 and its own N and M; `None` for a sequence without queries
/// or without keys, which has no weights.
///
/// Sequences are walked one after the other, each on all threads: short ones do not fill them.
///
/// # Errors
/// As [`forward`](super::forward()); and what an observer rejects.
pub fn observe<E: Element, O: Observer>(
    q: ArrayView3<f32>,
    k: ArrayView3<E>,
    lse: ArrayView2<f32>,
    sequences: &Sequences,
    scoring: &Scoring,
    observer: impl FnMut(usize, &Sequence) -> O,
) -> Result<Vec<Option<O::Output>>, Error> {
    let set = InstructionSet::best();
    observe_on(set, (q, k, lse), sequences, scoring, observer)
}

/// [`observe()`] of (q, k, lse) on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`observe()`].
pub fn observe_on<E: Element, O: Observer>(
    set: InstructionSet,
    (q, k, lse): (ArrayView3<f32>, ArrayView3<E>, ArrayView2<f32>),
    sequences: &Sequences,
    scoring: &Scoring,
    mut observer: impl FnMut(usize, &Sequence) -> O,
) -> Result<Vec<Option<O::Output>>, Error> {
    validate((q.dim(), k.dim(), k.dim()), sequences, scoring)?;
    same_dims(&["H", "N"], ("lse", lse.shape()), ("q", q.shape()))?;
    let mut found = Vec::with_capacity(sequences.len());
    for (i, sequence) in sequences.iter().enumerate() {
        let Sequence { queries, keys, .. } = sequence.clone();
        if queries.is_empty() || keys.is_empty() {
            found.push(None);
            continue;
        }
        let operands = (
            q.slice(s![.., queries.clone(), ..]).insert_axis(Axis(0)),
            k.slice(s![.., keys, ..]).insert_axis(Axis(0)),
            lse.slice(s![.., queries]).insert_axis(Axis(0)),
        );
        let scoring = sequence.scoring(scoring);
        let observer = observer(i, &sequence);
        let of_sequence = observe::observe_on(set, operands, &scoring, &[], &observer)?;
        found.push(Some(of_sequence));
    }
    Ok(found)
}
