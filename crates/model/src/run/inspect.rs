//! One layer from the inside.

use ndarray::Axis;

use super::LayerInternals;
use super::pass::{Keep, Pass};
use crate::families::Shape;
use crate::{Error, Hooks, Model};

impl Model {
    /// Everything that layer `layer` computes on `tokens`; the layers before it are run, those after it are not.
    ///
    /// # Errors
    /// As [`Model::prefill`], and [`Error::LayerOutOfRange`].
    pub fn inspect(&self, tokens: &[u32], layer: usize) -> Result<LayerInternals, Error> {
        self.inspect_with(tokens, layer, &())
    }

    /// [`Model::inspect`] under hooks, whose interventions act on all layers that are run.
    ///
    /// # Errors
    /// As [`Model::inspect`].
    pub fn inspect_with(
        &self,
        tokens: &[u32],
        layer: usize,
        hooks: &dyn Hooks,
    ) -> Result<LayerInternals, Error> {
        self.check_tokens(tokens, 0)?;
        let Shape {
            layers, heads, d_v, ..
        } = *self.shape();
        if layer >= layers {
            return Err(Error::LayerOutOfRange { layer, layers });
        }
        let all: Vec<usize> = (0..tokens.len()).collect();
        let mut pass = Pass::begin(self.family(), hooks, (tokens, 0), &all)?;
        for before in 0..layer {
            pass.layer(
                before,
                Keep {
                    trace: false,
                    values: false,
                },
                None,
            )?;
        }
        let steps = self.family().projection(layer, pass.state())?;
        let weights = self.family().attention_weights(layer)?;
        let scoring = self.family().scoring(layer);
        let computed = pass.project(layer)?;
        let lse = pass.attend(layer, &scoring, &computed)?;
        let concatenated = pass.z().view();
        let z = concatenated
            .into_shape_with_order((tokens.len(), heads, d_v))
            .expect("z is row-major")
            .permuted_axes([1, 0, 2])
            .as_standard_layout()
            .into_owned();
        Ok(LayerInternals {
            layer,
            x: pass.state().hidden.select(Axis(0), &all),
            norm_gain: weights.norm_gain,
            x_norm: steps.x_norm,
            attn_out: pass.z().dot(&weights.w_o),
            w_q: weights.w_q,
            w_k: weights.w_k,
            w_v: weights.w_v,
            w_o: weights.w_o,
            q_plain: steps.q_plain,
            k_plain: steps.k_plain,
            q: computed.q,
            k: computed.k,
            v: computed.v,
            lse,
            z,
            scoring,
        })
    }
}
