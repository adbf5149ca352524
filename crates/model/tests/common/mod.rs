//! What several test files need: the default model, and tensors of reference data.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lookback_model::store::{self, Silent};
use lookback_model::{LoadOptions, Model, WeightsKind};
use ndarray::{ArrayD, ArrayView1};
use safetensors::{Dtype, SafeTensors};

/// The default model's file, fetched on first use.
pub(crate) fn default_model_path() -> PathBuf {
    store::default_model(&Silent)
        .expect("the default model is in the cache or can be fetched")
        .path
}

/// The default model in f32, loaded once a test program.
pub(crate) fn default_model() -> &'static Model {
    static MODEL: LazyLock<Model> = LazyLock::new(|| load(&default_model_path(), WeightsKind::F32));
    &MODEL
}

/// The model at `path`.
pub(crate) fn load(path: &Path, weights: WeightsKind) -> Model {
    Model::load(path, &LoadOptions { weights }).expect("the model loads")
}

/// A folder of the test data.
pub(crate) fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder)
}

/// All tensors of a safetensors file.
pub(crate) struct Tensors(Vec<u8>);

impl Tensors {
    pub(crate) fn open(path: &Path) -> Self {
        Self(std::fs::read(path).expect("the reference data is there"))
    }

    /// A tensor as f32, whatever numbers it holds.
    pub(crate) fn get(&self, name: &str) -> ArrayD<f32> {
        self.find(name).expect("the tensor is there")
    }

    /// [`Tensors::get`] of a tensor that need not be there.
    pub(crate) fn find(&self, name: &str) -> Option<ArrayD<f32>> {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        let tensor = file.tensor(name).ok()?;
        let bytes = tensor.data();
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect(),
            Dtype::I32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| i32::from_le_bytes(*b) as f32)
                .collect(),
            Dtype::I16 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from(i16::from_le_bytes(*b)))
                .collect(),
            other => panic!("{name} holds {other:?}"),
        };
        Some(ArrayD::from_shape_vec(tensor.shape(), values).expect("the shape fits"))
    }

    /// A one-dimensional tensor of indices.
    pub(crate) fn indices(&self, name: &str) -> Vec<usize> {
        self.get(name).iter().map(|&index| index as usize).collect()
    }

    /// A one-dimensional tensor of token ids.
    pub(crate) fn ids(&self, name: &str) -> Vec<u32> {
        self.get(name).iter().map(|&id| id as u32).collect()
    }
}

/// The largest absolute difference of two numbers that stand at the same place; infinities of one sign are equal.
pub(crate) fn max_difference<'a>(
    left: impl IntoIterator<Item = &'a f32>,
    right: impl IntoIterator<Item = &'a f32>,
) -> f32 {
    let mut left = left.into_iter();
    let mut right = right.into_iter();
    let mut largest = 0.0_f32;
    loop {
        match (left.next(), right.next()) {
            (None, None) => return largest,
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) => {
                let difference = (left - right).abs();
                assert!(!difference.is_nan(), "{left} against {right}");
                largest = largest.max(difference);
            }
            _ => panic!("one side is longer"),
        }
    }
}

/// log Σ exp, in f64.
pub(crate) fn log_sum_exp(row: ArrayView1<f32>) -> f64 {
    let largest = f64::from(row.fold(f32::NEG_INFINITY, |a, &b| a.max(b)));
    largest
        + row
            .iter()
            .map(|&x| (f64::from(x) - largest).exp())
            .sum::<f64>()
            .ln()
}

/// Where the largest number stands.
pub(crate) fn argmax(row: ArrayView1<f32>) -> usize {
    (0..row.len())
        .max_by(|&a, &b| row[a].total_cmp(&row[b]))
        .expect("not empty")
}

/// Mean negative log-likelihood of each token given those before it, from the rows of logits after each.
pub(crate) fn mean_nll<'a>(
    logits: impl IntoIterator<Item = ArrayView1<'a, f32>>,
    tokens: &[u32],
) -> f64 {
    let losses = tokens[1..].iter().zip(logits);
    let total: f64 = losses
        .map(|(&token, row)| log_sum_exp(row) - f64::from(row[token as usize]))
        .sum();
    total / (tokens.len() - 1) as f64
}
