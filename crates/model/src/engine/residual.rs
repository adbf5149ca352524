//! What a part of a layer gives, added to the residual stream.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::layers::{Norm, add_rows};
use crate::spec::{Norms, Part};

/// The way from a part's product f back to the hidden states x: sum_norm(x + scale · output_norm(f + bias)).
pub(super) struct Residual {
    /// \[d\], or empty.
    bias: Vec<f32>,
    output_norm: Option<Norm>,
    scale: f32,
    sum_norm: Option<Norm>,
}

impl Residual {
    /// Reads the bias of a part, where it has one, and the norms called so where `norms` has them.
    pub(super) fn load(
        checkpoint: &Checkpoint,
        layer: usize,
        (bias, scale): (Option<Part>, f32),
        ([output, sum], norms): ([Part; 2], &Norms),
    ) -> Result<Self, Error> {
        let norm = |part: Part, norm: Option<crate::spec::Norm>| {
            norm.map(|norm| Norm::load(checkpoint, Some(layer), part, norm))
                .transpose()
        };
        Ok(Self {
            bias: match bias {
                Some(part) => {
                    let name = checkpoint.name(Some(layer), part.bias());
                    checkpoint.tensor_f32(&name)?.to_vec1()?
                }
                None => Vec::new(),
            },
            output_norm: norm(output, norms.output)?,
            scale,
            sum_norm: norm(sum, norms.sum)?,
        })
    }

    /// Whether anything is done besides the addition.
    fn is_plain(&self) -> bool {
        self.bias.is_empty() && self.output_norm.is_none() && self.scale == 1.0
    }

    /// \[d\], or empty.
    pub(super) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Adds rows of a part's product `part` \[rows, d\] to `hidden`.
    pub(super) fn add(&self, hidden: &mut [f32], part: &[f32], d: usize) {
        if self.is_plain() {
            add_rows(hidden, part, d);
        } else {
            let mut part = part.to_vec();
            for row in part.chunks_exact_mut(d) {
                row.iter_mut()
                    .zip(&self.bias)
                    .for_each(|(x, bias)| *x += bias);
            }
            if let Some(norm) = &self.output_norm {
                part = norm.apply(&part);
            }
            if self.scale != 1.0 {
                part.iter_mut().for_each(|x| *x *= self.scale);
            }
            add_rows(hidden, &part, d);
        }
        if let Some(norm) = &self.sum_norm {
            let normed = norm.apply(hidden);
            hidden.copy_from_slice(&normed);
        }
    }
}
