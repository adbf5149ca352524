//! Every table against scalar arithmetic, and the generic functions at every lane width.

use half::{bf16, f16};

use super::math::{exp2, exp2_bounded, tanh};
use super::portable::Shaped;
use super::*;

/// Runs a kernel on every instruction set of this machine and on emulated shapes.
fn on_every<K: Kernel + Copy>(kernel: K, mut check: impl FnMut(&str, K::Output)) {
    for set in InstructionSet::available() {
        check(set.name(), set.run(kernel));
    }
    check("1 lane", Shaped::<1, 3, 16, 16>.run(kernel));
    check("2 lanes", Shaped::<2, 3, 8, 8>.run(kernel));
    check("8 lanes, 6×16", Shaped::<8, 6, 2, 2>.run(kernel));
    check("16 lanes, 14×32", Shaped::<16, 14, 2, 1>.run(kernel));
}

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
        0.,
        0.,
        0.,
        0.,
        0.,
        0.,
        0.,
        0.,
    ];
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
        0.,
        0.,
        0.,
        0.,
        0.,
        0.,
        0.,
        0.,
    ];
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

/// A strip times panels, wide and narrow.
#[derive(Clone, Copy)]
struct Product {
    depth: usize,
}

impl Product {
    fn a(r: usize, t: usize) -> f32 {
        ((r * 31 + t * 7) % 13) as f32 - 6.0
    }

    fn b(t: usize, c: usize) -> f32 {
        ((t * 5 + c * 11) % 17) as f32 - 8.0
    }
}

impl Kernel for Product {
    type Output = [Vec<Vec<f32>>; 2];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let rows = I::Tile::ROWS;
        let mut a = vec![Line::ZERO; lines_for(self.depth) * rows];
        let mut b = vec![Line::ZERO; 2 * self.depth];
        for t in 0..self.depth {
            for r in 0..rows {
                a[t / 16 * rows + r].0[t % 16] = Product::a(r, t);
            }
            for c in 0..32 {
                b[c / 16 * self.depth + t].0[c % 16] = Product::b(t, c);
            }
        }
        let panels = [&b[..self.depth], &b[self.depth..]];
        [
            unpack(isa, &multiply::<I, I::Tile>(isa, &a, panels)),
            unpack(isa, &multiply::<I, I::Narrow>(isa, &a, panels)),
        ]
    }
}

#[inline(always)]
fn unpack<I: Isa, T: Tile<I::V>>(isa: I, tile: &T) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    for r in 0..T::ROWS {
        let mut row = vec![0.0; T::VECTORS * I::LANES];
        for v in 0..T::VECTORS {
            isa.store(tile.row(r).as_ref()[v], &mut row[v * I::LANES..]);
        }
        rows.push(row);
    }
    rows
}

#[test]
fn multiply_at_every_depth() {
    for depth in (1..=49).chain([64, 100, 256]) {
        // Small whole numbers: exact in f32, so that any order of the sums agrees.
        on_every(Product { depth }, |name, tiles| {
            for tile in tiles {
                for (r, row) in tile.iter().enumerate() {
                    for (c, &x) in row.iter().enumerate() {
                        let exact: f32 = (0..depth)
                            .map(|t| Product::a(r, t) * Product::b(t, c))
                            .sum();
                        assert_eq!(x, exact, "{name}: depth {depth}, row {r}, column {c}");
                    }
                }
            }
        });
    }
}

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
fn sums_of_sixteen_vectors() {
    #[derive(Clone, Copy)]
    struct Sums;
    impl Kernel for Sums {
        type Output = (usize, Line);

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> (usize, Line) {
            let mut vectors = [isa.splat(0.0); 16];
            for i in 0..16 {
                vectors[i] = isa.ramp((i * i) as f32);
            }
            (I::LANES, isa.sum_each(&vectors))
        }
    }
    on_every(Sums, |name, (lanes, sums)| {
        for (i, &sum) in sums.0.iter().enumerate() {
            let exact = (0..lanes).map(|lane| (i * i + lane) as f32).sum::<f32>();
            assert_eq!(sum, exact, "{name}: {i}");
        }
    });
}

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
        type Output = u64;

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> u64 {
            let lines = ranked(4);
            let mut vectors = [isa.splat(0.0); 16];
            for v in 0..64 / I::LANES {
                vectors[v] = isa.load(&Line::flat(&lines)[v * I::LANES..]);
            }
            isa.not_below(&vectors, isa.splat(40.0))
        }
    }
    let lines = ranked(4);
    let values = Line::flat(&lines).iter().enumerate();
    let expected = values.fold(0, |bits, (i, &x)| bits | u64::from(!(x < 40.0)) << i);
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
            // Whole numbers below 64 are told apart by their upper halves.
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

#[test]
fn instruction_sets_by_name() {
    assert!(InstructionSet::named("mmx").is_err());
    for set in InstructionSet::available() {
        assert_eq!(
            InstructionSet::named(set.name()).map(|s| s.name()),
            Ok(set.name())
        );
    }
}
