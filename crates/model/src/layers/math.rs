//! Functions of single numbers that are vectorised: without branches or calls.

/// eˣ to within 2 units in the last place for |x| ≤ 87, the bounds' values outside: 2ⁿ·eʳ with |r| ≤ ln 2 / 2,
/// and the Taylor series of eʳ to degree 7.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// 1.5 · 2²³: added to a small number it leaves the number's nearest integer in the last bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 87.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut series = 1.0 / 5040.0;
    for coefficient in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        series = series * r + coefficient;
    }
    let power_of_two = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000));
    series * power_of_two
}

/// The error function to within 2 units in the last place: a polynomial of x near 0, 1 − e^p(|x|) beyond.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let (t, square) = (x.abs().min(10.0), x * x);
    let mut near = -5.967_617e-4;
    for coefficient in [
        4.991_194_2e-3,
        -2.676_813_5e-2,
        1.128_199_2e-1,
        -3.761_253_4e-1,
        1.283_791_6e-1,
    ] {
        near = near * square + coefficient;
    }
    let near = near * x + x;
    let mut power = -1.728_534_7e-5;
    for coefficient in [
        3.831_971_3e-4,
        -3.883_964_4e-3,
        2.425_462_2e-2,
        -1.067_778_8e-1,
        -6.348_467e-1,
        -1.287_175_1e-1,
    ] {
        power = power * t + coefficient;
    }
    let far = (1.0 - exp(power * t - t)).copysign(x);
    // NaN is in neither range, and goes through `near`.
    if x.abs() > 0.927_734_4 { far } else { near }
}

/// Σ x², in as many partial sums as the widest vector has lanes.
#[inline(always)]
pub(crate) fn sum_of_squares(x: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (blocks, tail) = x.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += x * x;
        }
    }
    let tail: f32 = tail.iter().map(|x| x * x).sum();
    sums.iter().sum::<f32>() + tail
}

/// Σ x, likewise.
#[inline(always)]
pub(crate) fn sum(x: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (blocks, tail) = x.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += x;
        }
    }
    sums.iter().sum::<f32>() + tail.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for step in -8_700_i32..=8_700 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.0 * f64::from(f32::EPSILON), "exp({x}): {error}");
        }
    }

    /// 2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n+1)), which is exact enough in f64 up to 4.
    fn exact_erf(x: f64) -> f64 {
        let (mut sum, mut term) = (0.0, x);
        for n in 0..120 {
            let n = f64::from(n);
            sum += term / (2.0 * n + 1.0);
            term *= -x * x / (n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn erf_is_within_two_units_in_the_last_place() {
        for step in -4_000_i32..=4_000 {
            let x = step as f32 / 1000.0;
            let exact = exact_erf(f64::from(x));
            let error = (f64::from(erf(x)) - exact).abs();
            let unit = f64::from(f32::EPSILON) * exact.abs();
            assert!(error <= 2.0 * unit, "erf({x}): {error} of {exact}");
        }
        assert_eq!((erf(50.0), erf(-1e30)), (1.0, -1.0));
        assert!(erf(f32::NAN).is_nan());
    }
}
