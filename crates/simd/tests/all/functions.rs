//! Elementary functions.

use crate::on_every;
use lookback_simd::math::{exp2, exp2_bounded, tanh};
use lookback_simd::{Isa, Kernel};

/// Applies one vector function to `0` lane by lane.
#[derive(Clone, Copy)]
struct Map<'a, F>(&'a [f32], F);

/// A vector function, by name.
#[derive(Clone, Copy)]
enum Function {
    Exp2,
    Exp2Bounded,
    Tanh,
    Round,
}

impl Kernel for Map<'_, Function> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<f32> {
        let mut out = vec![0.0; self.0.len()];
        for (x, y) in self
            .0
            .chunks_exact(I::LANES)
            .zip(out.chunks_exact_mut(I::LANES))
        {
            let x = isa.load(x);
            let value = match self.1 {
                Function::Exp2 => exp2(isa, x),
                Function::Exp2Bounded => exp2_bounded(isa, x),
                Function::Tanh => tanh(isa, x),
                Function::Round => isa.round(x),
            };
            isa.store(value, y);
        }
        out
    }
}

/// `lo` to `hi` in steps that hit no pattern, a multiple of sixteen of them.
fn grid(lo: f32, hi: f32, count: usize) -> Vec<f32> {
    (0..count * 16)
        .map(|i| lo + (hi - lo) * (i as f32 / (count * 16 - 1) as f32))
        .collect()
}

/// `xs` and zeros up to a whole line.
fn padded(xs: &[f32]) -> Vec<f32> {
    let mut all = xs.to_vec();
    all.resize(xs.len().next_multiple_of(16), 0.0);
    all
}

#[test]
fn exp2_is_within_two_units_in_the_last_place() {
    let xs = grid(-126.0, 127.0, 20_000);
    for function in [Function::Exp2, Function::Exp2Bounded] {
        on_every(Map(&xs, function), |name, ys| {
            for (x, y) in xs.iter().zip(ys) {
                let exact = f64::from(*x).exp2();
                let error = (f64::from(y) - exact).abs() / exact;
                assert!(
                    error < 2.0 * f64::from(f32::EPSILON),
                    "{name}: 2^{x} = {y}, not {exact}"
                );
            }
        });
    }
}

#[test]
fn exp2_at_its_ends() {
    // NaN with a payload too: its low bits must not reach the exponent.
    let nan = f32::from_bits(0x7fc0_0001);
    let xs = [
        f32::NEG_INFINITY,
        f32::MIN,
        -1e6,
        -151.0,
        -150.0,
        nan,
        -nan,
        f32::NAN,
        0.0,
        1.0,
        -1.0,
        8.0,
        -126.0,
        100.0,
        127.0,
        -0.0,
    ];
    for function in [Function::Exp2, Function::Exp2Bounded] {
        on_every(Map(&xs, function), |name, ys| {
            for (x, y) in xs.iter().zip(ys) {
                let exact = x.exp2();
                let same = if exact.is_nan() {
                    y.is_nan()
                } else {
                    y == exact || (*x == -150.0 && y == 0.0)
                };
                assert!(same, "{name}: 2^{x} = {y}, not {exact}");
            }
        });
    }
    let xs = [
        f32::INFINITY,
        f32::MAX,
        128.0,
        129.0,
        1e4,
        127.999,
        127.5,
        127.0,
    ];
    let xs = padded(&xs);
    on_every(Map(&xs, Function::Exp2), |name, ys| {
        for (x, y) in xs.iter().zip(ys) {
            let exact = x.exp2();
            assert!(
                y == exact || (y / exact - 1.0).abs() < 3e-7,
                "{name}: 2^{x} = {y}, not {exact}"
            );
        }
    });
    // Between the least normal number and 0 the error stays below the least normal number.
    let xs = grid(-152.0, -126.0, 500);
    on_every(Map(&xs, Function::Exp2Bounded), |name, ys| {
        for (x, y) in xs.iter().zip(ys) {
            assert!(
                y >= 0.0 && (y - x.exp2()).abs() < f32::MIN_POSITIVE,
                "{name}: 2^{x} = {y:e}"
            );
        }
    });
}

#[test]
fn tanh_is_accurate_near_zero_and_saturates() {
    let mut xs = grid(-12.0, 12.0, 5_000);
    xs.extend(grid(-0.4, 0.4, 5_000));
    xs.extend((0..160).map(|i| 2f32.powi(-i / 2) * if i % 2 == 0 { 1.0 } else { -1.0 }));
    on_every(Map(&xs, Function::Tanh), |name, ys| {
        for (x, y) in xs.iter().zip(ys) {
            let exact = f64::from(*x).tanh();
            let error = (f64::from(y) - exact).abs();
            assert!(
                error <= 8.0 * f64::from(f32::EPSILON) * exact.abs(),
                "{name}: tanh {x} = {y}, not {exact}"
            );
        }
    });
    let xs = [
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e30,
        -1e30,
        0.0,
        40.0,
        -40.0,
    ];
    let xs = padded(&xs);
    on_every(Map(&xs, Function::Tanh), |name, ys| {
        for (x, y) in xs.iter().zip(ys) {
            let exact = x.tanh();
            assert!(
                y == exact || (y.is_nan() && exact.is_nan()),
                "{name}: tanh {x} = {y}, not {exact}"
            );
        }
    });
}

#[test]
fn round_takes_ties_to_even() {
    let mut xs = grid(-200.0, 200.0, 400);
    xs.extend([
        0.5,
        1.5,
        2.5,
        -0.5,
        -1.5,
        -2.5,
        1e9,
        -1e9,
        8_388_607.5,
        4_194_303.5,
        16_777_216.0,
        3e38,
        0.0,
        -0.0,
        0.49999997,
        126.5,
    ]);
    on_every(Map(&xs, Function::Round), |name, ys| {
        for (x, y) in xs.iter().zip(ys) {
            assert_eq!(y, x.round_ties_even(), "{name}: {x}");
        }
    });
}
