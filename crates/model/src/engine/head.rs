//! From the last hidden states to logits.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use crate::checkpoint::Checkpoint;
use crate::layers::{Inner, Linear, Norm, OutputHead, WeightTypes, from_rows, rows, to_array};
use crate::spec::{Activation, HeadSpec, HeadTransform, Part};
use crate::{Error, WeightsKind};

/// The output head with its transform, bias, scale and soft-cap.
pub(super) struct Head {
    checkpoint: Arc<Checkpoint>,
    spec: HeadSpec,
    transform: Option<Transform>,
    /// The matrix's name.
    name: String,
    matrix: OutputHead,
    /// \[vocabulary\], or empty.
    bias: Vec<f32>,
}

/// norm(act(h·W + b)).
struct Transform {
    linear: Linear,
    /// \[d\], or empty.
    bias: Vec<f32>,
    activation: Activation,
    norm: Norm,
}

impl Head {
    pub(super) fn new(
        checkpoint: &Arc<Checkpoint>,
        spec: &HeadSpec,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let part = match spec.tied {
            true => Part::Embedding,
            false => Part::Head,
        };
        let name = checkpoint.name(None, part.weight());
        let transform = spec
            .transform
            .map(|transform| Transform::load(checkpoint, transform, kind));
        Ok(Self {
            transform: transform.transpose()?,
            matrix: OutputHead::new(checkpoint.clone(), name.clone(), kind)?,
            bias: bias(checkpoint, Part::Head, spec.bias)?,
            spec: spec.clone(),
            name,
            checkpoint: checkpoint.clone(),
        })
    }

    /// The types of its matrices.
    pub(super) fn weight_types(&self) -> impl Iterator<Item = &WeightTypes> {
        let transform = self.transform.iter().map(|t| t.linear.weight_types());
        transform.chain([self.matrix.weight_types()])
    }

    /// Logits of `hidden` \[rows, d\]: \[rows, vocabulary\].
    pub(super) fn logits(&self, hidden: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        let mut logits = match &self.transform {
            None => self.matrix.logits(hidden)?,
            Some(transform) => self.matrix.logits(transform.apply(hidden)?.view())?,
        };
        if !self.bias.is_empty() {
            logits += &ndarray::aview1(&self.bias);
        }
        let HeadSpec {
            scale, soft_cap, ..
        } = self.spec;
        if scale != 1.0 {
            logits *= scale;
        }
        if let Some(cap) = soft_cap {
            logits.mapv_inplace(|logit| cap * (logit / cap).tanh());
        }
        Ok(logits)
    }

    /// Rows of the matrix with the logits' scale in them: \[tokens, d\].
    pub(super) fn rows(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        let rows = to_array(&self.checkpoint.rows_f32(&self.name, tokens)?)?;
        Ok(rows * self.spec.scale)
    }

    /// Refuses a head whose logits are no linear function of the normalised hidden states.
    pub(super) fn validate_linear(&self) -> Result<(), Error> {
        match self.spec.nonlinear() {
            Some(what) => Err(Error::NotLinear { what }),
            None => Ok(()),
        }
    }
}

/// The bias of a part of the head, or nothing.
fn bias(checkpoint: &Checkpoint, part: Part, has: bool) -> Result<Vec<f32>, Error> {
    if !has {
        return Ok(Vec::new());
    }
    let name = checkpoint.name(None, part.bias());
    Ok(checkpoint.tensor_f32(&name)?.to_vec1()?)
}

impl Transform {
    fn load(
        checkpoint: &Checkpoint,
        spec: HeadTransform,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let name = checkpoint.name(None, Part::HeadTransform.weight());
        Ok(Self {
            linear: Linear::load(checkpoint, &[name], kind)?,
            bias: bias(checkpoint, Part::HeadTransform, spec.bias)?,
            activation: spec.activation,
            norm: Norm::load(checkpoint, None, Part::HeadNorm, spec.norm)?,
        })
    }

    fn apply(&self, hidden: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        let (n, d) = hidden.dim();
        let inner = Inner {
            activation: self.activation,
            gated: false,
            bias: &self.bias,
            d_ff: d,
        };
        let x = rows(&hidden, 0..n).to_vec();
        let product = self.linear.for_rows(n)?.times(&x, n)?;
        let activated = product.read(|x| inner.apply(x))?;
        Ok(from_rows(self.norm.apply(&activated), d))
    }
}
