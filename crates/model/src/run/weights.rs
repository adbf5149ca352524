//! The weights around a model's attention, as matrices.

use ndarray::{Array1, Array2, ArrayView1};

use crate::families::AttentionWeights;
use crate::{Error, Model};

impl Model {
    /// The weights of one layer's attention, dequantised.
    ///
    /// # Errors
    /// [`Error::LayerOutOfRange`], and those of the tensor library.
    pub fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let layers = self.shape().layers;
        if layer >= layers {
            return Err(Error::LayerOutOfRange { layer, layers });
        }
        self.family().attention_weights(layer)
    }

    /// Rows of the output head with the final norm's gain in them: u_t ⊙ g, \[tokens, d\].
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`].
    pub fn unembeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        self.check_ids(tokens)?;
        self.family().unembeddings(tokens)
    }

    /// The direction in the residual stream that adds to logit(a) − logit(b), with the final norm's factor held at what
    /// it is for `residual` \[d\]: (u_a − u_b) ⊙ g / norm(residual), \[d\].
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`].
    pub fn logit_direction(
        &self,
        (a, b): (u32, u32),
        residual: ArrayView1<f32>,
    ) -> Result<Array1<f64>, Error> {
        let rows = self.unembeddings(&[a, b])?.mapv(f64::from);
        let factor = self.family().final_norm_factor(residual);
        Ok((&rows.row(0) - &rows.row(1)) * factor)
    }
}
