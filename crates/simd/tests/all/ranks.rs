//! Bits of comparisons: which lanes, and which of many values lead.

use crate::on_every;
use lookback_simd::{Isa, Kernel, Line};

/// Whole numbers, some equal, one NaN with a sign.
fn ranked(len: usize) -> Vec<Line> {
    let value = |i: usize| match i {
        21 => -f32::NAN,
        _ => ((i * 37) % 61) as f32,
    };
    (0..len)
        .map(|l| Line(std::array::from_fn(|i| value(l * Line::LEN + i))))
        .collect()
}

#[test]
fn lanes_not_below_a_bound() {
    #[derive(Clone, Copy)]
    struct NotBelow;
    impl Kernel for NotBelow {
        type Output = [u64; 2];

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> [u64; 2] {
            let lines = ranked(4).try_into().expect("four");
            let bound = isa.splat(40.0);
            let twice = [Line([2.0; 16]); 4];
            [
                isa.not_below(&lines, None, bound),
                isa.not_below(&lines, Some(&twice), bound),
            ]
        }
    }
    let lines = ranked(4);
    let expected = [40.0, 20.0].map(|bound| {
        let values = Line::flat(&lines).iter().enumerate();
        values.fold(0_u64, |bits, (i, &x)| {
            bits | u64::from(x >= bound || x.is_nan()) << i
        })
    });
    on_every(NotBelow, |name, bits| assert_eq!(bits, expected, "{name}"));
}

#[test]
fn the_leading_values() {
    #[derive(Clone, Copy)]
    struct Leading {
        lines: usize,
        k: usize,
    }
    impl Kernel for Leading {
        type Output = u64;

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> u64 {
            isa.leading(&ranked(self.lines), self.k)
        }
    }
    for lines in 1..=4 {
        let ranked = ranked(lines);
        let values = Line::flat(&ranked);
        for k in [1, 2, 7, 16, lines * Line::LEN] {
            // Whole numbers below 64 differ in their upper halves.
            let is_larger = |a: f32, b: f32| a > b || (a.is_nan() && !b.is_nan());
            let larger = |x: f32| values.iter().filter(|&&y| is_larger(y, x)).count();
            let leads = values.iter().map(|&x| larger(x) < k);
            let expected = (0..)
                .zip(leads)
                .fold(0, |bits, (i, x)| bits | u64::from(x) << i);
            on_every(Leading { lines, k }, |name, bits| {
                assert_eq!(bits, expected, "{name}: {k} of {lines} lines");
            });
        }
    }
}
