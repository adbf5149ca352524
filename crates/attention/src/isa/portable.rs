//! The portable table: arrays, which the compiler turns into what the target has.

use half::{bf16, f16};

use super::{Isa, Kernel, Line, Tile, contract};

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

/// Vectors as arrays of `L` values, tiles of `R` rows by `W` vectors, `N` of them in a narrow tile.
///
/// The product uses one shape. The tests use others, so that the generic code meets the narrowest lanes and those of AVX-512
/// whatever processor they run on: each shape more takes its kernels' time to compile, so the widths between, which this one
/// and AVX2 have, are tried on the microkernel and the functions alone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shaped<const L: usize, const R: usize, const W: usize, const N: usize>;

/// The shape that products use where no better instruction set is found.
///
/// Four lanes are what SSE2 and NEON have. Sixteen registers hold 2×4 accumulators beside a panel's line;
/// thirty-two hold 5×4.
#[cfg(not(target_arch = "aarch64"))]
pub(crate) type Portable = Shaped<4, 2, 4, 4>;
#[cfg(target_arch = "aarch64")]
pub(crate) type Portable = Shaped<4, 5, 4, 4>;

impl<const L: usize, const R: usize, const W: usize, const N: usize> Isa for Shaped<L, R, W, N>
where
    [[[f32; L]; W]; R]: Tile<[f32; L]>,
{
    type V = [f32; L];
    type Mask = [bool; L];
    type Tile = [[[f32; L]; W]; R];
    type Narrow = [[[f32; L]; N]; R];

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

/// [`Isa::leading`], one value after the other.
pub(super) fn leading(values: &[Line], k: usize) -> u64 {
    let values = Line::flat(values);
    let mut halves = [0_u16; 64];
    for (half, value) in halves.iter_mut().zip(values) {
        // Without the sign, which NaN may have.
        *half = (value.to_bits() >> 16) as u16 & 0x7fff;
    }
    let halves = &halves[..values.len()];
    let mut bits = 0;
    for (i, value) in halves.iter().enumerate() {
        let larger = halves.iter().filter(|other| *other > value).count();
        bits |= u64::from(larger < k) << i;
    }
    bits
}
