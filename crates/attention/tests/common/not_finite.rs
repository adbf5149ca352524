//! Calls in which one number is not finite.

use lookback_attention::reference::Exact;
use lookback_attention::{Mask, Scoring};
use ndarray::ArrayView4;

use super::{Random, exact};

/// The shape of such calls: q \[1, H, N, d\] on k and v \[1, 1, M, d\].
#[derive(Clone, Copy)]
pub(crate) struct Dims {
    pub(crate) h: usize,
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) d: usize,
}

/// A call of that kind, and what the reference says of it.
pub(crate) struct Call<'a> {
    /// Which number is not finite.
    pub(crate) place: String,
    pub(crate) q: ArrayView4<'a, f32>,
    pub(crate) k: ArrayView4<'a, f32>,
    pub(crate) v: ArrayView4<'a, f32>,
    pub(crate) scoring: Scoring<'a>,
    pub(crate) exact: Exact,
}

/// Every kind of number that is not finite, in each operand at each of these rows (from 0 again beyond its last) and columns,
/// under each mask.
pub(crate) fn each(
    Dims { h, n, m, d }: Dims,
    places: &[(usize, usize)],
    masks: &[Mask],
    mut check: impl FnMut(Call),
) {
    // NaN with low bits set: they must not leak into an exponent.
    let payload = f32::from_bits(0x7fc0_0203);
    let values = [f32::NAN, payload, f32::INFINITY, f32::NEG_INFINITY];
    for (seed, value) in values.into_iter().enumerate() {
        for operand in 0..3 {
            for &(row, column) in places {
                let mut random = Random(seed as u64);
                let mut arrays = [
                    random.plain([1, h, n, d]),
                    random.plain([1, 1, m, d]),
                    random.plain([1, 1, m, d]),
                ];
                let row = row % arrays[operand].dim().2;
                arrays[operand][[0, 0, row, column]] = value;
                let [q, k, v] = arrays.each_ref().map(|x| x.view());
                for mask in masks {
                    let scoring = Scoring::default().with_mask(mask.clone());
                    check(Call {
                        place: format!("{value} in operand {operand} at {row}, {column}, {mask:?}"),
                        q,
                        k,
                        v,
                        exact: exact(q, k, v, &scoring),
                        scoring,
                    });
                }
            }
        }
    }
}
