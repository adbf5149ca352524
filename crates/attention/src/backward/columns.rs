//! Which tiles of a block of pairs (key, query) are computed.

use std::ops::Range;

use lookback_simd::{Isa, Line, RegisterTile};

use super::keys::Keys;
use super::queries::Queries;

/// One or two adjacent panels of queries, and the strips of keys that any of them sees.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The first panel, counted from the task's first query.
    pub(super) panel: usize,
    /// 1 or 2.
    pub(super) panels: usize,
    /// Strips, counted from the block's first key; may be empty.
    pub(super) strips: Range<usize>,
}

impl Column {
    /// The last of its panels.
    pub(super) fn last(&self) -> usize {
        self.panel + self.panels - 1
    }
}

/// The tiles of a block of keys and some panels of queries.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The first panel of queries.
    pub(super) panel: usize,
    pub(super) columns: Vec<Column>,
    /// For each strip of keys, the panels of queries that have a tile with it, counted from `panel`.
    pub(super) spans: Vec<Range<usize>>,
}

impl Columns {
    /// Lists the tiles of `keys` and the panels `panels` of `queries`.
    #[inline(always)]
    pub(super) fn list<I: Isa>(&mut self, queries: &Queries, keys: &Keys, panels: Range<usize>) {
        let wide = I::WideTile::VECTORS * I::LANES / Line::LEN;
        let height = I::WideTile::ROWS;
        self.panel = panels.start;
        self.columns.clear();
        self.spans.clear();
        self.spans.resize(keys.count.div_ceil(height), 0..0);
        let mut panel = panels.start;
        while panel < panels.end {
            let count = if panel + wide <= panels.end { wide } else { 1 };
            let (first, last) = (&queries.bounds[panel], &queries.bounds[panel + count - 1]);
            let within = |key: usize| key.saturating_sub(keys.first).min(keys.count);
            let (start, end) = (within(first.seen().start), within(last.seen().end));
            let strips = if start < end {
                start / height..end.div_ceil(height)
            } else if start < keys.count {
                // None of its queries sees a key of the block, but those before and behind may share the strip between
                // them: a tile of zeros keeps the strip's panels adjacent.
                start / height..start / height + 1
            } else {
                0..0
            };
            for span in &mut self.spans[strips.clone()] {
                // The ranges never move back from one column to the next: a strip's panels are adjacent.
                if span.start == span.end {
                    span.start = panel - self.panel;
                }
                span.end = panel + count - self.panel;
            }
            self.columns.push(Column {
                panel,
                panels: count,
                strips,
            });
            panel += count;
        }
    }
}
