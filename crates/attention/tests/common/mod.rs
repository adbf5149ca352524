//! What the tests share: numbers from a seed, arrays of any strides, comparison with the reference; calls drawn from them.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod cases;
pub(crate) mod hostile;
pub(crate) mod not_finite;

use lookback_attention::forward::Output;
use lookback_attention::reference::{Exact, attention};
use lookback_attention::{Element, Scoring};
use ndarray::{Array, Array4, ArrayView4, Dimension, Ix4, ShapeBuilder};
use proptest::prelude::{TestCaseError, prop_assert};

/// SplitMix64 (Steele, Lea and Flood, 2014): numbers that depend on the seed alone.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Standard normal, by the sum of twelve uniforms: bounded, which keeps the scores tame.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }

    /// A normal array, its axes in memory in the order `order`, with gaps of `gap` between the columns.
    pub(crate) fn array(&mut self, dim: [usize; 4], order: [usize; 4], gap: usize) -> Strided {
        let mut strides = [0; 4];
        let mut stride = 1 + gap;
        for &axis in order.iter().rev() {
            strides[axis] = stride;
            stride *= dim[axis].max(1);
        }
        let data = (0..stride + 1).map(|_| self.normal()).collect();
        Strided { data, dim, strides }
    }

    /// A normal array in standard layout.
    pub(crate) fn plain(&mut self, dim: [usize; 4]) -> Array4<f32> {
        Array4::from_shape_simple_fn(dim, || self.normal())
    }
}

/// An array with strides of its own.
pub(crate) struct Strided {
    data: Vec<f32>,
    dim: [usize; 4],
    strides: [usize; 4],
}

impl Strided {
    pub(crate) fn view(&self) -> ArrayView4<'_, f32> {
        let shape = Ix4(self.dim[0], self.dim[1], self.dim[2], self.dim[3]);
        let strides = Ix4(
            self.strides[0],
            self.strides[1],
            self.strides[2],
            self.strides[3],
        );
        ArrayView4::from_shape(shape.strides(strides), &self.data)
            .expect("the data covers the strides")
    }
}

/// The reference on f32 inputs.
pub(crate) fn exact<E: Element + Into<f64>>(
    q: ArrayView4<f32>,
    k: ArrayView4<E>,
    v: ArrayView4<E>,
    scoring: &Scoring,
) -> Exact {
    let q = q.mapv(f64::from);
    let (k, v) = (k.mapv(Into::into), v.mapv(Into::into));
    attention(q.view(), k.view(), v.view(), scoring).expect("valid")
}

/// Whether a f32 result is the reference's: both NaN, the same infinity, or within `tolerance` of `size`.
pub(crate) fn agrees(found: f32, exact: f64, tolerance: f64, size: f64) -> bool {
    if exact.is_nan() {
        found.is_nan()
    } else if exact.is_infinite() {
        f64::from(found) == exact
    } else {
        (f64::from(found) - exact).abs() <= tolerance * size.max(1.0)
    }
}

/// Whether O and LSE are the reference's; `rounding` is what rounding may change in a score.
pub(crate) fn output_agrees(
    name: &str,
    found: &Output,
    exact: &Exact,
    rounding: f64,
) -> Result<(), TestCaseError> {
    for (at, &o) in found.o.indexed_iter() {
        let exact = exact.o[at];
        let fits = agrees(o, exact, 6.0 * rounding, 0.0);
        prop_assert!(fits, "{name} o{at:?}: {o} {exact}");
    }
    for (at, &lse) in found.lse.indexed_iter() {
        let exact = exact.lse[at];
        let fits = agrees(lse, exact, rounding, exact.abs());
        prop_assert!(fits, "{name} lse{at:?}: {lse} {exact}");
    }
    Ok(())
}

/// Rejects results that are not the reference's to `tolerance`, by the place of the first.
pub(crate) fn assert_agree<D: Dimension>(
    what: &str,
    found: &Array<f32, D>,
    exact: &Array<f64, D>,
    tolerance: f64,
) {
    assert_eq!(found.dim(), exact.dim(), "{what}");
    for ((at, &found), &exact) in found.indexed_iter().zip(exact) {
        let agrees = agrees(found, exact, tolerance, 0.0);
        assert!(agrees, "{what} at {at:?}: {found}, not {exact}");
    }
}
