//! The feed-forward part of a layer.

use ndarray::Array2;

use super::experts::MixtureOfExperts;
use super::network::{Hold, Network};
use super::residual::Residual;
use crate::checkpoint::Checkpoint;
use crate::layers::{Linear, Norm, row_chunks, rows, rows_mut};
use crate::spec::{FeedForwardSpec, Network as Names, Part};
use crate::{Error, WeightsKind};

/// A network, or several of which each token is read by a few, with the norm before and the way back to the residual stream.
pub(super) struct FeedForward {
    norm: Option<Norm>,
    networks: Networks,
    residual: Residual,
}

enum Networks {
    One(Box<Network>),
    Experts(Box<MixtureOfExperts>),
}

impl FeedForward {
    pub(super) fn load(
        checkpoint: &Checkpoint,
        layer: usize,
        spec: FeedForwardSpec,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let whole = &checkpoint.spec().layers[layer];
        let norms = &whole.feed_forward_norms;
        let part = match whole.shared_norm {
            true => Part::AttentionNorm,
            false => Part::FeedForwardNorm,
        };
        let norm = norms
            .before
            .map(|norm| Norm::load(checkpoint, Some(layer), part, norm));
        let parts = [Part::FeedForwardOutputNorm, Part::FeedForwardSumNorm];
        let (networks, bias) = match spec.experts {
            None => {
                let names = (layer, Names::Plain);
                let hold = Hold::InMemory(kind);
                let network = Network::load(checkpoint, names, (&spec, spec.d_ff), hold)?;
                (
                    Networks::One(Box::new(network)),
                    spec.bias.then_some(Part::Down),
                )
            }
            // Their biases count as much as their shares.
            Some(experts) => {
                let mixture = MixtureOfExperts::load(checkpoint, layer, (&spec, experts), kind)?;
                (Networks::Experts(Box::new(mixture)), None)
            }
        };
        Ok(Self {
            norm: norm.transpose()?,
            networks,
            residual: Residual::load(
                checkpoint,
                layer,
                (bias, whole.residual_scale),
                (parts, norms),
            )?,
        })
    }

    /// Its matrices.
    pub(super) fn linears(&self) -> Vec<&Linear> {
        match &self.networks {
            Networks::One(network) => network.linears().to_vec(),
            Networks::Experts(mixture) => mixture.linears(),
        }
    }

    /// Adds what it makes of `hidden` \[rows, d\] to it.
    pub(super) fn add(&self, hidden: &mut Array2<f32>) -> Result<(), Error> {
        let (n, d) = hidden.dim();
        let normed = |x: &[f32]| match &self.norm {
            Some(norm) => norm.apply(x),
            None => x.to_vec(),
        };
        match &self.networks {
            Networks::One(network) => {
                let ready = network.for_rows(n)?;
                for chunk in row_chunks(n) {
                    let x = normed(rows(&hidden.view(), chunk.clone()));
                    ready
                        .apply(&x, chunk.len())?
                        .read(|out| self.residual.add(rows_mut(hidden, chunk), out, d))?;
                }
            }
            Networks::Experts(mixture) => {
                let out = mixture.apply(&normed(rows(&hidden.view(), 0..n)), n)?;
                self.residual.add(rows_mut(hidden, 0..n), &out, d);
            }
        }
        Ok(())
    }
}
