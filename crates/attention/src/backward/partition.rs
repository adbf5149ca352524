//! Cutting a head's keys into parts that tasks work on.

use std::ops::Range;

use crate::Mask;

/// A part of one head's pairs (query, key): some keys, and the queries that see any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) keys: Range<usize>,
    pub(super) queries: Range<usize>,
}

/// What is cut, and how finely.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent<'a> {
    pub(super) mask: &'a Mask,
    /// N
    pub(super) queries: usize,
    /// Keys that are real.
    pub(super) keys: usize,
    /// Keys of a block: parts begin at multiples of it.
    pub(super) block: usize,
}

impl Extent<'_> {
    /// The queries that see any of `keys`, from the first to the last.
    pub(super) fn queries_of(&self, keys: Range<usize>) -> Range<usize> {
        // Both ends of the visible ranges never decrease: each condition holds up to some query and not beyond it.
        let visible = |i: usize| self.mask.visible(i, self.keys);
        let start = first_without(self.queries, |i| visible(i).end <= keys.start);
        let end = first_without(self.queries, |i| visible(i).start < keys.end);
        start..end.max(start)
    }

    /// At most `count` parts of about equal work. Keys that nobody sees are in none.
    pub(super) fn parts(&self, count: usize) -> Vec<Part> {
        let blocks: Vec<Part> = (0..self.keys)
            .step_by(self.block)
            .map(|start| start..(start + self.block).min(self.keys))
            .map(|keys| Part {
                queries: self.queries_of(keys.clone()),
                keys,
            })
            .filter(|part| !part.queries.is_empty())
            .collect();
        let total: usize = blocks.iter().map(|block| block.queries.len()).sum();
        let mut parts: Vec<Part> = Vec::new();
        let mut done = 0;
        for block in blocks {
            // The part in which the middle of this block's work lies.
            let at = (2 * done + block.queries.len()) * count / (2 * total);
            let before = parts.len();
            done += block.queries.len();
            match parts.last_mut() {
                Some(part) if at < before => {
                    part.keys.end = block.keys.end;
                    part.queries.end = part.queries.end.max(block.queries.end);
                }
                _ => parts.push(block),
            }
        }
        parts
    }
}

/// The first of `0..len` for which `holds` is false, if it is true up to some point and false from there on.
fn first_without(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks() -> Vec<Mask> {
        let mut masks = vec![Mask::None];
        for offset in [isize::MIN, -40, -3, 0, 2, 25, isize::MAX] {
            masks.push(Mask::Causal { offset });
            masks.push(Mask::StrictlyBefore { offset });
            masks.push(Mask::Window { window: 5, offset });
            masks.push(Mask::SymmetricWindow { radius: 3, offset });
        }
        masks
    }

    #[test]
    fn parts_hold_every_visible_pair_once() {
        for mask in masks() {
            for (queries, keys, block, count) in [
                (1, 1, 4, 1),
                (37, 50, 4, 3),
                (50, 21, 8, 9),
                (9, 9, 100, 2),
                (5, 0, 4, 2),
            ] {
                let extent = Extent {
                    mask: &mask,
                    queries,
                    keys,
                    block,
                };
                let parts = extent.parts(count);
                assert!(parts.len() <= count, "{mask:?}: {parts:?}");
                for pair in parts.windows(2) {
                    assert!(
                        pair[0].keys.end <= pair[1].keys.start,
                        "{mask:?}: {parts:?}"
                    );
                }
                for i in 0..queries {
                    for j in mask.visible(i, keys) {
                        let holding =
                            |part: &&Part| part.keys.contains(&j) && part.queries.contains(&i);
                        assert_eq!(
                            parts.iter().filter(holding).count(),
                            1,
                            "{mask:?} {i} {j}: {parts:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn causal_parts_share_the_work_out() {
        let extent = Extent {
            mask: &Mask::default(),
            queries: 960,
            keys: 960,
            block: 8,
        };
        let parts = extent.parts(4);
        let work: Vec<usize> = parts
            .iter()
            .map(|part| part.keys.clone().map(|j| 960 - j).sum())
            .collect();
        let total: usize = work.iter().sum();
        assert_eq!(parts.len(), 4);
        assert!(
            work.iter()
                .all(|&work| (work as f64 / total as f64 - 0.25).abs() < 0.02),
            "{work:?}"
        );
    }
}
