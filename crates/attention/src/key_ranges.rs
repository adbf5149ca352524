//! One range of keys for each query: what a mask is where no formula says it.

use std::ops::Range;
use std::sync::Arc;

use ndarray::ArrayView2;

use crate::Error;

/// One range of keys for each query, of which neither end ever moves back from one query to the next.
///
/// Chunked windows, a prefix that sees itself whole, padding and packed documents are such masks. The kernels take a query's
/// keys for one run and rely on that order, so that a mask with holes, or whose ranges go back and forth, is refused. Copies
/// share the ranges.
///
/// ```
/// use lookback_attention::{KeyRanges, Mask};
/// // Two documents of 2 and 3 tokens in one text, each seen by its own tokens alone.
/// let ranges = KeyRanges::new([0..2, 0..2, 2..5, 2..5, 2..5])?;
/// let mask = Mask::Ranges { ranges, offset: 0 };
/// assert_eq!(mask.visible(1, 5), 0..2);
/// assert_eq!(mask.visible(2, 5), 2..5);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRanges(Arc<[[u32; 2]]>);

impl KeyRanges {
    /// Takes a range of keys for each query. A query without keys has an empty range, at a place where neither end moves back.
    ///
    /// # Errors
    /// [`Error::KeyRange`] where a range ends before it starts or an end moves back, and [`Error::TooLarge`] for keys beyond
    /// 2³² − 1.
    pub fn new(ranges: impl IntoIterator<Item = Range<usize>>) -> Result<KeyRanges, Error> {
        let mut before = 0..0;
        let checked = ranges.into_iter().enumerate().map(|(query, range)| {
            let refused = |reason| Error::KeyRange {
                query,
                start: range.start,
                end: range.end,
                reason,
            };
            if range.start > range.end {
                return Err(refused("it ends before it starts"));
            }
            if range.start < before.start || range.end < before.end {
                return Err(refused(
                    "it begins or ends before the range of the query before it does, which no kernel supports",
                ));
            }
            before = range.clone();
            let place = |key: usize| {
                u32::try_from(key).map_err(|_| Error::TooLarge {
                    operand: "a range of keys",
                })
            };
            Ok([place(range.start)?, place(range.end)?])
        });
        Ok(KeyRanges(checked.collect::<Result<_, Error>>()?))
    }

    /// The ranges of a mask \[N, M\] that says of each query and key whether it is seen.
    ///
    /// # Errors
    /// [`Error::MaskWithHoles`] where a query's keys are not one run, and as [`new`](KeyRanges::new).
    pub fn of_mask(seen: ArrayView2<bool>) -> Result<KeyRanges, Error> {
        let mut end = 0;
        let ranges = seen.outer_iter().enumerate().map(|(query, row)| {
            let first = row.iter().position(|&seen| seen);
            let last = row.iter().rposition(|&seen| seen);
            let range = match first.zip(last) {
                Some((first, last)) => first..last + 1,
                None => end..end,
            };
            end = range.end;
            match range.clone().find(|&key| !row[key]) {
                Some(key) => Err(Error::MaskWithHoles { query, key }),
                None => Ok(range),
            }
        });
        KeyRanges::new(ranges.collect::<Result<Vec<_>, _>>()?)
    }

    /// How many queries have a range.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no query has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The range of a query.
    pub fn get(&self, query: usize) -> Option<Range<usize>> {
        self.0
            .get(query)
            .map(|&[start, end]| start as usize..end as usize)
    }

    /// The ranges in the order of the queries.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<usize>> + DoubleEndedIterator {
        self.0
            .iter()
            .map(|&[start, end]| start as usize..end as usize)
    }

    /// The range at a position, within 0..m; empty where there is none.
    #[inline]
    pub(crate) fn visible(&self, position: isize, m: usize) -> Range<usize> {
        match (usize::try_from(position), self.0.last()) {
            (Ok(row), Some(&[_, last])) => {
                let [start, end] = self.0.get(row).copied().unwrap_or([last; 2]);
                (start as usize).min(m)..(end as usize).min(m)
            }
            _ => 0..0,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn other_masks_are_refused_by_name() {
        let refused = |ranges: &[Range<usize>]| KeyRanges::new(ranges.iter().cloned()).unwrap_err();
        #[expect(clippy::reversed_empty_ranges, reason = "it is what is refused")]
        let reversed = refused(&[0..1, 3..2]);
        assert_eq!(
            reversed.to_string(),
            "the keys of query 1 are 3..2: it ends before it starts"
        );
        for back in [refused(&[1..4, 0..4]), refused(&[0..4, 0..3])] {
            assert!(back.to_string().contains("no kernel supports"), "{back}");
        }
        let beyond = refused(std::slice::from_ref(&(0..usize::MAX)));
        assert!(matches!(beyond, Error::TooLarge { .. }));
        let holes = array![[true, false, false], [true, false, true]];
        assert_eq!(
            KeyRanges::of_mask(holes.view()).unwrap_err(),
            Error::MaskWithHoles { query: 1, key: 1 }
        );
    }

    #[test]
    fn a_mask_of_ones_and_zeros_has_its_ranges() {
        let seen = array![
            [false, false, false, false],
            [false, true, false, false],
            [false, false, false, false],
            [false, false, true, true],
        ];
        let ranges = KeyRanges::of_mask(seen.view()).unwrap();
        for (range, row) in ranges.iter().zip(seen.outer_iter()) {
            for (j, &seen) in row.iter().enumerate() {
                assert_eq!(range.contains(&j), seen);
            }
        }
        assert_eq!((ranges.len(), ranges.is_empty()), (4, false));
    }
}
