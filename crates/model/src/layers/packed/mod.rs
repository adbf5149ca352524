//! Matrices of f32, packed once for many products.

mod product;

use lookback_simd::pack::pack_transposed;
use lookback_simd::{InstructionSet, Isa, Kernel, Line, lines_for};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use product::Product;

/// A matrix W \[inputs, outputs\] in the order in which the microkernel reads it: sixteen outputs at a time.
pub(crate) struct Packed {
    /// `[outputs/16 rounded up][inputs][16]`, 0 beyond the last output.
    panels: Vec<Line>,
    inputs: usize,
    outputs: usize,
}

impl Packed {
    /// Packs a matrix whose rows Wᵀ `rows` writes: as many of the \[outputs, inputs\] as its second argument holds, from its first
    /// on. Never is more of it in memory twice than sixteen rows a thread.
    pub(crate) fn new<E: Send>(
        (inputs, outputs): (usize, usize),
        rows: impl Fn(usize, &mut [f32]) -> Result<(), E> + Sync,
    ) -> Result<Self, E> {
        let set = InstructionSet::best();
        let mut panels = vec![Line::ZERO; lines_for(outputs) * inputs];
        panels
            .par_chunks_mut(inputs.max(1))
            .enumerate()
            .try_for_each_init(Vec::new, |buffer, (panel, lines)| {
                let first = panel * Line::LEN;
                buffer.resize((outputs - first).min(Line::LEN) * inputs, 0.0);
                rows(first, buffer)?;
                let rows = ArrayView2::from_shape((buffer.len() / inputs, inputs), buffer);
                let rows = rows.expect("whole rows");
                set.run(Pack { rows, lines });
                Ok(())
            })?;
        Ok(Self {
            panels,
            inputs,
            outputs,
        })
    }

    /// Columns of a product.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The matrix, \[inputs, outputs\].
    pub(crate) fn dense(&self) -> Array2<f32> {
        Array2::from_shape_fn((self.inputs, self.outputs), |(input, output)| {
            self.panels[output / Line::LEN * self.inputs + input].0[output % Line::LEN]
        })
    }

    /// x·W for `x` \[rows, inputs\]: \[rows, outputs\].
    ///
    /// Each number is one chain of multiply-adds in the order of the inputs, so that it has the same bits whatever rows are
    /// multiplied beside its own and however many threads take part.
    pub(crate) fn times(&self, x: &[f32], rows: usize) -> Vec<f32> {
        let mut out = vec![0.0; rows * self.outputs];
        self.times_into(InstructionSet::best(), x, &mut out);
        out
    }

    fn times_into(&self, set: InstructionSet, x: &[f32], out: &mut [f32]) {
        if !out.is_empty() {
            set.run(Product {
                x,
                panels: &self.panels,
                inputs: self.inputs,
                outputs: self.outputs,
                out,
            });
        }
    }
}

/// Packs one panel.
struct Pack<'a> {
    /// Up to sixteen rows of Wᵀ.
    rows: ArrayView2<'a, f32>,
    /// \[inputs\]
    lines: &'a mut [Line],
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        pack_transposed(isa, self.rows, self.lines);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn value(at: usize) -> f32 {
        ((at * 7919 + 13) % 1009) as f32 / 504.0 - 1.0
    }

    fn packed(inputs: usize, outputs: usize) -> Packed {
        let rows = |first: usize, rows: &mut [f32]| {
            for (at, x) in rows.iter_mut().enumerate() {
                *x = value(first * inputs + at);
            }
            Ok::<_, Infallible>(())
        };
        Packed::new((inputs, outputs), rows).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn products_are_those_in_f64(
            inputs in 1..700_usize,
            outputs in 1..150_usize,
            rows in 1..230_usize,
        ) {
            let matrix = packed(inputs, outputs);
            let x: Vec<f32> = (0..rows * inputs).map(|at| value(at * 3 + 5)).collect();
            for set in InstructionSet::available() {
            let mut found = vec![0.0; rows * outputs];
            matrix.times_into(set, &x, &mut found);
            for (row, output) in [(0, 0), (rows / 2, outputs / 2), (rows - 1, outputs - 1), (rows - 1, 0)] {
                let exact: f64 = (0..inputs)
                    .map(|i| f64::from(x[row * inputs + i]) * f64::from(value(output * inputs + i)))
                    .sum();
                // Each of the terms, at most 1, is rounded once as it is added.
                let off = (f64::from(found[row * outputs + output]) - exact).abs();
                prop_assert!(off < 1e-6 * inputs as f64, "{} {row}, {output}: off by {off}", set.name());
            }
            }
        }

        #[test]
        fn a_row_has_the_bits_that_it_has_alone(
            inputs in 1..600_usize,
            outputs in 1..80_usize,
            rows in 2..120_usize,
        ) {
            let matrix = packed(inputs, outputs);
            let x: Vec<f32> = (0..rows * inputs).map(|at| value(at * 3 + 5)).collect();
            let all = matrix.times(&x, rows);
            for row in [0, rows / 2, rows - 1] {
                let alone = matrix.times(&x[row * inputs..][..inputs], 1);
                prop_assert_eq!(&all[row * outputs..][..outputs], &alone[..]);
            }
        }
    }

    #[test]
    fn every_number_is_written_and_none_beyond() {
        // Small whole numbers: exact in f32, whatever the order of the sums.
        for (rows, inputs, outputs) in [
            (1, 1, 1),
            (5, 16, 16),
            (7, 33, 31),
            (200, 300, 17),
            (97, 257, 65),
        ] {
            let small = |at: usize| (at % 5) as f32 - 2.0;
            let write = |first: usize, out: &mut [f32]| {
                for (at, x) in out.iter_mut().enumerate() {
                    *x = small(first * inputs + at);
                }
                Ok::<_, Infallible>(())
            };
            let matrix = Packed::new((inputs, outputs), write).unwrap();
            let dense = Array2::from_shape_fn((inputs, outputs), |(i, o)| small(o * inputs + i));
            assert_eq!(matrix.dense(), dense);
            let x = Array2::from_shape_fn((rows, inputs), |(r, i)| small(r * 3 + i));
            let exact = x.dot(&dense).into_raw_vec_and_offset().0;
            for set in InstructionSet::available() {
                let mut found = vec![f32::NAN; rows * outputs];
                matrix.times_into(set, x.as_slice().unwrap(), &mut found);
                assert_eq!(found, exact, "{}", set.name());
            }
        }
    }

    #[test]
    fn not_a_number_stays_in_its_row() {
        let matrix = packed(20, 18);
        let mut x = vec![1.0; 3 * 20];
        x[25] = f32::NAN;
        let found = matrix.times(&x, 3);
        let nan: Vec<bool> = found.iter().map(|x| x.is_nan()).collect();
        let expected: Vec<bool> = (0..54).map(|at| (18..36).contains(&at)).collect();
        assert_eq!(nan, expected);
    }
}
