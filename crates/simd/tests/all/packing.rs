//! Packed operands place by place, and whole products against f64.

use half::{bf16, f16};
use lookback_simd::pack::{ContiguousRows, pack_panels, pack_strip, pack_transposed};
use lookback_simd::{
    Isa, Kernel, Line, RegisterTile, Widen, lines_for, multiply, multiply_onto, widen,
};
use ndarray::{Array2, ArrayView2, s};
use proptest::prelude::*;

use crate::on_every;

/// A matrix whose number at (i, j) tells its place, with rows apart, columns apart or neither.
fn strided(rows: usize, columns: usize, layout: usize) -> Array2<f32> {
    let at = |(i, j): (usize, usize)| (i * 1000 + j + 1) as f32;
    match layout {
        0 => Array2::from_shape_fn((rows, columns), at),
        1 => Array2::from_shape_fn((columns, rows), |(j, i)| at((i, j))).reversed_axes(),
        _ => Array2::from_shape_fn((rows, columns + 3), at).slice_move(s![.., ..columns]),
    }
}

/// Packs a matrix as panels, as it is and transposed.
#[derive(Clone, Copy)]
struct Panels<'a, E>(ArrayView2<'a, E>);

impl<E: Widen> Kernel for Panels<'_, E> {
    type Output = (Vec<Line>, bool, Vec<Line>);

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let (rows, columns) = self.0.dim();
        // What was there before must not be seen.
        let mut as_it_is = vec![Line([f32::NAN; 16]); lines_for(columns) * rows];
        let finite = pack_panels(isa, self.0, &mut as_it_is);
        let mut transposed = vec![Line([f32::NAN; 16]); lines_for(rows) * columns];
        pack_transposed(isa, self.0, &mut transposed);
        (as_it_is, finite, transposed)
    }
}

/// Holds both packed forms to the matrix.
fn check_panels<E: Widen>(matrix: ArrayView2<E>) {
    let (rows, columns) = matrix.dim();
    let value = |i: usize, j: usize| matrix.get((i, j)).map_or(0.0, |x| x.to_f32());
    on_every(Panels(matrix), |name, (as_it_is, finite, transposed)| {
        assert!(finite, "{name}");
        for (at, line) in as_it_is.iter().enumerate() {
            let (panel, t) = (at / rows, at % rows);
            for (c, &x) in line.0.iter().enumerate() {
                assert_eq!(
                    x,
                    value(t, panel * 16 + c),
                    "{name}: row {t}, panel {panel}"
                );
            }
        }
        for (at, line) in transposed.iter().enumerate() {
            let (panel, t) = (at / columns, at % columns);
            for (c, &x) in line.0.iter().enumerate() {
                assert_eq!(
                    x,
                    value(panel * 16 + c, t),
                    "{name}: column {t}, panel {panel}"
                );
            }
        }
    });
}

/// A strip of any height times one panel, over all columns of A.
#[derive(Clone, Copy)]
struct Product<'a> {
    a: ArrayView2<'a, f32>,
    b: ArrayView2<'a, f32>,
    factor: f32,
}

impl Product<'_> {
    /// All rows of A, a strip of `T`'s height at a time, times all panels of B, one or two at a time.
    #[inline(always)]
    fn with<I: Isa, T: RegisterTile<I::V>>(self, isa: I) -> Array2<f32> {
        let (depth, columns) = self.b.dim();
        let per_line = Line::LEN / I::LANES;
        let in_tile = T::VECTORS / per_line;
        // A panel more, so that the last tile may be a wide one.
        let mut panels = vec![Line::ZERO; (lines_for(columns) + 1) * depth];
        pack_panels(isa, self.b, &mut panels[..lines_for(columns) * depth]);
        let mut strip = vec![Line::ZERO; lines_for(depth) * T::ROWS];
        let mut out = Array2::zeros((self.a.nrows(), (lines_for(columns) + 1) * Line::LEN));
        for first in (0..self.a.nrows()).step_by(T::ROWS) {
            let rows = first..(first + T::ROWS).min(self.a.nrows());
            pack_strip(&mut strip, self.a, rows.clone(), T::ROWS, self.factor);
            for panel in (0..lines_for(columns)).step_by(in_tile) {
                let b = [panel, panel + in_tile - 1].map(|at| &panels[at * depth..][..depth]);
                let tile = multiply::<I, T>(isa, &strip, b);
                // On top of itself, from an empty product.
                let none = [&panels[..0]; 2];
                let tile = multiply_onto(isa, tile, (&strip[..], T::ROWS), none);
                for (r, row) in rows.clone().enumerate() {
                    for v in 0..T::VECTORS {
                        let column = (panel + v / per_line) * Line::LEN + v % per_line * I::LANES;
                        let mut line = Line::ZERO;
                        isa.store(tile.row(r).as_ref()[v], &mut line.0);
                        for lane in 0..I::LANES {
                            out[[row, column + lane]] = line.0[lane];
                        }
                    }
                }
            }
        }
        out
    }
}

impl Kernel for Product<'_> {
    type Output = [Array2<f32>; 2];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        [
            self.with::<I, I::WideTile>(isa),
            self.with::<I, I::NarrowTile>(isa),
        ]
    }
}

/// Sixteen values or fewer as a line.
#[derive(Clone, Copy)]
struct WidenFirst<'a, E>(&'a [E]);

impl<E: Widen> Kernel for WidenFirst<'_, E> {
    type Output = Line;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Line {
        widen(isa, self.0)
    }
}

fn check_widened<E: Widen>(values: &[E]) {
    on_every(WidenFirst(values), |name, line| {
        for (at, &x) in line.0.iter().enumerate() {
            let exact = values.get(at).map_or(0.0, |x| x.to_f32());
            let same = x.to_bits() == exact.to_bits() || (x.is_nan() && exact.is_nan());
            assert!(same, "{name}: {x} at {at}, not {exact}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn panels_hold_every_place_and_zeros_beyond(
        rows in 1_usize..70, columns in 1_usize..40, layout in 0_usize..3
    ) {
        let matrix = strided(rows, columns, layout);
        check_panels(matrix.view());
        // Both hold whole numbers to 256 and 2,048 exactly.
        check_panels(matrix.mapv(|x| bf16::from_f32(x % 200.0)).view());
        check_panels(matrix.mapv(|x| f16::from_f32(x % 2000.0)).view());
    }

    #[test]
    fn one_value_that_is_not_finite_is_found(
        rows in 1_usize..40, columns in 1_usize..40, at in 0_usize..1600, which in 0_usize..3
    ) {
        let mut matrix = strided(rows, columns, 0);
        let value = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][which];
        matrix[[at / columns % rows, at % columns]] = value;
        on_every(Panels(matrix.view()), |name, (_, finite, _)| assert!(!finite, "{name}"));
    }

    #[test]
    fn strips_hold_every_place_and_zeros_beyond(
        rows in 1_usize..40, depth in 1_usize..40, height in 1_usize..17, first in 0_usize..40,
        layout in 0_usize..3
    ) {
        let matrix = strided(rows, depth, layout);
        let first = first % rows;
        let some = first..(first + height).min(rows);
        let mut strip = vec![Line([f32::NAN; 16]); lines_for(depth) * height];
        pack_strip(&mut strip, matrix.view(), some.clone(), height, 2.0);
        for (at, line) in strip.iter().enumerate() {
            for (c, &x) in line.0.iter().enumerate() {
                let (row, column) = (first + at % height, at / height * 16 + c);
                let value = if row < some.end { matrix.get((row, column)) } else { None };
                prop_assert_eq!(x, value.map_or(0.0, |x| 2.0 * x));
            }
        }
    }

    #[test]
    fn products_of_any_size_are_those_of_f64(
        rows in 1_usize..40, depth in 1_usize..50, columns in 1_usize..50, salt in 0_u32..1000
    ) {
        let mut state = salt;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let a = Array2::from_shape_simple_fn((rows, depth), &mut next);
        let b = Array2::from_shape_simple_fn((depth, columns), &mut next);
        let wide = |x: &Array2<f32>| x.mapv(f64::from);
        let exact = wide(&a).dot(&wide(&b)) * 0.5;
        let size = wide(&a).mapv(f64::abs).dot(&wide(&b).mapv(f64::abs)) * 0.5;
        // Each of the multiply-adds rounds at most twice, and the factor once more.
        let bound = (2 * depth + 1) as f64 * f64::from(f32::EPSILON) / 2.0;
        on_every(Product { a: a.view(), b: b.view(), factor: 0.5 }, |name, found| {
            for found in found {
                for ((at, exact), size) in exact.indexed_iter().zip(&size) {
                    let error = (f64::from(found[at]) - exact).abs();
                    assert!(error <= bound * size, "{name}: {} at {at:?}, not {exact}", found[at]);
                }
            }
        });
    }

    #[test]
    fn every_bit_pattern_of_sixteen_bits_is_widened_exactly(
        bits in prop::collection::vec(any::<u16>(), 0..20)
    ) {
        check_widened(&bits.iter().map(|&bits| f16::from_bits(bits)).collect::<Vec<_>>());
        check_widened(&bits.iter().map(|&bits| bf16::from_bits(bits)).collect::<Vec<_>>());
    }
}

#[test]
fn rows_are_copied_only_where_they_must() {
    for layout in 0..3 {
        let matrix = strided(5, 7, layout);
        let rows = ContiguousRows::new(matrix.view());
        for (i, row) in matrix.outer_iter().enumerate() {
            assert_eq!(rows.row(i), row.to_vec());
        }
        let in_place = rows.row(0).as_ptr() == matrix.as_ptr();
        assert_eq!(in_place, layout != 1, "layout {layout}");
    }
}
