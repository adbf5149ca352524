//! The table in plain Rust: arrays, which the compiler turns into what the target has.

use half::{bf16, f16};

use crate::contract;
use crate::isa::{Isa, Kernel, sealed};
use crate::tile::RegisterTile;

/// An array of `L` lanes, each from an expression in its index; a macro, because closures need not be inlined.
macro_rules! lanes {
    ($lanes:expr, $i:ident => $value:expr) => {{
        let first = {
            let $i = 0;
            $value
        };
        let mut out = [first; $lanes];
        for $i in 1..$lanes {
            out[$i] = $value;
        }
        out
    }};
}

/// An instruction set in plain Rust: vectors as arrays of `L` values, wide tiles of `R` rows by `W` vectors, narrow ones of `N`
/// vectors a row. Every processor can run it.
///
/// `L` divides 16, and `W·L` and `N·L` are 16 or 32. One shape is the [`Portable`] instruction set. The others are for tests: they
/// take generic code to the narrowest lanes, and to those of AVX-512, whatever processor the tests run on. Each shape more is
/// compiled for each kernel, which takes its time.
///
/// ```
/// use lookback_simd::{Emulated, Isa, Kernel};
///
/// struct Lanes;
///
/// impl Kernel for Lanes {
///     type Output = f32;
///
///     #[inline(always)]
///     fn run<I: Isa>(self, isa: I) -> f32 {
///         isa.sum(isa.splat(1.0))
///     }
/// }
///
/// assert_eq!(Emulated::<1, 3, 16, 16>.run(Lanes), 1.0);
/// assert_eq!(Emulated::<16, 14, 2, 1>.run(Lanes), 16.0);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Emulated<const L: usize, const R: usize, const W: usize, const N: usize>;

/// The instruction set that is used where no better one is found.
///
/// Four lanes are what SSE2 and NEON have. Sixteen registers hold 2×4 accumulators beside a panel's line; thirty-two hold 5×4.
#[cfg(not(target_arch = "aarch64"))]
pub type Portable = Emulated<4, 2, 4, 4>;
/// The instruction set that is used where no better one is found.
///
/// Four lanes are what NEON has, and thirty-two registers hold 5×4 accumulators beside a panel's line.
#[cfg(target_arch = "aarch64")]
pub type Portable = Emulated<4, 5, 4, 4>;

impl<const L: usize, const R: usize, const W: usize, const N: usize> sealed::Sealed
    for Emulated<L, R, W, N>
{
}

impl<const L: usize, const R: usize, const W: usize, const N: usize> Isa for Emulated<L, R, W, N>
where
    [[[f32; L]; W]; R]: RegisterTile<[f32; L]>,
{
    type V = [f32; L];
    type Mask = [bool; L];
    type WideTile = [[[f32; L]; W]; R];
    type NarrowTile = [[[f32; L]; N]; R];
    type RowTile = [[[f32; L]; W]; 1];

    const LANES: usize = L;
    const EXPONENT_FLOOR: f32 = -127.0;

    // A function of its own, as the other tables have: a kernel that several closures run is compiled once.
    #[inline(never)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; L]
    }

    #[inline(always)]
    fn load(self, src: &[f32]) -> Self::V {
        let src = contract::read(src, L);
        lanes!(L, i => src[i])
    }

    #[inline(always)]
    fn store(self, v: Self::V, dst: &mut [f32]) {
        contract::written(dst, L).copy_from_slice(&v);
    }

    #[inline(always)]
    fn load_f16(self, src: &[f16]) -> Self::V {
        let src = contract::read(src, L);
        lanes!(L, i => src[i].to_f32())
    }

    #[inline(always)]
    fn load_bf16(self, src: &[bf16]) -> Self::V {
        let src = contract::read(src, L);
        lanes!(L, i => src[i].to_f32())
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(L, i => a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(L, i => a[i] - b[i])
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(L, i => a[i] * b[i])
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(L, i => a[i] / b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Without an instruction for it, rounding once is a library call for each lane.
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            lanes!(L, i => a[i].mul_add(b[i], c[i]))
        } else {
            lanes!(L, i => a[i] * b[i] + c[i])
        }
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(L, i => if a[i] > b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(L, i => if a[i] < b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        // Adding 2²³ to |a| leaves no bits for a fraction; from 2²³ on there is none. `round_ties_even` is a
        // library call for each lane on targets without SSE4.1.
        const SHIFT: f32 = 8_388_608.0;
        lanes!(L, i => {
            let size = a[i].abs();
            if size < SHIFT { ((size + SHIFT) - SHIFT).copysign(a[i]) } else { a[i] }
        })
    }

    #[inline(always)]
    fn ldexp(self, p: Self::V, n: Self::V) -> Self::V {
        contract::ldexp(self, p, n);
        // n is within −127 … 128; the shifted sum below finds it in the low bits, and leaves NaN's p alone.
        const SHIFT: f32 = 12_582_912.0;
        lanes!(L, i => {
            let n = ((n[i] + SHIFT).to_bits() as i32).wrapping_sub(SHIFT.to_bits() as i32);
            let scaled = f32::from_bits((p[i].to_bits() as i32).wrapping_add(n << 23) as u32);
            if p[i].is_nan() { p[i] } else { scaled }
        })
    }

    #[inline(always)]
    fn less(self, a: Self::V, b: Self::V) -> Self::Mask {
        lanes!(L, i => a[i] < b[i])
    }

    #[inline(always)]
    fn select(self, mask: Self::Mask, yes: Self::V, no: Self::V) -> Self::V {
        lanes!(L, i => if mask[i] { yes[i] } else { no[i] })
    }

    #[inline(always)]
    fn add_where(self, mask: Self::Mask, a: Self::V, b: Self::V) -> Self::V {
        lanes!(L, i => if mask[i] { a[i] + b[i] } else { a[i] })
    }

    #[inline(always)]
    fn any(self, mask: Self::Mask) -> bool {
        let mut any = false;
        for holds in mask {
            any |= holds;
        }
        any
    }

    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u32 {
        let mut bits = 0;
        for i in 0..L {
            bits |= u32::from(mask[i]) << i;
        }
        bits
    }
}
