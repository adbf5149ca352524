//! What the packed operations have in common: their dimensions, their options, their arrays cut into sequences.

use ndarray::{ArrayViewMut, Axis, Dimension};

use super::sequences::{Sequence, Sequences};
use crate::score::HeadScoring;
use crate::shape::{Shape, same};
use crate::{Error, Scoring};

type Dim3 = (usize, usize, usize);

/// The dimensions of a packed call, if everything fits: B is 1, N and M count all tokens and may be 0.
pub(super) fn validate(
    (q, k, v): (Dim3, Dim3, Dim3),
    sequences: &Sequences,
    scoring: &Scoring,
) -> Result<Shape, Error> {
    same("M", ("k", k.1), ("v", v.1))?;
    let at_least_one = |(heads, tokens, d): Dim3| (1, heads, tokens.max(1), d);
    let shape = Shape {
        n: q.1,
        m: k.1,
        ..Shape::new(at_least_one(q), at_least_one(k), at_least_one(v))?
    };
    if scoring.bias.is_some() {
        return Err(Error::NotForSequences {
            option: "a bias",
            instead: "compute each sequence with its own by a call for it alone",
        });
    }
    if scoring.key_lengths.is_some() {
        return Err(Error::NotForSequences {
            option: "key lengths",
            instead: "give each sequence only the keys that are real",
        });
    }
    scoring.validate_options(&shape)?;
    scoring.mask.validate(0)?;
    for sequence in sequences.iter() {
        let mask = sequence.mask(scoring.mask.clone());
        mask.validate(sequence.queries.len())?;
    }
    sequences.end_at(shape.n, shape.m)?;
    Ok(shape)
}

/// The sequences that have queries.
pub(super) fn with_queries(sequences: &Sequences) -> impl Iterator<Item = Sequence> {
    sequences
        .iter()
        .filter(|sequence| !sequence.queries.is_empty())
}

/// The scorings of all heads of those sequences, sequence after sequence, each with its own mask and number of keys.
pub(super) fn scorings<'a>(
    shape: &Shape,
    sequences: &Sequences,
    scoring: &'a Scoring,
) -> Result<Vec<HeadScoring<'a>>, Error> {
    let heads = HeadScoring::of_batch(scoring, shape)?;
    let of_sequence = |sequence: Sequence| {
        let mask = sequence.mask(scoring.mask.clone());
        let keys = sequence.keys.len();
        let of_head = move |head: &HeadScoring<'a>| HeadScoring {
            mask: mask.clone(),
            keys,
            ..*head
        };
        heads.iter().map(of_head)
    };
    Ok(with_queries(sequences).flat_map(of_sequence).collect())
}

/// A view cut along axis 1 into pieces of those lengths, which sum up to at most what there is.
pub(super) fn cut<D: Dimension>(
    view: ArrayViewMut<f32, D>,
    lengths: impl Iterator<Item = usize>,
) -> Vec<ArrayViewMut<f32, D>> {
    let mut rest = view;
    let mut pieces = Vec::new();
    for len in lengths {
        let (piece, after) = rest.split_at(Axis(1), len);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
