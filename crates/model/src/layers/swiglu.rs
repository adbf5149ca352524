//! The gate of the feed-forward layer.

use super::rows::for_each_row;

/// silu(gate) · up (Shazeer 2020, <https://arxiv.org/abs/2002.05202>), where each row of `gate_up`
/// \[rows, 2·d_ff\] is a gate followed by an up-projection: \[rows, d_ff\].
pub(crate) fn swiglu(gate_up: &[f32], d_ff: usize) -> Vec<f32> {
    let mut out = vec![0.0; gate_up.len() / 2];
    for_each_row(
        &mut out,
        d_ff,
        #[inline(always)]
        |row, out| {
            let (gate, up) = gate_up[row * 2 * d_ff..][..2 * d_ff].split_at(d_ff);
            for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate / (1.0 + exp(-gate)) * up;
            }
        },
    );
    out
}

/// eˣ to within 2 units in the last place for |x| ≤ 87, the bounds' values outside: 2ⁿ·eʳ with |r| ≤ ln 2 / 2,
/// and the Taylor series of eʳ to degree 7. Without branches or calls, so that it is vectorised.
#[inline(always)]
fn exp(x: f32) -> f32 {
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

    #[test]
    fn extremes_and_nan_keep_their_meaning() {
        let out = swiglu(&[-1e4, 1e4, f32::NAN, 1.0, 1.0, 1.0], 3);
        assert!(out[0].abs() < 1e-30);
        assert_eq!(out[1], 1e4);
        assert!(out[2].is_nan());
    }
}
