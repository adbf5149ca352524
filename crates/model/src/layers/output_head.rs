//! From hidden states to logits.

use std::sync::{Arc, OnceLock};

use ndarray::{Array2, ArrayView2};

use super::weight_types::WeightTypes;
use super::{Linear, row_chunks};
use crate::checkpoint::Checkpoint;
use crate::{Error, WeightsKind};

/// The output head, read from the checkpoint when the first logits are asked for: it is the largest matrix of a
/// small model.
pub(crate) struct OutputHead {
    checkpoint: Arc<Checkpoint>,
    name: String,
    kind: WeightsKind,
    types: WeightTypes,
    weights: OnceLock<Linear>,
}

impl OutputHead {
    pub(crate) fn new(
        checkpoint: Arc<Checkpoint>,
        name: String,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        Ok(Self {
            types: WeightTypes::new(&checkpoint, std::slice::from_ref(&name), kind)?,
            checkpoint,
            name,
            kind,
            weights: OnceLock::new(),
        })
    }

    /// The type that the weights will be held in, and that they are stored in.
    pub(crate) fn weight_types(&self) -> &WeightTypes {
        &self.types
    }

    fn weights(&self) -> Result<&Linear, Error> {
        if let Some(weights) = self.weights.get() {
            return Ok(weights);
        }
        let names = std::slice::from_ref(&self.name);
        let weights = Linear::load(&self.checkpoint, names, self.kind)?;
        Ok(self.weights.get_or_init(|| weights))
    }

    /// Logits of `hidden` \[rows, d\]: \[rows, vocabulary\].
    pub(crate) fn logits(&self, hidden: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        let weights = self.weights()?;
        let (rows, vocab) = (hidden.nrows(), weights.outputs());
        let mut logits = Array2::zeros((rows, vocab));
        let product = weights.for_rows(rows)?;
        for chunk in row_chunks(rows) {
            let x: Vec<f32> = hidden
                .slice(ndarray::s![chunk.clone(), ..])
                .iter()
                .copied()
                .collect();
            let y = product.times(&x, chunk.len())?;
            y.read(|y| {
                let out = logits.slice_mut(ndarray::s![chunk, ..]);
                ndarray::Zip::from(out.into_slice().unwrap_or_default())
                    .and(y)
                    .for_each(|out, y| *out = *y);
            })?;
        }
        Ok(logits)
    }
}
