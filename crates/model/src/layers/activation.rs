//! Activations between the matrices of a feed-forward part.

use super::math::{erf, exp};
use super::rows::for_each_row;
use crate::spec::Activation;

/// The inner layer of a feed-forward part.
#[derive(Clone, Copy)]
pub(crate) struct Inner<'a> {
    pub(crate) activation: Activation,
    /// Whether each row is a gate followed by what it multiplies.
    pub(crate) gated: bool,
    /// Added first; as long as a row, or empty.
    pub(crate) bias: &'a [f32],
    pub(crate) d_ff: usize,
}

impl Inner<'_> {
    /// act(row), or act(gate) · up of rows that are a gate followed by an up-projection: \[rows, d_ff\].
    pub(crate) fn apply(&self, rows: &[f32]) -> Vec<f32> {
        match self.activation {
            Activation::Silu => self.of(rows, silu),
            Activation::Gelu => self.of(rows, gelu),
            Activation::GeluTanh => self.of(rows, gelu_tanh),
            Activation::Relu => self.of(rows, relu),
            Activation::SquaredRelu => self.of(rows, |x| relu(x) * relu(x)),
            Activation::ClampedSwiGlu => self.of_both(rows, clamped_gate, clamped_up),
        }
    }

    #[inline(always)]
    fn of(&self, rows: &[f32], act: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
        self.of_both(rows, act, |up| up)
    }

    /// act(gate) · act_up(up), or act(x) where there is no gate.
    #[inline(always)]
    fn of_both(
        &self,
        rows: &[f32],
        act: impl Fn(f32) -> f32 + Sync,
        act_up: impl Fn(f32) -> f32 + Sync,
    ) -> Vec<f32> {
        let d_ff = self.d_ff;
        let width = if self.gated { 2 * d_ff } else { d_ff };
        let mut out = vec![0.0; rows.len() / width * d_ff];
        let (gate_bias, up_bias) = self.bias.split_at(d_ff.min(self.bias.len()));
        for_each_row(
            &mut out,
            d_ff,
            #[inline(always)]
            |row, out| {
                let (gate, up) = rows[row * width..][..width].split_at(d_ff);
                match (self.gated, self.bias.is_empty()) {
                    (true, true) => {
                        for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                            *out = act(gate) * act_up(up);
                        }
                    }
                    (true, false) => {
                        let both = gate.iter().zip(gate_bias).zip(up.iter().zip(up_bias));
                        for (out, ((gate, gate_bias), (up, up_bias))) in out.iter_mut().zip(both) {
                            *out = act(gate + gate_bias) * act_up(up + up_bias);
                        }
                    }
                    (false, true) => {
                        for (out, &x) in out.iter_mut().zip(gate) {
                            *out = act(x);
                        }
                    }
                    (false, false) => {
                        for ((out, &x), bias) in out.iter_mut().zip(gate).zip(gate_bias) {
                            *out = act(x + bias);
                        }
                    }
                }
            },
        );
        out
    }
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// 0.5·(1 + tanh u) is the logistic function of 2u.
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    /// 2·√(2/π)
    const SLOPE: f32 = 1.595_769;
    x / (1.0 + exp(-SLOPE * (x + 0.044_715 * x * x * x)))
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    // Not `max`, which would turn NaN into 0.
    if x < 0.0 { 0.0 } else { x }
}

/// Where both halves of [`Activation::ClampedSwiGlu`] are cut off.
const CLAMP: f32 = 7.0;

#[inline(always)]
fn clamped_gate(gate: f32) -> f32 {
    /// How steep the sigmoid is.
    const SLOPE: f32 = 1.702;
    // Not `min`, which would turn NaN into the limit.
    let gate = if gate > CLAMP { CLAMP } else { gate };
    gate / (1.0 + exp(-SLOPE * gate))
}

#[inline(always)]
fn clamped_up(up: f32) -> f32 {
    up.clamp(-CLAMP, CLAMP) + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(activation: Activation, gated: bool, bias: &[f32], d_ff: usize) -> Inner<'_> {
        Inner {
            activation,
            gated,
            bias,
            d_ff,
        }
    }

    #[test]
    fn extremes_and_nan_keep_their_meaning() {
        let silu = inner(Activation::Silu, true, &[], 3);
        let out = silu.apply(&[-1e4, 1e4, f32::NAN, 1.0, 1.0, 1.0]);
        assert!(out[0].abs() < 1e-30);
        assert_eq!(out[1], 1e4);
        assert!(out[2].is_nan());
        for activation in [
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Relu,
            Activation::SquaredRelu,
        ] {
            let out = inner(activation, false, &[], 3).apply(&[-50.0, 50.0, f32::NAN]);
            assert!(out[0].abs() < 1e-30 && out[2].is_nan());
            let large = if activation == Activation::SquaredRelu {
                2500.0
            } else {
                50.0
            };
            assert_eq!(out[1], large);
        }
    }

    #[test]
    fn activations_follow_their_definitions() {
        let exact = |activation, x: f64| match activation {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::Relu => x.max(0.0),
            Activation::SquaredRelu => x.max(0.0).powi(2),
            Activation::ClampedSwiGlu => unreachable!("it has a gate"),
            // Φ by the trapezoidal rule from far below.
            Activation::Gelu => {
                let step = 1e-3;
                let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
                let from = -9.0;
                let n = ((x - from) / step).round() as usize;
                let h = (x - from) / n as f64;
                let sum: f64 = (1..n).map(|i| density(from + i as f64 * h)).sum();
                x * h * (sum + 0.5 * (density(from) + density(x)))
            }
        };
        for activation in [
            Activation::Silu,
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Relu,
            Activation::SquaredRelu,
        ] {
            for step in -60..=60 {
                let x = step as f32 / 10.0;
                let out = inner(activation, false, &[], 1).apply(&[x])[0];
                let exact = exact(activation, f64::from(x));
                let off = (f64::from(out) - exact).abs();
                assert!(
                    off < 1e-6 * exact.abs().max(1.0),
                    "{activation:?}({x}): {out}, not {exact}"
                );
            }
        }
    }

    #[test]
    fn a_clamped_gate_and_its_factor_follow_their_definition() {
        let row = [2.0, 9.0, -1.0, 0.5, -8.0, 30.0];
        let out = inner(Activation::ClampedSwiGlu, true, &[], 3).apply(&row);
        let exact = |gate: f64, up: f64| {
            let gate = gate.min(7.0);
            gate / (1.0 + (-1.702 * gate).exp()) * (up.clamp(-7.0, 7.0) + 1.0)
        };
        for (index, &out) in out.iter().enumerate() {
            let exact = exact(f64::from(row[index]), f64::from(row[index + 3]));
            assert!((f64::from(out) - exact).abs() < 1e-5, "{out}, not {exact}");
        }
        let nan = inner(Activation::ClampedSwiGlu, true, &[], 1);
        assert!(nan.apply(&[f32::NAN, 1.0])[0].is_nan() && nan.apply(&[1.0, f32::NAN])[0].is_nan());
    }

    #[test]
    fn biases_are_added_before_the_activation_and_before_the_product() {
        let bias = [1.0, -1.0, 0.5, 2.0];
        let gated = inner(Activation::Relu, true, &bias, 2).apply(&[2.0, 3.0, 1.0, 1.0]);
        assert_eq!(gated, [3.0 * 1.5, 2.0 * 3.0]);
        let plain = inner(Activation::Relu, false, &bias[..2], 2).apply(&[2.0, 0.5]);
        assert_eq!(plain, [3.0, 0.0]);
    }
}
