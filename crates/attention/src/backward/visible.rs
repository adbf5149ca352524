//! The last three products pair by pair, for operands that are not finite.

use lookback_simd::{Line, lines_for};

use super::columns::Columns;
use super::products::{KeySums, QuerySums};
use super::tiles::{Pair, Tiles};

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
    for column in &columns.columns {
        let end = ((column.last() + 1) * Line::LEN).min(queries.count);
        for i in column.panel * Line::LEN..end {
            let (panel, lane) = (i / Line::LEN, i % Line::LEN);
            let visible = queries.bounds[panel].row(lane);
            for j in visible.start.max(keys.first)..visible.end.min(keys.first + keys.count) {
                let j = j - keys.first;
                let at = (panel - columns.panel) * height + j;
                let (p, d_t) = (tiles.p[at].0[lane], tiles.d_t[at].0[lane]);
                for c in 0..keys.k.d {
                    let k = keys.k.columns(j / Line::LEN)[c].0[j % Line::LEN];
                    sums.dq.lines[panel * sums.dq.height + c].0[lane] += d_t * k;
                }
                for c in 0..lines_for(queries.q.d) {
                    add(
                        &mut sums.dk.lines[c * height + j],
                        d_t,
                        &queries.q.rows(c)[i],
                    );
                }
                for c in 0..lines_for(queries.d_o.d) {
                    add(
                        &mut sums.dv.lines[c * height + j],
                        p,
                        &queries.d_o.rows(c)[i],
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
