//! Which keys a query may see.

use std::ops::Range;

use crate::{Error, KeyRanges};

/// Which keys a query may see; always one contiguous range of keys for each query.
///
/// Query `i` stands at key position `i + offset`. The offset is 0 where queries and keys are the same
/// tokens; where the N queries are the last of M keys it is M − N ([`Mask::causal_at_end`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mask {
    /// Every query sees every key (an encoder, or cross-attention).
    None,
    /// Query `i` sees the keys `j ≤ i + offset`: itself and what comes before it.
    Causal {
        /// Key position of query 0.
        offset: isize,
    },
    /// Query `i` sees the keys `j < i + offset`: only what comes before it. With offset 0 the first row sees nothing.
    StrictlyBefore {
        /// Key position of query 0.
        offset: isize,
    },
    /// Query `i` sees the keys `i + offset − window < j ≤ i + offset`: itself and the `window − 1` keys before it.
    Window {
        /// How many keys a query sees at most, itself included; at least 1.
        window: usize,
        /// Key position of query 0.
        offset: isize,
    },
    /// Query `i` sees the keys `|i + offset − j| ≤ radius`: itself and `radius` keys on both sides (an encoder with local
    /// layers).
    SymmetricWindow {
        /// How many keys a query sees at most on each side of itself.
        radius: usize,
        /// Key position of query 0.
        offset: isize,
    },
    /// Query `i` sees the keys of range `i + offset`: chunked windows, a prefix that sees itself whole, padding, packed
    /// documents. A query for which there is no range is an error.
    Ranges {
        /// One range of keys for each position.
        ranges: KeyRanges,
        /// Key position of query 0, and the range that is its own.
        offset: isize,
    },
}

impl Default for Mask {
    /// Causal, each token seeing itself, queries and keys aligned.
    fn default() -> Self {
        Mask::Causal { offset: 0 }
    }
}

impl Mask {
    /// The causal mask for `n` queries that are the last `n` of `m` keys: offset `m − n`.
    ///
    /// ```
    /// use lookback_attention::Mask;
    /// let mask = Mask::causal_at_end(2, 5);
    /// assert_eq!(mask.visible(0, 5), 0..4);
    /// assert_eq!(mask.visible(1, 5), 0..5);
    /// ```
    pub fn causal_at_end(n: usize, m: usize) -> Mask {
        Mask::Causal {
            offset: (m as isize).saturating_sub(n as isize),
        }
    }

    /// The keys that query `i` may see, of `m` keys: a range within `0..m`, empty (`start == end`) if it sees none.
    ///
    /// Both ends never decrease as `i` grows.
    ///
    /// ```
    /// use lookback_attention::Mask;
    /// let window = Mask::Window { window: 3, offset: 0 };
    /// assert_eq!(window.visible(1, 9), 0..2);
    /// assert_eq!(window.visible(5, 9), 3..6);
    /// assert!(Mask::StrictlyBefore { offset: 0 }.visible(0, 9).is_empty());
    /// ```
    pub fn visible(&self, i: usize, m: usize) -> Range<usize> {
        let at = |position: isize| usize::try_from(position).unwrap_or(0).min(m);
        let position = |offset: isize| (i as isize).saturating_add(offset);
        match self {
            Mask::None => 0..m,
            &Mask::Causal { offset } => 0..at(position(offset).saturating_add(1)),
            &Mask::StrictlyBefore { offset } => 0..at(position(offset)),
            &Mask::Window { window, offset } => {
                let end = position(offset).saturating_add(1);
                let window = isize::try_from(window).unwrap_or(isize::MAX);
                at(end.saturating_sub(window))..at(end)
            }
            &Mask::SymmetricWindow { radius, offset } => {
                let at_query = position(offset);
                let last = at_query.saturating_add_unsigned(radius);
                at(at_query.saturating_sub_unsigned(radius))..at(last.saturating_add(1))
            }
            Mask::Ranges { ranges, offset } => ranges.visible(position(*offset), m),
        }
    }

    /// Refuses a window of 0 keys, which no query could see anything through, and ranges that are not there for all of `n`
    /// queries.
    pub(crate) fn validate(&self, n: usize) -> Result<(), Error> {
        match self {
            Mask::Window { window: 0, .. } => Err(Error::ZeroSize {
                dimension: "window",
                operand: "the mask",
            }),
            Mask::Ranges { ranges, offset } if n > 0 => {
                let first = usize::try_from(*offset).ok();
                let end = first.and_then(|first| first.checked_add(n));
                match end.is_some_and(|end| end <= ranges.len()) {
                    true => Ok(()),
                    false => Err(Error::NoKeyRange {
                        first: *offset,
                        queries: n,
                        ranges: ranges.len(),
                    }),
                }
            }
            _ => Ok(()),
        }
    }

    /// The mask for queries that stand `by` keys further on; [`Mask::None`] has no positions.
    pub(crate) fn moved(mut self, by: isize) -> Mask {
        if let Some(offset) = self.offset_mut() {
            *offset = offset.saturating_add(by);
        }
        self
    }

    /// Key position of query 0; 0 for [`Mask::None`].
    pub fn offset(&self) -> isize {
        match *self {
            Mask::None => 0,
            Mask::Causal { offset }
            | Mask::StrictlyBefore { offset }
            | Mask::Window { offset, .. }
            | Mask::SymmetricWindow { offset, .. }
            | Mask::Ranges { offset, .. } => offset,
        }
    }

    /// The same, to be changed; [`Mask::None`] has none. Queries that follow `cached` others stand that much further on:
    ///
    /// ```
    /// use lookback_attention::Mask;
    /// let mut mask = Mask::Window { window: 3, offset: 0 };
    /// if let Some(offset) = mask.offset_mut() {
    ///     *offset += 4;
    /// }
    /// assert_eq!(mask.visible(0, 5), 2..5);
    /// ```
    pub fn offset_mut(&mut self) -> Option<&mut isize> {
        match self {
            Mask::None => None,
            Mask::Causal { offset }
            | Mask::StrictlyBefore { offset }
            | Mask::Window { offset, .. }
            | Mask::SymmetricWindow { offset, .. }
            | Mask::Ranges { offset, .. } => Some(offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inequalities of the variants' documentation, key by key.
    fn sees(mask: &Mask, i: i128, j: i128) -> bool {
        match *mask {
            Mask::None => true,
            Mask::Causal { offset } => j <= i + offset as i128,
            Mask::StrictlyBefore { offset } => j < i + offset as i128,
            Mask::Window { window, offset } => {
                let p = i + offset as i128;
                p - (window as i128) < j && j <= p
            }
            Mask::SymmetricWindow { radius, offset } => {
                (i + offset as i128 - j).unsigned_abs() <= radius as u128
            }
            Mask::Ranges { ref ranges, offset } => usize::try_from(i + offset as i128)
                .ok()
                .and_then(|row| ranges.get(row))
                .is_some_and(|range| range.contains(&(j as usize))),
        }
    }

    /// Documents of 3, 2 and 4 tokens with padding between them, of which the last is causal.
    fn documents() -> KeyRanges {
        KeyRanges::new([0..3, 0..3, 0..3, 3..3, 4..6, 4..6, 6..7, 6..8, 6..9, 6..10])
            .expect("neither end moves back")
    }

    #[test]
    fn visible_is_the_set_that_the_inequalities_name() {
        let offsets = [isize::MIN, -7, -1, 0, 1, 3, 12, isize::MAX];
        let mut masks = vec![Mask::None];
        for offset in offsets {
            masks.push(Mask::Causal { offset });
            masks.push(Mask::StrictlyBefore { offset });
            for window in [0, 1, 2, 5, 100, usize::MAX] {
                masks.push(Mask::Window { window, offset });
                let radius = window;
                masks.push(Mask::SymmetricWindow { radius, offset });
            }
            let ranges = documents();
            masks.push(Mask::Ranges { ranges, offset });
        }
        for mask in &masks {
            for m in [0, 1, 4, 9] {
                for i in 0..12 {
                    let range = mask.visible(i, m);
                    assert!(
                        range.start <= range.end && range.end <= m,
                        "{mask:?} {i} {m}: {range:?}"
                    );
                    for j in 0..m {
                        assert_eq!(
                            range.contains(&j),
                            sees(mask, i as i128, j as i128),
                            "{mask:?} i {i} j {j} m {m}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn bounds_never_decrease() {
        for mask in [
            Mask::None,
            Mask::Causal { offset: -3 },
            Mask::StrictlyBefore { offset: 2 },
            Mask::Window {
                window: 4,
                offset: -2,
            },
            Mask::SymmetricWindow {
                radius: 3,
                offset: -2,
            },
            Mask::Ranges {
                ranges: documents(),
                offset: -2,
            },
        ] {
            for i in 0..30 {
                let (a, b) = (mask.visible(i, 17), mask.visible(i + 1, 17));
                assert!(a.start <= b.start && a.end <= b.end, "{mask:?} at {i}");
            }
        }
    }

    #[test]
    fn each_query_needs_a_range() {
        let at = |offset| Mask::Ranges {
            ranges: documents(),
            offset,
        };
        assert_eq!(at(0).validate(10), Ok(()));
        assert_eq!(at(0).moved(4).validate(6), Ok(()));
        for (mask, n) in [(at(0), 11), (at(4), 7), (at(-1), 3), (at(isize::MAX), 1)] {
            assert!(
                matches!(mask.validate(n), Err(Error::NoKeyRange { .. })),
                "{mask:?}"
            );
        }
        assert_eq!(at(7).visible(0, 10), 6..8);
    }
}
