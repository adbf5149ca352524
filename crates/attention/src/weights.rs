//! Any rows and columns of the weights, computed again from Q, K and the LSE.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use lookback_simd::math::exp2;
use lookback_simd::pack::pack_strip;
use lookback_simd::{InstructionSet, Isa, Kernel, Line, RegisterTile, lines_for};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use crate::pack::PackKeys;
pub use crate::score::highest_weight;
use crate::score::{Bounds, HeadScoring, TileAt, at_most_1, score_tile};
use crate::shape::{Shape, room, same, validate_range};
use crate::{Error, Scoring};

/// Rows of a task; a multiple of many tile heights is not needed, only that a task is worth its start.
const TASK_ROWS: usize = 84;

/// The weights of one head for `rows` of its queries and `cols` of its keys: exp(score − lse), \[rows, cols\].
///
/// q is \[N, d_k\], k is \[M, d_k\], lse is \[N\] as the forward pass gave it, all of any strides. Options of
/// `scoring` that have an entry a head hold one entry ([`Scoring::for_head`]). Keys that a query may not see
/// have weight exactly 0; a query that sees none has LSE −∞ and a row of 0. Where the LSE is NaN, the weights
/// of the visible keys are NaN.
///
/// No weight is above 1: where rounding makes it so, by no more than [`highest_weight`] allows, it is 1. (An LSE near 10⁷ is itself
/// off by up to ½, the weights under it by a factor of e^½; below 10³ a row sums to 1 within 10⁻⁴.) More than that comes of an LSE
/// that belongs to other queries and keys, and is given as it is.
///
/// ```
/// use lookback_attention::{Scoring, forward::forward, weights::weights};
/// use ndarray::{Array4, s};
///
/// let x = Array4::from_shape_fn((1, 1, 40, 8), |(_, _, i, c)| ((i * 5 + c * 3) % 7) as f32 / 7.0);
/// let scoring = Scoring::default();
/// let lse = forward(x.view(), x.view(), x.view(), &scoring)?.lse;
/// let x = x.slice(s![0, 0, .., ..]);
/// let row = weights(x, x, lse.slice(s![0, 0, ..]), &scoring, 30..31, 0..40)?;
/// assert!((row.sum() - 1.0).abs() < 1e-6);
/// assert_eq!(row[[0, 31]], 0.0); // query 30 may not see key 31
/// # Ok::<(), lookback_attention::Error>(())
/// ```
///
/// # Errors
/// Shapes that do not fit, zero sizes, ranges that reach beyond N or M, meaningless options, and more weights than there
/// is memory for.
pub fn weights(
    q: ArrayView2<f32>,
    k: ArrayView2<f32>,
    lse: ArrayView1<f32>,
    scoring: &Scoring,
    rows: Range<usize>,
    cols: Range<usize>,
) -> Result<Array2<f32>, Error> {
    weights_on(InstructionSet::best(), (q, k, lse), scoring, rows, cols)
}

/// [`weights`] of (q, k, lse) on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`weights`].
pub fn weights_on(
    set: InstructionSet,
    (q, k, lse): (ArrayView2<f32>, ArrayView2<f32>, ArrayView1<f32>),
    scoring: &Scoring,
    rows: Range<usize>,
    cols: Range<usize>,
) -> Result<Array2<f32>, Error> {
    let ((n, d_k), (m, k_columns)) = (q.dim(), k.dim());
    let shape = Shape::new((1, 1, n, d_k), (1, 1, m, k_columns), (1, 1, m, k_columns))?;
    scoring.validate(&shape)?;
    same("N", ("q", n), ("lse", lse.len()))?;
    validate_range("rows", &rows, n)?;
    validate_range("cols", &cols, m)?;
    let head = HeadScoring::new(scoring, &shape, 0, 0)?;
    room("the weights", &[rows.len(), cols.len()])?;
    room("the packed keys", &[cols.len(), d_k])?;
    let mut out = Array2::zeros((rows.len(), cols.len()));
    let keys = set.run(PackKeys(k.slice(s![cols.clone(), ..])));
    let parts: Vec<_> = out.axis_chunks_iter_mut(Axis(0), TASK_ROWS).collect();
    parts.into_par_iter().enumerate().for_each(|(chunk, out)| {
        let first = rows.start + chunk * TASK_ROWS;
        set.run(Weights {
            q,
            lse,
            head: &head,
            keys: &keys,
            first,
            first_key: cols.start,
            out,
        });
    });
    Ok(out)
}

/// The weights of consecutive queries for all chosen keys.
struct Weights<'a> {
    q: ArrayView2<'a, f32>,
    lse: ArrayView1<'a, f32>,
    head: &'a HeadScoring<'a>,
    /// `[keys/16][d_k][16]`
    keys: &'a [Line],
    /// The first query.
    first: usize,
    /// The first key.
    first_key: usize,
    /// \[queries, keys\]
    out: ArrayViewMut2<'a, f32>,
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let height = I::NarrowTile::ROWS;
        let (n, d_k) = self.q.dim();
        let mut strip = vec![Line::ZERO; lines_for(d_k) * height];
        for at in (0..self.out.nrows()).step_by(height) {
            let first = self.first + at;
            let rows = (self.out.nrows() - at).min(height);
            pack_strip(
                &mut strip,
                self.q,
                first..first + rows,
                height,
                self.head.factor,
            );
            let bounds = Bounds::new(&self.head.mask, first, height, n, self.head.keys);
            for (panel, keys) in self.keys.chunks_exact(d_k).enumerate() {
                let columns = panel * Line::LEN..self.out.ncols().min((panel + 1) * Line::LEN);
                let to = TileAt {
                    query: first,
                    key: self.first_key + columns.start,
                };
                let tile: I::NarrowTile =
                    score_tile(isa, &strip, [keys, keys], to, (self.head, &bounds));
                let out = self.out.slice_mut(s![at..at + rows, columns]);
                write(isa, &tile, self.lse.slice(s![first..first + rows]), out);
            }
        }
    }
}

/// Writes `2^(score − lse₂)` of a tile's first rows and columns.
#[inline(always)]
fn write<I: Isa, T: RegisterTile<I::V>>(
    isa: I,
    tile: &T,
    lse: ArrayView1<f32>,
    mut out: ArrayViewMut2<f32>,
) {
    let lowest = isa.splat(f32::MIN);
    for (r, (mut out, &lse)) in out.rows_mut().into_iter().zip(lse).enumerate() {
        // A row that sees no key has no finite score; this keeps −∞ − −∞ out of it.
        let highest = highest_weight(lse);
        let lse = isa.splat(if lse == f32::NEG_INFINITY {
            f32::INFINITY
        } else {
            lse * LOG2_E
        });
        let mut line = Line::ZERO;
        for v in 0..T::VECTORS {
            let score = tile.row(r).as_ref()[v];
            let weight = exp2(isa, isa.sub(score, lse));
            let weight = isa.select(isa.less(score, lowest), isa.splat(0.0), weight);
            isa.store(weight, line.part_mut(v, I::LANES));
        }
        for (out, weight) in out.iter_mut().zip(line.0) {
            *out = at_most_1(weight, highest);
        }
    }
}
