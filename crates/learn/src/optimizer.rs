//! AdamW (Loshchilov & Hutter 2019, <https://arxiv.org/abs/1711.05101>), whose state can be saved.
//!
//! candle-nn's has the same arithmetic, but does not give its moments away, and a run could not be resumed without them.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::parameters::Parameters;
use crate::values::with_values;

/// Numbers of one task.
const CHUNK: usize = 1 << 14;

/// Constants of the optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// ε in the denominator.
    pub eps: f64,
    /// Decay of matrices, times the learning rate; gains are not decayed.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.1,
        }
    }
}

/// First and second moments of every parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moments {
    /// By name: first and second moment, as many numbers as the parameter has.
    pub(crate) by_name: BTreeMap<String, [Vec<f32>; 2]>,
    /// Steps done.
    pub(crate) steps: usize,
}

impl AdamW {
    /// One step at `learning_rate` along `gradients`, each multiplied by `factor` first.
    ///
    /// # Errors
    /// [`Error::Tensor`] where a parameter has no gradient.
    pub fn step(
        &self,
        parameters: &Parameters,
        gradients: &GradStore,
        moments: &mut Moments,
        (learning_rate, factor): (f64, f64),
    ) -> Result<(), Error> {
        moments.steps += 1;
        let steps = i32::try_from(moments.steps).unwrap_or(i32::MAX);
        let correction1 = 1.0 - self.beta1.powi(steps);
        let correction2 = 1.0 - self.beta2.powi(steps);
        for (name, var) in parameters.iter() {
            let size = var.elem_count();
            let moments = moments.by_name.entry(name.to_owned());
            let moments = moments.or_insert_with(|| [vec![0.0; size], vec![0.0; size]]);
            let decay = if var.rank() > 1 {
                learning_rate * self.weight_decay
            } else {
                0.0
            };
            let factors = Factors {
                gradient: factor as f32,
                first: self.beta1 as f32,
                second: self.beta2 as f32,
                kept: (1.0 - decay) as f32,
                rate: (learning_rate / correction1) as f32,
                root: correction2.sqrt().recip() as f32,
                eps: self.eps as f32,
            };
            let gradient = gradient(gradients, name, var.as_tensor())?;
            let values = with_values(var.as_tensor(), |values| {
                with_values(gradient, |gradient| {
                    Ok(factors.apply(values, gradient, moments))
                })
            })?;
            var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu)?)?;
        }
        Ok(())
    }
}

/// What one step does to every number of a parameter.
struct Factors {
    gradient: f32,
    first: f32,
    second: f32,
    kept: f32,
    rate: f32,
    root: f32,
    eps: f32,
}

impl Factors {
    /// The parameter's new values; moves its moments.
    fn apply(&self, values: &[f32], gradient: &[f32], moments: &mut [Vec<f32>; 2]) -> Vec<f32> {
        let mut values = values.to_vec();
        let [first, second] = moments;
        let parts = values.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        let moments = first
            .par_chunks_mut(CHUNK)
            .zip(second.par_chunks_mut(CHUNK));
        parts
            .zip(moments)
            .for_each(|((values, gradient), (first, second))| {
                let moments = first.iter_mut().zip(second);
                for ((value, &g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
                    let g = g * self.gradient;
                    *m = self.first * *m + (1.0 - self.first) * g;
                    *v = self.second * *v + (1.0 - self.second) * g * g;
                    *value =
                        *value * self.kept - self.rate * *m / (v.sqrt() * self.root + self.eps);
                }
            });
        values
    }
}

/// ‖all gradients‖, in f64.
///
/// # Errors
/// [`Error::Tensor`] where a parameter has no gradient.
pub fn norm(parameters: &Parameters, gradients: &GradStore) -> Result<f64, Error> {
    let mut sum = 0.0;
    for (name, var) in parameters.iter() {
        let gradient = gradient(gradients, name, var.as_tensor())?;
        // Parts of fixed length, so that the sum is the same on any number of threads.
        let parts: Vec<f64> = with_values(gradient, |gradient: &[f32]| {
            let part = |part: &[f32]| part.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
            Ok(gradient.par_chunks(CHUNK).map(part).collect())
        })?;
        sum += parts.iter().sum::<f64>();
    }
    Ok(sum.sqrt())
}

/// A parameter's gradient. That there is none is an error: some of candle's operations drop gradients silently.
fn gradient<'a>(gradients: &'a GradStore, name: &str, var: &Tensor) -> Result<&'a Tensor, Error> {
    gradients.get(var).ok_or_else(|| {
        Error::Tensor(candle_core::Error::msg(format!(
            "the loss does not depend on parameter {name}"
        )))
    })
}

/// The learning rate of step `step` of `steps`: rises over `warmup` steps, then falls as a half cosine to a tenth.
#[must_use]
pub fn schedule(peak: f64, step: usize, steps: usize, warmup: usize) -> f64 {
    if step < warmup {
        return peak * (step + 1) as f64 / warmup as f64;
    }
    let part = (step - warmup) as f64 / (steps - warmup).max(1) as f64;
    peak * (0.1 + 0.45 * (1.0 + (std::f64::consts::PI * part.min(1.0)).cos()))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};
    use candle_nn::Optimizer as _;

    use super::*;

    #[test]
    fn steps_are_those_of_the_library() {
        let start: Vec<f32> = (0..12).map(|i| (i as f32).sin()).collect();
        let var = || {
            Var::from_tensor(&Tensor::from_vec(start.clone(), (3, 4), &Device::Cpu).unwrap())
                .unwrap()
        };
        let (ours, theirs) = (var(), var());
        let mut parameters = Parameters::default();
        parameters.insert("w", ours.clone());
        let settings = AdamW::default();
        let mut moments = Moments::default();
        let params = candle_nn::ParamsAdamW {
            lr: 0.01,
            beta1: settings.beta1,
            beta2: settings.beta2,
            eps: settings.eps,
            weight_decay: settings.weight_decay,
        };
        let mut library = candle_nn::AdamW::new(vec![theirs.clone()], params).unwrap();
        for _ in 0..5 {
            let loss = |var: &Var| var.sqr().unwrap().sqr().unwrap().sum_all().unwrap();
            let gradients = loss(&ours).backward().unwrap();
            settings
                .step(&parameters, &gradients, &mut moments, (0.01, 1.0))
                .unwrap();
            library.backward_step(&loss(&theirs)).unwrap();
        }
        let difference = (ours.as_tensor() - theirs.as_tensor())
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap();
        // A few roundings of f32 in another order.
        assert!(
            difference
                .to_dtype(DType::F64)
                .unwrap()
                .to_scalar::<f64>()
                .unwrap()
                < 1e-6
        );
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let rates: Vec<f64> = (0..100).map(|step| schedule(1.0, step, 100, 10)).collect();
        assert_eq!(rates[9], 1.0);
        assert!(rates[..10].is_sorted() && rates[10..].is_sorted_by(|a, b| a >= b));
        assert!(rates[99] < 0.11);
    }
}
