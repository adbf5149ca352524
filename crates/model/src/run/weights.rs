//! The weights around a model's attention, as matrices.

use ndarray::{Array1, Array2, ArrayView1};

use crate::engine::AttentionWeights;
use crate::{Error, Model};

impl Model {
    /// The weights of one layer's attention, dequantised.
    ///
    /// # Errors
    /// [`Error::LayerOutOfRange`], and those of the tensor library.
    pub fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let layers = self.spec().layers.len();
        if layer >= layers {
            return Err(Error::LayerOutOfRange { layer, layers });
        }
        self.engine().attention_weights(layer)
    }

    /// What adds to a logit in the residual stream, but for the final norm's factor: rows of the output head with the final
    /// norm's gain in them, u_t ⊙ g, less their mean where the norm subtracts it. \[tokens, d\].
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`], [`Error::NoOutputHead`]; [`Error::NotLinear`] where logits are no linear function of the
    /// normalised hidden states.
    pub fn unembeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        self.check_ids(tokens)?;
        self.engine().unembeddings(tokens)
    }

    /// The direction in the residual stream that adds to logit(a) − logit(b), with the final norm's factor held at what
    /// it is for `residual` \[d\]: (u_a − u_b) ⊙ g / norm(residual), \[d\].
    ///
    /// # Errors
    /// As [`Model::unembeddings`].
    pub fn logit_direction(
        &self,
        (a, b): (u32, u32),
        residual: ArrayView1<f32>,
    ) -> Result<Array1<f64>, Error> {
        let rows = self.unembeddings(&[a, b])?.mapv(f64::from);
        let factor = self.engine().final_norm_factor(residual);
        Ok((&rows.row(0) - &rows.row(1)) * factor)
    }
}
