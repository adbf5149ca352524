//! Loops over the rows of an activation.

use std::ops::Range;

use lookback_simd::{InstructionSet, Isa, Kernel};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

/// Rows that go through a chain of products at a time. A chunk's widest activation (2·d_ff columns, 6 MB for
/// d_ff = 1,536) stays near the caches, and is still tall enough that packing the weights costs little.
pub(crate) const ROW_CHUNK: usize = 512;

/// Rows that are not worth a second thread.
pub(crate) const SEQUENTIAL_ROWS: usize = 8;

/// Rows that one task handles: of the order of 10 µs of work.
const TASK_ROWS: usize = 16;

/// `0..rows` in pieces of [`ROW_CHUNK`].
pub(crate) fn row_chunks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows)
        .step_by(ROW_CHUNK)
        .map(move |start| start..(start + ROW_CHUNK).min(rows))
}

/// Rows of an activation, which is always row-major.
pub(crate) fn rows<'a>(x: &ArrayView2<'a, f32>, range: Range<usize>) -> &'a [f32] {
    let columns = x.ncols();
    let all = x.to_slice().expect("activations are row-major");
    &all[range.start * columns..range.end * columns]
}

/// [`rows`] that can be written to.
pub(crate) fn rows_mut(x: &mut Array2<f32>, range: Range<usize>) -> &mut [f32] {
    let columns = x.ncols();
    let all = x.as_slice_mut().expect("activations are row-major");
    &mut all[range.start * columns..range.end * columns]
}

/// Row-major numbers as a matrix of `columns` columns.
pub(crate) fn from_rows(values: Vec<f32>, columns: usize) -> Array2<f32> {
    Array2::from_shape_vec((values.len() / columns, columns), values)
        .expect("whole rows were computed")
}

/// Runs `f` compiled for the best vector instructions of this processor. What `f` calls has to be inlined into it.
#[inline]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    InstructionSet::best().run(Inlined(f))
}

/// A closure that the compiler vectorises by itself.
struct Inlined<F>(F);

impl<R, F: FnOnce() -> R> Kernel for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> R {
        (self.0)()
    }
}

/// Calls `f` with the index and the contents of each row of `out` (`columns` wide), in parallel where that pays.
/// `f` is compiled for the best vector instructions; mark what it calls `#[inline(always)]`.
#[inline]
pub(crate) fn for_each_row(out: &mut [f32], columns: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let block = |first: usize, rows: &mut [f32]| {
        vectorised(
            #[inline(always)]
            || {
                for (row, out) in (first..).zip(rows.chunks_exact_mut(columns)) {
                    f(row, out);
                }
            },
        );
    };
    if out.len() <= SEQUENTIAL_ROWS * columns {
        block(0, out);
    } else {
        out.par_chunks_mut(TASK_ROWS * columns)
            .enumerate()
            .for_each(|(task, rows)| block(task * TASK_ROWS, rows));
    }
}

/// Adds `terms` to `sums`, entry by entry; both \[rows, columns\].
pub(crate) fn add_rows(sums: &mut [f32], terms: &[f32], columns: usize) {
    for_each_row(
        sums,
        columns,
        #[inline(always)]
        |row, sums| {
            for (sum, term) in sums.iter_mut().zip(&terms[row * columns..][..columns]) {
                *sum += term;
            }
        },
    );
}
