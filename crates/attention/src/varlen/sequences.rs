//! Which tokens belong to which sequence.

use std::ops::Range;

use crate::shape::same;
use crate::{Error, Mask, Scoring};

/// Cumulative lengths of sequences of these `lengths`: `[0, n_1, n_1 + n_2, …]`.
///
/// ```
/// use lookback_attention::varlen::cu_seqlens;
/// assert_eq!(cu_seqlens([4, 0, 2]), [0, 4, 4, 6]);
/// ```
pub fn cu_seqlens(lengths: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut cu_seqlens = vec![0];
    let mut sum = 0usize;
    for length in lengths {
        // More tokens than can be counted are more than any array has.
        sum = sum.saturating_add(length);
        cu_seqlens.push(sum);
    }
    cu_seqlens
}

/// Where the sequences of a packed batch begin and end: cumulative lengths, `[0, n_1, n_1 + n_2, …]`, of the queries and of
/// the keys.
///
/// Sequence `i` has the queries from entry `i` to entry `i + 1`, and likewise the keys; it may have no queries, or no keys, or
/// neither. B sequences have B + 1 entries; [`cu_seqlens`] makes them from the lengths.
///
/// Positions are counted within a sequence. Where it has as many queries as keys, query `i` and key `i` stand at the same
/// place, and [`Scoring`]'s mask means what it means for one sequence alone. Where it has not, the constructor says where the
/// queries stand:
///
/// | constructor | query `i` of n stands at key | as in |
/// | --- | --- | --- |
/// | [`new`](Sequences::new) | i + offset, n = m | self-attention |
/// | [`at_end`](Sequences::at_end) | i + offset + m − n: the queries are the last n of the m keys | FlashAttention from 2.1 on, [`Mask::causal_at_end`] |
/// | [`at_start`](Sequences::at_start) | i + offset | PyTorch's `is_causal`, and this crate's masks as they are |
///
/// The offset is the mask's own, 0 by default. [`Mask::None`] has no positions: all constructors are the same to it, and
/// ALiBi then counts the distance |i − j| from the sequence's first query and key.
///
/// ```
/// use lookback_attention::Mask;
/// use lookback_attention::varlen::Sequences;
///
/// // Three sequences, of 4, 0 and 2 tokens.
/// let sequences = Sequences::new(&[0, 4, 4, 6])?;
/// assert_eq!(sequences.len(), 3);
/// assert_eq!(sequences.iter().last().map(|last| last.keys), Some(4..6));
///
/// // The last 1 and 2 tokens of 5 and 3, the others being in a cache.
/// let sequences = Sequences::at_end(&[0, 1, 3], &[0, 5, 8])?;
/// let masks: Vec<_> = sequences.iter().map(|sequence| sequence.mask(Mask::default())).collect();
/// assert_eq!(masks, [Mask::causal_at_end(1, 5), Mask::causal_at_end(2, 3)]);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequences<'a> {
    /// \[B + 1\], from 0 on, never decreasing.
    queries: &'a [usize],
    /// \[B + 1\], likewise.
    keys: &'a [usize],
    align: Align,
}

/// Where a sequence's queries stand among its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Start,
    End,
}

/// One sequence of a packed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// Its queries, of all packed ones.
    pub queries: Range<usize>,
    /// Its keys, of all packed ones.
    pub keys: Range<usize>,
    /// What the mask's offset is moved by.
    offset: isize,
}

const QUERIES: &str = "the queries' cumulative lengths";
const KEYS: &str = "the keys' cumulative lengths";

impl<'a> Sequences<'a> {
    /// Sequences whose queries and keys are the same tokens.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] if there is no entry, [`Error::CumulativeLengthsStart`] if the first is not 0,
    /// [`Error::CumulativeLengthsFall`] if one is less than the one before it.
    pub fn new(cu_seqlens: &'a [usize]) -> Result<Sequences<'a>, Error> {
        Sequences::at_start(cu_seqlens, cu_seqlens)
    }

    /// Sequences whose queries are the last of their keys.
    ///
    /// # Errors
    /// As [`new`](Sequences::new); also [`Error::ShapeMismatch`] if the queries have another number of sequences than
    /// the keys.
    pub fn at_end(
        cu_seqlens_q: &'a [usize],
        cu_seqlens_k: &'a [usize],
    ) -> Result<Sequences<'a>, Error> {
        Sequences::validated(cu_seqlens_q, cu_seqlens_k, Align::End)
    }

    /// Sequences whose first query stands at their first key.
    ///
    /// # Errors
    /// As [`at_end`](Sequences::at_end).
    pub fn at_start(
        cu_seqlens_q: &'a [usize],
        cu_seqlens_k: &'a [usize],
    ) -> Result<Sequences<'a>, Error> {
        Sequences::validated(cu_seqlens_q, cu_seqlens_k, Align::Start)
    }

    fn validated(
        queries: &'a [usize],
        keys: &'a [usize],
        align: Align,
    ) -> Result<Sequences<'a>, Error> {
        never_falls(QUERIES, queries)?;
        never_falls(KEYS, keys)?;
        same("B + 1", (QUERIES, queries.len()), (KEYS, keys.len()))?;
        Ok(Sequences {
            queries,
            keys,
            align,
        })
    }

    /// B, the number of sequences.
    pub fn len(&self) -> usize {
        self.queries.len() - 1
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sequences in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sequence> + DoubleEndedIterator {
        let align = self.align;
        let pairs = self.queries.windows(2).zip(self.keys.windows(2));
        pairs.map(move |(queries, keys)| {
            let (queries, keys) = (queries[0]..queries[1], keys[0]..keys[1]);
            let offset = match align {
                Align::Start => 0,
                Align::End => (keys.len() as isize).saturating_sub(queries.len() as isize),
            };
            Sequence {
                queries,
                keys,
                offset,
            }
        })
    }

    /// Rejects sequences that do not end where `n` queries and `m` keys do.
    pub(super) fn end_at(&self, n: usize, m: usize) -> Result<(), Error> {
        for (list, lengths, tokens) in [(QUERIES, self.queries, n), (KEYS, self.keys, m)] {
            let last = lengths[lengths.len() - 1];
            if last != tokens {
                return Err(Error::CumulativeLengthsEnd { list, last, tokens });
            }
        }
        Ok(())
    }
}

impl Sequence {
    /// The mask of this sequence alone, if `mask` is that of the batch. [`Mask::Ranges`] are counted from each sequence's first
    /// key, as all positions are: those of the longest sequence serve for all.
    pub fn mask(&self, mask: Mask) -> Mask {
        mask.moved(self.offset)
    }

    /// The scoring of this sequence alone, if `scoring` is that of the batch: for functions that take a single sequence,
    /// such as [`weights`](crate::weights::weights()).
    pub fn scoring<'a>(&self, scoring: &Scoring<'a>) -> Scoring<'a> {
        scoring.clone().with_mask(self.mask(scoring.mask.clone()))
    }
}

/// Rejects cumulative lengths that do not begin with 0, or that fall.
fn never_falls(list: &'static str, lengths: &[usize]) -> Result<(), Error> {
    let Some(&first) = lengths.first() else {
        return Err(Error::ZeroSize {
            dimension: "B + 1",
            operand: list,
        });
    };
    if first != 0 {
        return Err(Error::CumulativeLengthsStart { list, first });
    }
    match lengths.windows(2).position(|pair| pair[1] < pair[0]) {
        None => Ok(()),
        Some(at) => Err(Error::CumulativeLengthsFall {
            list,
            at: at + 1,
            before: lengths[at],
            length: lengths[at + 1],
        }),
    }
}
