//! Named trainable tensors.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::config::Config;
use crate::error::Error;

/// Trainable tensors by name, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Parameters(BTreeMap<String, Var>);

/// Name of a layer's parameter.
pub(crate) fn name(layer: usize, part: &str) -> String {
    format!("blk.{layer}.{part}")
}

impl Parameters {
    /// Fresh parameters of a model, drawn by `seed`: matrices \[in, out\] of variance 1/in, gains of 1, and what a
    /// layer adds to its input begins small.
    ///
    /// # Errors
    /// [`Error::Tensor`] where memory runs out.
    pub fn new(config: &Config, seed: u64) -> Result<Self, Error> {
        config.check()?;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut parameters = Self::default();
        for (name, shape, deviation) in shapes(config) {
            let tensor = match deviation {
                Some(deviation) => normal(&mut rng, &shape, deviation)?,
                None => Tensor::ones(shape.as_slice(), DType::F32, &Device::Cpu)?,
            };
            parameters.0.insert(name, Var::from_tensor(&tensor)?);
        }
        Ok(parameters)
    }

    /// The same in another type, as independent variables.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn to_dtype(&self, dtype: DType) -> Result<Self, Error> {
        let mut out = Self::default();
        for (name, var) in self.iter() {
            out.0
                .insert(name.to_owned(), Var::from_tensor(&var.to_dtype(dtype)?)?);
        }
        Ok(out)
    }

    /// Adds or replaces a parameter.
    pub fn insert(&mut self, name: &str, var: Var) {
        self.0.insert(name.to_owned(), var);
    }

    /// A parameter.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is none of this name.
    pub fn get(&self, name: &str) -> Result<&Var, Error> {
        self.0.get(name).ok_or_else(|| {
            Error::Tensor(candle_core::Error::msg(format!(
                "there is no parameter {name}"
            )))
        })
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.0.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// How many numbers are trained.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(|var| var.elem_count()).sum()
    }

    /// The numbers of all, each as its own tensor.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn snapshot(&self) -> Result<BTreeMap<String, Tensor>, Error> {
        let copy =
            |(name, var): (&String, &Var)| Ok((name.clone(), var.as_tensor().copy()?.detach()));
        self.0.iter().map(copy).collect()
    }

    /// Puts numbers back that [`Parameters::snapshot`] gave.
    ///
    /// # Errors
    /// [`Error::Tensor`] where names or shapes differ.
    pub fn restore(&self, snapshot: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        for (name, tensor) in snapshot {
            self.get(name)?.set(tensor)?;
        }
        Ok(())
    }
}

/// Names, shapes and standard deviations (none for a gain of ones) of a model's parameters.
fn shapes(config: &Config) -> Vec<(String, Vec<usize>, Option<f64>)> {
    let Config {
        d,
        heads,
        d_k,
        d_v,
        layers,
        ..
    } = *config;
    let by_inputs = |inputs: usize| Some((inputs as f64).sqrt().recip());
    let mut all = Vec::new();
    for layer in 0..layers {
        let mut add = |part: &str, shape: Vec<usize>, deviation| {
            all.push((name(layer, part), shape, deviation))
        };
        if config.norm {
            add("attn_norm", vec![d], None);
        }
        add("attn_q", vec![d, heads * d_k], by_inputs(d));
        add("attn_k", vec![d, heads * d_k], by_inputs(d));
        if layer + 1 == layers {
            continue;
        }
        add("attn_v", vec![d, heads * d_v], by_inputs(d));
        add(
            "attn_output",
            vec![heads * d_v, d],
            by_inputs(heads * d_v).map(|x| x * 0.5),
        );
        if let Some(inner) = config.mlp {
            if config.norm {
                add("ffn_norm", vec![d], None);
            }
            add("ffn_up", vec![d, inner], by_inputs(d));
            add(
                "ffn_down",
                vec![inner, d],
                by_inputs(inner).map(|x| x * 0.5),
            );
        }
    }
    all
}

/// Numbers of a normal distribution (Box and Muller 1958).
fn normal(rng: &mut StdRng, shape: &[usize], deviation: f64) -> Result<Tensor, Error> {
    let count: usize = shape.iter().product();
    let mut draw = || {
        let (u, v): (f64, f64) = (rng.random(), rng.random());
        ((-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos() * deviation) as f32
    };
    let values: Vec<f32> = (0..count).map(|_| draw()).collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}
