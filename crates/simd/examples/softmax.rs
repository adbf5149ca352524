//! A dot product and a softmax, each written once, on every instruction set of this machine and on two emulated ones.
//!
//! `cargo run --release -p lookback-simd --example softmax`

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::f32::consts::LOG2_E;
use std::time::Instant;

use lookback_simd::math::exp2_bounded;
use lookback_simd::{Emulated, InstructionSet, Isa, Kernel, Line};

/// Σ a·b over slices of the same length.
#[derive(Clone, Copy)]
struct Dot<'a>(&'a [f32], &'a [f32]);

impl Kernel for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        // Four chains, because a multiply-add waits for the one before it.
        let mut sums = [isa.splat(0.0); 4];
        let step = 4 * I::LANES;
        let (a, b) = (self.0.chunks_exact(step), self.1.chunks_exact(step));
        let rest = a.remainder().iter().zip(b.remainder());
        let rest: f32 = rest.map(|(a, b)| a * b).sum();
        for (a, b) in a.zip(b) {
            for (v, sum) in sums.iter_mut().enumerate() {
                let (a, b) = (&a[v * I::LANES..], &b[v * I::LANES..]);
                *sum = isa.mul_add(isa.load(a), isa.load(b), *sum);
            }
        }
        let [a, b, c, d] = sums;
        isa.sum(isa.add(isa.add(a, b), isa.add(c, d))) + rest
    }
}

/// The softmax of a row that fills whole lines; what lies beyond its end is −∞, whose weight is 0.
struct Softmax<'a>(&'a mut [Line]);

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let row = Line::flat_mut(self.0);
        let mut top = isa.splat(f32::MIN);
        for x in row.chunks_exact(I::LANES) {
            top = isa.max(isa.load(x), top);
        }
        let top = isa.splat(isa.largest(top));
        // e^(x − top) = 2^((x − top) · log₂e)
        let (scale, mut sum) = (isa.splat(LOG2_E), isa.splat(0.0));
        for x in row.chunks_exact_mut(I::LANES) {
            let exponent = isa.mul(isa.sub(isa.load(x), top), scale);
            let weight = exp2_bounded(isa, exponent);
            sum = isa.add(sum, weight);
            isa.store(weight, x);
        }
        let factor = isa.splat(1.0 / isa.sum(sum));
        for x in row.chunks_exact_mut(I::LANES) {
            isa.store(isa.mul(isa.load(x), factor), x);
        }
    }
}

/// Numbers of one row.
const N: usize = 1000;

fn main() {
    let scores: Vec<f32> = (0..N).map(|i| (i * 37 % 101) as f32 / 10.0 - 5.0).collect();
    let exact = softmax(&scores);
    println!("instruction set  dot product  softmax: largest error  ns a number");
    for set in InstructionSet::available() {
        let on_set = |row: &mut [Line]| set.run(Softmax(row));
        report(
            set.name(),
            &exact,
            &scores,
            set.run(Dot(&scores, &scores)),
            on_set,
        );
    }
    let one_lane = Emulated::<1, 3, 16, 16>;
    report(
        "1 lane",
        &exact,
        &scores,
        one_lane.run(Dot(&scores, &scores)),
        |row| one_lane.run(Softmax(row)),
    );
    let sixteen_lanes = Emulated::<16, 14, 2, 1>;
    report(
        "16 lanes",
        &exact,
        &scores,
        sixteen_lanes.run(Dot(&scores, &scores)),
        |row| sixteen_lanes.run(Softmax(row)),
    );
}

/// The softmax in f64.
fn softmax(scores: &[f32]) -> Vec<f64> {
    let exps: Vec<f64> = scores.iter().map(|&x| f64::from(x).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.into_iter().map(|x| x / sum).collect()
}

/// Prints a line: how far the weights are from `exact`, relative to these, and the least time of some runs.
fn report(name: &str, exact: &[f64], scores: &[f32], dot: f32, softmax: impl Fn(&mut [Line])) {
    let mut padded = vec![Line([f32::NEG_INFINITY; Line::LEN]); N.div_ceil(Line::LEN)];
    Line::flat_mut(&mut padded)[..N].copy_from_slice(scores);
    let (mut row, mut least) = (padded.clone(), f64::INFINITY);
    for _ in 0..200 {
        row.copy_from_slice(&padded);
        let start = Instant::now();
        softmax(&mut row);
        least = least.min(start.elapsed().as_secs_f64());
    }
    let errors = Line::flat(&row).iter().zip(exact);
    let error = errors.map(|(&found, exact)| (f64::from(found) - exact).abs() / exact);
    let largest = error.fold(0.0, f64::max);
    println!(
        "{name:15}  {dot:11.3}  {largest:22.1e}  {:11.2}",
        least * 1e9 / N as f64
    );
}
