//! Elementary functions of vectors.

use crate::isa::Isa;

/// 2^f for f in [−½, ½] is 1 + f·(c₁ + c₂f + c₃f² + c₄f³ + c₅f⁴).
///
/// Minimax in the relative error (1.1·10⁻⁷ with the coefficients rounded to f32, less than one unit in the last
/// place), under the condition that the constant is exactly 1, which makes 2⁰ = 1 and lets
/// [`Isa::ldexp`] give an exact 0 at the lowest exponent.
#[expect(
    clippy::approx_constant,
    reason = "a coefficient near ln 2, which it is not"
)]
const EXP2: [f32; 5] = [
    0.693_147,
    0.240_222_42,
    0.055_507_336,
    0.009_671_513,
    0.001_326_472_7,
];

/// 2^f − 1 for f in [−½, ½], with the relative accuracy of the polynomial.
#[inline(always)]
fn exp2_minus_1<I: Isa>(isa: I, f: I::V) -> I::V {
    let mut p = isa.splat(EXP2[4]);
    for c in [EXP2[3], EXP2[2], EXP2[1], EXP2[0]] {
        p = isa.mul_add(p, f, isa.splat(c));
    }
    isa.mul(p, f)
}

/// 2^x for x ≤ 127: the weights' inner loop, whose arguments stay far below that.
///
/// Exactly 0 for x ≤ −150, and within 2⁻¹²⁶ of the truth below −126; NaN if x is NaN; any number or NaN beyond 127, so that a
/// weight which nobody sees need not be kept out before it is hidden.
#[inline(always)]
pub fn exp2_bounded<I: Isa>(isa: I, x: I::V) -> I::V {
    // The order of `max` lets NaN through.
    exp2_in_domain(isa, isa.max(isa.splat(I::EXPONENT_FLOOR), x))
}

/// 2^x for every x: as [`exp2_bounded`], and +∞ from x = 128 on.
#[inline(always)]
pub fn exp2<I: Isa>(isa: I, x: I::V) -> I::V {
    exp2_in_domain(isa, exp2_domain(isa, x))
}

/// The nearest number to x whose power of two [`exp2_in_domain`] can tell; NaN if x is.
#[inline(always)]
pub fn exp2_domain<I: Isa>(isa: I, x: I::V) -> I::V {
    // The order of both lets NaN through.
    isa.max(isa.splat(I::EXPONENT_FLOOR), isa.min(isa.splat(128.0), x))
}

/// 2^x for x from [`EXPONENT_FLOOR`](Isa::EXPONENT_FLOOR), where it is 0, to 128, where it is +∞; NaN if x is.
#[inline(always)]
pub fn exp2_in_domain<I: Isa>(isa: I, x: I::V) -> I::V {
    let n = isa.round(x);
    let f = isa.sub(x, n);
    let mut p = isa.splat(EXP2[4]);
    for c in [EXP2[3], EXP2[2], EXP2[1], EXP2[0], 1.0] {
        p = isa.mul_add(p, f, isa.splat(c));
    }
    isa.ldexp(p, n)
}

/// tanh x, to a few units in the last place, also near 0: (e²ˣ − 1) / (e²ˣ + 1), the numerator without
/// cancellation.
#[inline(always)]
pub fn tanh<I: Isa>(isa: I, x: I::V) -> I::V {
    // |tanh| rounds to 1 well before 2x·log₂e = 30.
    const TWICE_LOG2_E: f32 = 2.0 * std::f32::consts::LOG2_E;
    let y = isa.mul(x, isa.splat(TWICE_LOG2_E));
    let (low, high) = (isa.splat(-30.0), isa.splat(30.0));
    let y = isa.max(low, y);
    let y = isa.select(isa.less(high, y), high, y);
    let n = isa.round(y);
    let q = exp2_minus_1(isa, isa.sub(y, n));
    let one = isa.splat(1.0);
    let power = isa.ldexp(one, n);
    // e²ˣ − 1 = 2ⁿ·q + (2ⁿ − 1): both terms exact or relative to their size.
    let numerator = isa.mul_add(power, q, isa.sub(power, one));
    isa.div(numerator, isa.add(numerator, isa.splat(2.0)))
}
