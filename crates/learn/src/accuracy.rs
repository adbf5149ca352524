//! How often a model points at the right name.

use candle_core::DType;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::attention::{Options, similarity};
use crate::batch::{Example, Table};
use crate::error::Error;
use crate::model::{Input, Pointer, loss};

/// Examples that are run at a time.
const BATCH: usize = 128;

/// What was measured on a set of examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Share of the examples whose answer gets more weight than the other candidate, the mean over the heads.
    pub accuracy: f64,
    /// Mean weight on the answer.
    pub on_answer: f64,
    /// Mean weight on the other candidate.
    pub on_other: f64,
    /// How many examples there are.
    pub count: usize,
}

/// The weight on each candidate, the mean over the pointer's heads, for each example.
///
/// # Errors
/// As [`Pointer::masses`].
pub fn masses(
    model: &Pointer,
    table: &Table,
    examples: &[Example],
) -> Result<Vec<[f64; 2]>, Error> {
    gather(table, examples, |input| Ok(model.masses(input)?.mean(1)?))
}

/// The same from the similarity of embeddings alone: softmax(x_i · x_j / √d), no trained matrix, no position.
///
/// # Errors
/// As [`similarity`].
pub fn similarity_masses(table: &Table, examples: &[Example]) -> Result<Vec<[f64; 2]>, Error> {
    gather(table, examples, |input| {
        let lengths = input.rows.iter().map(|row| row + 1).collect();
        let z = similarity(
            &input.x,
            &input.candidates,
            &Options::default().with_key_lengths(lengths),
        )?;
        let rows = input
            .rows
            .iter()
            .enumerate()
            .map(|(text, &row)| Ok(z.get(text)?.get(row)?));
        Ok(candle_core::Tensor::stack(
            &rows.collect::<Result<Vec<_>, Error>>()?,
            0,
        )?)
    })
}

fn gather(
    table: &Table,
    examples: &[Example],
    masses: impl Fn(&Input) -> Result<candle_core::Tensor, Error>,
) -> Result<Vec<[f64; 2]>, Error> {
    let mut all = Vec::with_capacity(examples.len());
    for part in examples.chunks(BATCH) {
        let found = masses(&table.input(part, None)?)?
            .to_dtype(DType::F64)?
            .to_vec2::<f64>()?;
        all.extend(found.into_iter().map(|row| [row[0], row[1]]));
    }
    Ok(all)
}

/// Mean loss on a set of examples, and what [`measure`] says of it.
///
/// # Errors
/// As [`masses`].
pub fn validate(
    model: &Pointer,
    table: &Table,
    examples: &[Example],
    (coverage, floor): (f64, f64),
) -> Result<(f64, Measured), Error> {
    let masses = masses(model, table, examples)?;
    let answers: Vec<u32> = examples.iter().map(|example| example.answer).collect();
    let tensor = candle_core::Tensor::from_iter(
        masses.iter().flatten().copied(),
        &candle_core::Device::Cpu,
    )?;
    let loss = loss(
        &tensor.reshape((masses.len(), 1, 2))?,
        &answers,
        coverage,
        floor,
    )?;
    Ok((loss.to_scalar::<f64>()?, measure(&masses, examples)))
}

/// Accuracy and mean weights; a tie is half right.
#[must_use]
pub fn measure(masses: &[[f64; 2]], examples: &[Example]) -> Measured {
    let count = masses.len();
    let mut sums = [0.0; 3];
    sums[0] = correct(masses, examples).iter().sum();
    for (masses, example) in masses.iter().zip(examples) {
        let answer = example.answer as usize;
        sums[1] += masses[answer];
        sums[2] += masses[1 - answer];
    }
    let [accuracy, on_answer, on_other] = sums.map(|sum| sum / count.max(1) as f64);
    Measured {
        accuracy,
        on_answer,
        on_other,
        count,
    }
}

/// 1 for each example that is answered rightly, a half for a tie, 0 else.
#[must_use]
pub fn correct(masses: &[[f64; 2]], examples: &[Example]) -> Vec<f64> {
    let one = |(masses, example): (&[f64; 2], &Example)| {
        let answer = example.answer as usize;
        match masses[answer].total_cmp(&masses[1 - answer]) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        }
    };
    masses.iter().zip(examples).map(one).collect()
}

/// The 95% interval of the mean of `values` by the percentile bootstrap (Efron 1979), 2,000 resamples.
#[must_use]
pub fn interval(values: &[f64], seed: u64) -> [f64; 2] {
    const RESAMPLES: usize = 2_000;
    if values.is_empty() {
        return [f64::NAN; 2];
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut mean = || {
        let sum: f64 = (0..values.len())
            .map(|_| values[rng.random_range(0..values.len())])
            .sum();
        sum / values.len() as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| mean()).collect();
    means.sort_by(f64::total_cmp);
    [means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_mean_and_narrows_with_more_values() {
        let values = |count: usize| -> Vec<f64> {
            (0..count).map(|i| f64::from(u8::from(i % 4 > 0))).collect()
        };
        let [low, high] = interval(&values(100), 1);
        assert!(low < 0.75 && 0.75 < high && (0.6..0.75).contains(&low));
        let [narrow_low, narrow_high] = interval(&values(10_000), 1);
        assert!(narrow_high - narrow_low < (high - low) / 5.0);
    }

    #[test]
    fn a_tie_is_half_right() {
        let example = |answer| Example {
            ids: vec![1],
            candidates: [vec![0], vec![0]],
            answer,
        };
        let examples = [example(0), example(1), example(1)];
        let measured = measure(&[[0.6, 0.1], [0.3, 0.3], [0.4, 0.2]], &examples);
        assert_eq!(measured.accuracy, 0.5);
        assert!((measured.on_answer - 1.1 / 3.0).abs() < 1e-12);
    }
}
