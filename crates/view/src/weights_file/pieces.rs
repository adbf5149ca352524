//! Weights in pieces of some rows of one head.

use std::ops::{ControlFlow, Range};

use lookback_trace::{HeadId, Trace};
use ndarray::Array2;

use super::error::Error;

/// Hears how many pieces are written, of how many; `Break` ends the work with [`Error::Cancelled`].
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Weights in a piece, about: 8 MB.
const PIECE: usize = 1 << 21;

/// Some rows of one head.
pub(super) struct Piece {
    pub(super) head: HeadId,
    /// The queries.
    pub(super) rows: Range<usize>,
    /// \[rows, M\]
    pub(super) weights: Array2<f32>,
}

/// Computes the heads' weights piece by piece, head by head and row by row, and hands each to `take`.
pub(super) fn each(
    trace: &Trace,
    heads: &[HeadId],
    progress: Progress<'_>,
    mut take: impl FnMut(Piece) -> Result<(), Error>,
) -> Result<(), Error> {
    let (n, m) = (trace.n(), trace.m());
    let rows = (PIECE / m.max(1)).clamp(1, n.max(1));
    let total = (heads.len() * n.div_ceil(rows)) as u64;
    let mut done = 0;
    for &id in heads {
        let head = trace.head(id.layer, id.head)?;
        for start in (0..n).step_by(rows) {
            if progress(done, total).is_break() {
                return Err(Error::Cancelled);
            }
            let rows = start..(start + rows).min(n);
            take(Piece {
                head: id,
                rows: rows.clone(),
                weights: head.weights(rows, 0..m)?,
            })?;
            done += 1;
        }
    }
    Ok(())
}
