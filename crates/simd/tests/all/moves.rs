//! Loads, stores, transpositions, reductions and comparisons.

use half::{bf16, f16};

use crate::on_every;
use lookback_simd::{InstructionSet, Isa, Kernel, Line};

/// Everything that has one answer whatever the lane width.
#[derive(Clone, Copy)]
struct Moves;

impl Kernel for Moves {
    type Output = (Vec<Line>, Vec<f32>, Vec<f32>, f32, f32);

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let mut block = [Line::ZERO; 16];
        for (i, line) in block.iter_mut().enumerate() {
            line.0 = std::array::from_fn(|j| (i * 16 + j) as f32);
        }
        isa.transpose(&mut block);
        let halves: [f16; 16] = std::array::from_fn(|i| {
            f16::from_bits([0x0001, 0x3c00, 0xfbff, 0x7c00, 0x8000][i % 5])
        });
        let brains: [bf16; 16] = std::array::from_fn(|i| {
            bf16::from_bits([0x0001, 0x3f80, 0xff7f, 0x7f80, 0x8000][i % 5])
        });
        let (mut from_half, mut from_brain) = (vec![0.0; 16], vec![0.0; 16]);
        for i in (0..16).step_by(I::LANES) {
            isa.store(isa.load_f16(&halves[i..]), &mut from_half[i..]);
            isa.store(isa.load_bf16(&brains[i..]), &mut from_brain[i..]);
        }
        let ramp = isa.ramp(-3.0);
        (
            block.to_vec(),
            from_half,
            from_brain,
            isa.sum(ramp),
            isa.largest(ramp),
        )
    }
}

#[test]
fn moves_and_reductions() {
    let mut lanes = [16, 8, 4].map(|l| l as f32).to_vec();
    lanes.retain(|&l| {
        InstructionSet::available().iter().any(|s| match s.name() {
            "avx512" => l == 16.0,
            "avx2" => l == 8.0,
            _ => l == 4.0,
        })
    });
    lanes.extend([1.0, 2.0, 8.0, 16.0]);
    let mut lanes = lanes.into_iter();
    on_every(Moves, |name, (block, half, brain, sum, largest)| {
        for (i, line) in block.iter().enumerate() {
            for (j, &x) in line.0.iter().enumerate() {
                assert_eq!(x, (j * 16 + i) as f32, "{name}: transposed ({i}, {j})");
            }
        }
        for i in 0..16 {
            assert_eq!(
                half[i],
                [5.960_464_5e-8, 1.0, -65504.0, f32::INFINITY, -0.0][i % 5],
                "{name}: f16 {i}"
            );
            let exact = f32::from_bits(
                [
                    0x0001_0000,
                    0x3f80_0000,
                    0xff7f_0000,
                    0x7f80_0000,
                    0x8000_0000,
                ][i % 5],
            );
            assert_eq!(brain[i].to_bits(), exact.to_bits(), "{name}: bf16 {i}");
        }
        let l = lanes.next().expect("one width a run");
        assert_eq!(sum, l * (l - 1.0) / 2.0 - 3.0 * l, "{name}: sum");
        assert_eq!(largest, l - 4.0, "{name}: largest");
    });
}

#[test]
fn sums_and_maxima_of_sixteen_vectors() {
    #[derive(Clone, Copy)]
    struct Folds;
    impl Kernel for Folds {
        type Output = (usize, [Line; 2]);

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> (usize, [Line; 2]) {
            let (mut vectors, mut peaks) = ([isa.splat(0.0); 16], [isa.splat(0.0); 16]);
            for i in 0..16 {
                vectors[i] = isa.ramp((i * i) as f32);
                // The largest lane is another for each vector.
                let from_peak = isa.ramp(-((i % I::LANES) as f32));
                peaks[i] = isa.sub(
                    isa.splat(i as f32),
                    isa.max(from_peak, isa.sub(isa.splat(0.0), from_peak)),
                );
            }
            (I::LANES, [isa.sum_each(&vectors), isa.largest_each(&peaks)])
        }
    }
    on_every(Folds, |name, (lanes, [sums, maxima])| {
        for (i, &sum) in sums.0.iter().enumerate() {
            let exact = (0..lanes).map(|lane| (i * i + lane) as f32).sum::<f32>();
            assert_eq!(sum, exact, "{name}: {i}");
            assert_eq!(maxima.0[i], i as f32, "{name}: {i}");
        }
    });
}

#[test]
fn comparisons_and_nan() {
    #[derive(Clone, Copy)]
    struct Compare;
    impl Kernel for Compare {
        type Output = [bool; 9];

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> [bool; 9] {
            let (one, two, nan) = (isa.splat(1.0), isa.splat(2.0), isa.splat(f32::NAN));
            let is_one = |v: I::V| isa.sum(v) == I::LANES as f32;
            let is_nan = |v: I::V| isa.sum(v).is_nan();
            [
                isa.any(isa.less(one, two)) && !isa.any(isa.less(two, one)),
                !isa.any(isa.less(one, nan)) && !isa.any(isa.less(nan, one)),
                is_one(isa.max(nan, one)) && is_nan(isa.max(one, nan)),
                is_one(isa.min(nan, one)) && is_nan(isa.min(one, nan)) && is_one(isa.min(two, one)),
                is_one(isa.add_where(isa.less(two, one), one, nan))
                    && is_one(isa.add_where(isa.less(one, two), isa.sub(one, two), two)),
                is_one(isa.select(isa.less(one, two), one, nan))
                    && is_nan(isa.select(isa.less(two, one), one, nan)),
                is_one(isa.div(two, two)) && is_one(isa.sub(two, one)) && is_one(isa.mul(one, one)),
                is_one(isa.mul_add(one, two, isa.splat(-1.0))) && is_nan(isa.ldexp(nan, nan)),
                // Lanes 0 and 1 are below 2, where there are as many.
                isa.bits(isa.less(isa.ramp(0.0), two)) == 0b11 >> (2 - I::LANES.min(2)),
            ]
        }
    }
    on_every(Compare, |name, holds| {
        assert_eq!(holds, [true; 9], "{name}")
    });
}
