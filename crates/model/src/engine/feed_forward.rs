//! The feed-forward part of a layer.

use ndarray::Array2;

use super::residual::Residual;
use crate::checkpoint::Checkpoint;
use crate::layers::{Inner, Linear, Norm, row_chunks, rows, rows_mut};
use crate::spec::{FeedForwardSpec, Part};
use crate::{Error, WeightsKind};

/// act(x·W_up)·W_down, or (act(x·W_gate) · x·W_up)·W_down, with biases where the specification has them.
pub(super) struct FeedForward {
    spec: FeedForwardSpec,
    norm: Option<Norm>,
    /// W_gate | W_up, or W_up
    up: Linear,
    /// As long as a row of `up`'s products, or empty.
    up_bias: Vec<f32>,
    down: Linear,
    residual: Residual,
}

impl FeedForward {
    pub(super) fn load(
        checkpoint: &Checkpoint,
        layer: usize,
        spec: FeedForwardSpec,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let parts: &[Part] = match spec.gated {
            true => &[Part::Gate, Part::Up],
            false => &[Part::Up],
        };
        let names: Vec<String> = parts
            .iter()
            .map(|part| checkpoint.name(Some(layer), part.weight()))
            .collect();
        let mut up_bias = Vec::new();
        for part in parts.iter().filter(|_| spec.bias) {
            let name = checkpoint.name(Some(layer), part.bias());
            up_bias.extend(checkpoint.tensor_f32(&name)?.to_vec1::<f32>()?);
        }
        let whole = &checkpoint.spec().layers[layer];
        let norms = &whole.feed_forward_norms;
        let norm = norms
            .before
            .map(|norm| Norm::load(checkpoint, Some(layer), Part::FeedForwardNorm, norm));
        let parts = [Part::FeedForwardOutputNorm, Part::FeedForwardSumNorm];
        let bias = spec.bias.then_some(Part::Down);
        let down = checkpoint.name(Some(layer), Part::Down.weight());
        Ok(Self {
            norm: norm.transpose()?,
            up: Linear::load(checkpoint, &names, kind)?,
            up_bias,
            down: Linear::load(checkpoint, &[down], kind)?,
            residual: Residual::load(
                checkpoint,
                layer,
                (bias, whole.residual_scale),
                (parts, norms),
            )?,
            spec,
        })
    }

    /// Its matrices.
    pub(super) fn linears(&self) -> [&Linear; 2] {
        [&self.up, &self.down]
    }

    /// Adds what it makes of `hidden` \[rows, d\] to it.
    pub(super) fn add(&self, hidden: &mut Array2<f32>) -> Result<(), Error> {
        let (n, d) = hidden.dim();
        let inner = Inner {
            activation: self.spec.activation,
            gated: self.spec.gated,
            bias: &self.up_bias,
            d_ff: self.spec.d_ff,
        };
        let (up, down) = (self.up.for_rows(n)?, self.down.for_rows(n)?);
        for chunk in row_chunks(n) {
            let x = rows(&hidden.view(), chunk.clone());
            let x = match &self.norm {
                Some(norm) => norm.apply(x),
                None => x.to_vec(),
            };
            let inner = up.times(x, chunk.len())?.read(|x| inner.apply(x))?;
            down.times(inner, chunk.len())?
                .read(|out| self.residual.add(rows_mut(hidden, chunk), out, d))?;
        }
        Ok(())
    }
}
