//! What an instruction set can do: vectors of f32, and the computations that are compiled for each.

use half::{bf16, f16};

use crate::line::Line;
use crate::rank;
use crate::tile::RegisterTile;

/// Keeps [`Isa`] and [`Widen`](crate::Widen) to this crate, so that methods can be added to them.
pub(crate) mod sealed {
    /// Implemented here alone.
    pub trait Sealed {}
}

/// A computation that is compiled once for each instruction set.
pub trait Kernel {
    /// What it computes.
    type Output;

    /// The computation; implementations are `#[inline(always)]`.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// Vectors of [`LANES`](Isa::LANES) f32 and what the kernels do with them.
pub trait Isa: sealed::Sealed + Copy + Send + Sync + 'static {
    /// A vector.
    type V: Copy;
    /// One truth value a lane.
    type Mask: Copy;
    /// Accumulators of the widest microkernel: as many as the registers hold beside its operands.
    type WideTile: RegisterTile<Self::V>;
    /// The same rows, one panel wide; equal to `WideTile` where that is one panel wide already.
    type NarrowTile: RegisterTile<Self::V>;
    /// One row, as wide as `WideTile` or wider: what a product with a single row, which waits for memory, is computed in.
    type RowTile: RegisterTile<Self::V>;

    /// f32 a vector; divides 16.
    const LANES: usize;
    /// The largest whole number n ≤ −127 for which [`ldexp`](Isa::ldexp)`(1, n)` is exactly 0.
    const EXPONENT_FLOOR: f32;

    /// Enters the instruction set.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    /// Every lane `x`.
    fn splat(self, x: f32) -> Self::V;
    /// The first `LANES` values of `src`; panics if there are fewer.
    #[cfg_attr(debug_assertions, track_caller)]
    fn load(self, src: &[f32]) -> Self::V;
    /// Stores to the first `LANES` values of `dst`; panics if there are fewer.
    #[cfg_attr(debug_assertions, track_caller)]
    fn store(self, v: Self::V, dst: &mut [f32]);
    /// As [`load`](Isa::load), widened from f16, exactly.
    #[cfg_attr(debug_assertions, track_caller)]
    fn load_f16(self, src: &[f16]) -> Self::V;
    /// As [`load`](Isa::load), widened from bf16, exactly.
    #[cfg_attr(debug_assertions, track_caller)]
    fn load_bf16(self, src: &[bf16]) -> Self::V;

    /// a + b
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a − b
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b + c, rounded once where the instruction set can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// a if a > b, else b: where either is NaN the result is `b`.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// a if a < b, else b: where either is NaN the result is `b`.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// a + b, or [`max`](Isa::max) of both.
    #[inline(always)]
    fn fold<const MAX: bool>(self, a: Self::V, b: Self::V) -> Self::V {
        match MAX {
            true => self.max(a, b),
            false => self.add(a, b),
        }
    }
    /// The nearest whole number, ties to even.
    fn round(self, a: Self::V) -> Self::V;
    /// p · 2ⁿ for |p| in [0.5, 2) and whole n in [`EXPONENT_FLOOR`](Isa::EXPONENT_FLOOR), 128], exact while the
    /// result is at least 2⁻¹²⁶, and of an absolute error below 2⁻¹²⁶ under that; NaN where p and n both are. Any number
    /// or NaN where n is above 128, or n alone is NaN.
    #[cfg_attr(debug_assertions, track_caller)]
    fn ldexp(self, p: Self::V, n: Self::V) -> Self::V;

    /// a < b; false where either is NaN.
    fn less(self, a: Self::V, b: Self::V) -> Self::Mask;
    /// `yes` where `mask` holds, else `no`.
    fn select(self, mask: Self::Mask, yes: Self::V, no: Self::V) -> Self::V;
    /// a + b where `mask` holds, else a.
    fn add_where(self, mask: Self::Mask, a: Self::V, b: Self::V) -> Self::V;
    /// Whether `mask` holds in any lane.
    fn any(self, mask: Self::Mask) -> bool;
    /// Bit `i` is set where `mask` holds in lane `i`.
    fn bits(self, mask: Self::Mask) -> u32;

    /// Bit i is set where value i of four lines, times the factor at the same place if there are any, is not below `bound`, NaN
    /// included.
    #[inline(always)]
    fn not_below(self, lines: &[Line; 4], factors: Option<&[Line; 4]>, bound: Self::V) -> u64 {
        let per_line = Line::LEN / Self::LANES;
        let mut below = 0;
        for v in 0..4 * per_line {
            let value = self.product(lines, factors, v);
            let bits = self.bits(self.less(value, bound));
            below |= u64::from(bits) << (v * Self::LANES);
        }
        !below
    }

    /// The `v`-th vector of some lines, times that of the factors if there are any.
    #[inline(always)]
    fn product(self, lines: &[Line; 4], factors: Option<&[Line; 4]>, v: usize) -> Self::V {
        let per_line = Line::LEN / Self::LANES;
        let value = self.load(lines[v / per_line].part(v % per_line, Self::LANES));
        match factors {
            Some(factors) => {
                let factor = factors[v / per_line].part(v % per_line, Self::LANES);
                self.mul(value, self.load(factor))
            }
            None => value,
        }
    }

    /// Bit i is set where fewer than `k` ≤ 64 of at most 64 values, none of them negative, are larger than value i if only the
    /// upper halves of the numbers are compared (seven bits of the fraction). So of values near the k-th all are set or none,
    /// and at least k. NaN is larger than every number.
    fn leading(self, values: &[Line], k: usize) -> u64 {
        rank::leading(values, k)
    }

    /// Asks for `row`, which is read once, to be brought into the nearest cache; does nothing where that cannot be asked.
    #[inline(always)]
    fn prefetch<T>(self, _row: &[T]) {}

    /// Asks for `row`, which is read many times, to be brought into the nearest cache and those behind it; does nothing where that
    /// cannot be asked.
    #[inline(always)]
    fn prefetch_to_stay<T>(self, _row: &[T]) {}

    /// Transposes a 16×16 block in place.
    #[inline(always)]
    fn transpose(self, block: &mut [Line; 16]) {
        for i in 0..16 {
            for j in 0..i {
                let (a, b) = (block[i].0[j], block[j].0[i]);
                (block[i].0[j], block[j].0[i]) = (b, a);
            }
        }
    }

    /// Sum of the lanes, in an order that the instruction set fixes.
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let mut line = Line::ZERO;
        self.store(v, &mut line.0);
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                line.0[i] += line.0[i + width];
            }
        }
        line.0[0]
    }

    /// The largest lane; lanes that are NaN may be passed over.
    #[inline(always)]
    fn largest(self, v: Self::V) -> f32 {
        let mut line = Line::ZERO;
        self.store(v, &mut line.0);
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                if line.0[i + width] > line.0[i] || line.0[i].is_nan() {
                    line.0[i] = line.0[i + width];
                }
            }
        }
        line.0[0]
    }

    /// Sum of the lanes of each of sixteen vectors, each in an order that the instruction set fixes.
    #[inline(always)]
    fn sum_each(self, vectors: &[Self::V; 16]) -> Line {
        let mut line = Line::ZERO;
        for i in 0..16 {
            line.0[i] = self.sum(vectors[i]);
        }
        line
    }

    /// The largest lane of each of sixteen vectors; lanes that are NaN may be passed over.
    #[inline(always)]
    fn largest_each(self, vectors: &[Self::V; 16]) -> Line {
        let mut line = Line::ZERO;
        for i in 0..16 {
            line.0[i] = self.largest(vectors[i]);
        }
        line
    }

    /// 0, 1, 2, … plus `start`.
    #[inline(always)]
    fn ramp(self, start: f32) -> Self::V {
        const INDEX: Line = Line([
            0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.,
        ]);
        self.add(self.splat(start), self.load(&INDEX.0))
    }
}
