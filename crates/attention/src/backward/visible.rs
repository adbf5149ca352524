//! The last three products pair by pair, for operands that are not finite.

use super::columns::Columns;
use super::products::{KeySums, QuerySums};
use super::tiles::{Pair, Tiles};
use crate::isa::Line;

/// What the three products add to.
pub(super) struct Sums<'w> {
    pub(super) dq: &'w mut QuerySums,
    pub(super) dk: &'w mut KeySums,
    pub(super) dv: &'w mut KeySums,
}

/// As the three products, over the visible pairs alone: a weight or a gradient of 0 does not hide an operand that is
/// not finite.
#[inline(never)]
pub(super) fn add_visible(
    sums: &mut Sums,
    tiles: &Tiles,
    columns: &Columns,
    Pair { queries, keys, .. }: Pair,
) {
    let height = tiles.height;
    let (panels, d_k) = (
        queries.bounds.len(),
        queries.q_panels.len() / queries.bounds.len(),
    );
    let d_k_lines = queries.q_rows.len() / queries.count;
    let d_v_lines = queries.d_o_rows.len() / queries.count;
    debug_assert!(panels * d_k == queries.q_panels.len());
    for column in &columns.columns {
        let end = ((column.last() + 1) * Line::LEN).min(queries.count);
        for i in column.panel * Line::LEN..end {
            let (panel, lane) = (i / Line::LEN, i % Line::LEN);
            let visible = queries.bounds[panel].row(lane);
            for j in visible.start.max(keys.first)..visible.end.min(keys.first + keys.count) {
                let j = j - keys.first;
                let at = (panel - columns.panel) * height + j;
                let (p, d_t) = (tiles.p[at].0[lane], tiles.d_t[at].0[lane]);
                for c in 0..d_k {
                    let k = keys.k_columns[j / Line::LEN * d_k + c].0[j % Line::LEN];
                    sums.dq.lines[panel * sums.dq.height + c].0[lane] += d_t * k;
                }
                for c in 0..d_k_lines {
                    add(
                        &mut sums.dk.lines[c * height + j],
                        d_t,
                        &queries.q_rows[c * queries.count + i],
                    );
                }
                for c in 0..d_v_lines {
                    add(
                        &mut sums.dv.lines[c * height + j],
                        p,
                        &queries.d_o_rows[c * queries.count + i],
                    );
                }
            }
        }
    }
}

/// `sum += factor · line`
fn add(sum: &mut Line, factor: f32, line: &Line) {
    for (sum, x) in sum.0.iter_mut().zip(line.0) {
        *sum += factor * x;
    }
}
