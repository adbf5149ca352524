//! A mixture of experts.

use rayon::prelude::*;

use super::network::{Hold, Network};
use crate::checkpoint::Checkpoint;
use crate::layers::Linear;
use crate::spec::{Experts, FeedForwardSpec, Network as Names, Part, SharedExpert, Shares};
use crate::{Error, WeightsKind};

/// Networks of which each token is read by those that a router chooses for it: Σ_e share_e · (network_e(x) + bias_e), and the
/// shared network's output beside.
///
/// The experts' matrices stay as they are stored: all of them together are many times what a token needs.
pub(super) struct MixtureOfExperts {
    spec: Experts,
    router: Linear,
    /// \[experts\], or empty.
    router_bias: Vec<f32>,
    experts: Vec<Expert>,
    shared: Option<Shared>,
}

struct Expert {
    network: Network,
    /// \[d\], or empty.
    down_bias: Vec<f32>,
}

struct Shared {
    network: Network,
    /// \[d\] → 1, what its share is read from.
    share: Option<Linear>,
}

/// A row that an expert reads, and the share of what it makes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reading {
    row: usize,
    share: f32,
}

impl MixtureOfExperts {
    pub(super) fn load(
        checkpoint: &Checkpoint,
        layer: usize,
        (spec, experts): (&FeedForwardSpec, Experts),
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let hold = match kind {
            WeightsKind::F32 => Hold::Stored,
            WeightsKind::Quantized => Hold::InMemory(kind),
        };
        let vector = |tensor| {
            let name = checkpoint.name(Some(layer), tensor);
            Ok::<_, Error>(checkpoint.tensor_f32(&name)?.to_vec1::<f32>()?)
        };
        let expert = |index| {
            let names = Names::Expert(index);
            Ok::<_, Error>(Expert {
                network: Network::load(checkpoint, (layer, names), (spec, spec.d_ff), hold)?,
                down_bias: match spec.bias {
                    true => vector(names.down().as_bias())?,
                    false => Vec::new(),
                },
            })
        };
        let matrix = |part: Part| {
            let name = checkpoint.name(Some(layer), part.weight());
            // A few rows: small beside the experts, and what is chosen hangs on them.
            Linear::load(checkpoint, &[name], WeightsKind::F32)
        };
        let shared = |shared: SharedExpert| {
            let names = (layer, Names::Shared);
            let hold = Hold::InMemory(kind);
            Ok::<_, Error>(Shared {
                network: Network::load(checkpoint, names, (spec, shared.d_ff), hold)?,
                share: match shared.gated {
                    true => Some(matrix(Part::SharedExpertShare)?),
                    false => None,
                },
            })
        };
        Ok(Self {
            router: matrix(Part::Router)?,
            router_bias: match experts.router_bias {
                true => vector(Part::Router.bias())?,
                false => Vec::new(),
            },
            experts: (0..experts.count)
                .into_par_iter()
                .map(expert)
                .collect::<Result<_, _>>()?,
            shared: experts.shared.map(shared).transpose()?,
            spec: experts,
        })
    }

    /// The matrices of all its networks.
    pub(super) fn linears(&self) -> Vec<&Linear> {
        let networks = self.experts.iter().map(|expert| &expert.network);
        let shared = self.shared.iter().map(|shared| &shared.network);
        networks.chain(shared).flat_map(Network::linears).collect()
    }

    /// What it makes of `x` \[rows, d\]: \[rows, d\].
    pub(super) fn apply(&self, x: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        let d = x.len() / rows;
        let logits = self.router.for_rows(rows)?.times(x, rows)?;
        let readings = logits.read(|logits| readings(logits, &self.router_bias, self.spec))?;
        let mut sum = match &self.shared {
            Some(shared) => shared.apply(x, rows)?,
            None => vec![0.0; x.len()],
        };
        // One after the other, so that each row's terms are added in one order on any number of threads.
        for (expert, readings) in self.experts.iter().zip(&readings) {
            if readings.is_empty() {
                continue;
            }
            let mut read = Vec::with_capacity(readings.len() * d);
            for reading in readings {
                read.extend_from_slice(&x[reading.row * d..][..d]);
            }
            let out = expert.network.apply(&read, readings.len())?;
            for (reading, out) in readings.iter().zip(out.chunks_exact(d)) {
                let sum = &mut sum[reading.row * d..][..d];
                for (sum, out) in sum.iter_mut().zip(out) {
                    *sum += reading.share * out;
                }
                for (sum, bias) in sum.iter_mut().zip(&expert.down_bias) {
                    *sum += reading.share * bias;
                }
            }
        }
        Ok(sum)
    }
}

impl Shared {
    fn apply(&self, x: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        let mut out = self.network.apply(x, rows)?;
        if let Some(share) = &self.share {
            let logits = share.for_rows(rows)?.times(x, rows)?;
            logits.read(|logits| {
                for (row, logit) in out.chunks_exact_mut(x.len() / rows).zip(logits) {
                    let share = 1.0 / (1.0 + (-logit).exp());
                    row.iter_mut().for_each(|out| *out *= share);
                }
            })?;
        }
        Ok(out)
    }
}

/// Which rows each expert reads, by the router's logits \[rows, experts\].
fn readings(logits: &[f32], bias: &[f32], spec: Experts) -> Vec<Vec<Reading>> {
    let mut readings = vec![Vec::new(); spec.count];
    let mut row_logits = vec![0.0; spec.count];
    for (row, logits) in logits.chunks_exact(spec.count).enumerate() {
        row_logits.copy_from_slice(logits);
        for (logit, bias) in row_logits.iter_mut().zip(bias) {
            *logit += bias;
        }
        for (expert, share) in chosen(&row_logits, spec) {
            readings[expert].push(Reading { row, share });
        }
    }
    readings
}

/// The experts that read a row with these logits, and their shares; of equal logits the first.
fn chosen(logits: &[f32], spec: Experts) -> Vec<(usize, f32)> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // NaN makes all shares NaN, which the check of the model's logits finds.
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    order.truncate(spec.used);
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp = |&expert: &usize| f64::from(logits[expert] - largest).exp();
    let sum: f64 = match spec.shares {
        Shares::OfChosen => order.iter().map(exp).sum(),
        Shares::OfAll => (0..logits.len()).map(|expert| exp(&expert)).sum(),
    };
    let share = |expert: &usize| (*expert, (exp(expert) / sum) as f32);
    order.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(shares: Shares) -> Experts {
        Experts {
            count: 4,
            used: 2,
            shares,
            router_bias: false,
            shared: None,
        }
    }

    #[test]
    fn the_largest_logits_choose_and_share() {
        let logits = [1.0, 3.0, 2.0, 3.0];
        let exp = |x: f64| (x - 3.0).exp();
        let of_all = (1.0 / (exp(1.0) + exp(2.0) + 2.0)) as f32;
        assert_eq!(
            chosen(&logits, spec(Shares::OfAll)),
            [(1, of_all), (3, of_all)]
        );
        assert_eq!(
            chosen(&logits, spec(Shares::OfChosen)),
            [(1, 0.5), (3, 0.5)]
        );
        let far = chosen(&[-1e30, 1e30, 0.0, 0.0], spec(Shares::OfChosen));
        assert_eq!(far, [(1, 1.0), (2, 0.0)]);
    }

    #[test]
    fn a_bias_takes_part_in_the_choice() {
        let found = readings(&[0.0; 8], &[0.0, 1.0, 0.0, 1.0], spec(Shares::OfChosen));
        let both = [0, 1].map(|row| Reading { row, share: 0.5 });
        assert_eq!(found, [vec![], both.to_vec(), vec![], both.to_vec()]);
    }
}
