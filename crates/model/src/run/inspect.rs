//! One layer from the inside.

use ndarray::{Array2, Axis};

use super::LayerInternals;
use super::pass::{Keep, Pass, Text};
use crate::engine::AttentionWeights;
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
        let spec = self.spec();
        let (layers, heads, d_v) = (spec.layers.len(), spec.heads, spec.head_dim);
        if layer >= layers {
            return Err(Error::LayerOutOfRange { layer, layers });
        }
        let all: Vec<usize> = (0..tokens.len()).collect();
        let text = Text {
            tokens,
            first: 0,
            hooks,
            wanted: &all,
        };
        let mut pass = Pass::begin(self.engine(), vec![text])?;
        for before in 0..layer {
            pass.layer(before, Keep::NOTHING, None)?;
        }
        let steps = self.engine().projection(layer, pass.state())?;
        let weights = self.engine().attention_weights(layer)?;
        let scoring = self.engine().scoring(layer).clone();
        let computed = pass.project(layer)?;
        let lse = pass.attend(layer, &computed)?;
        let concatenated = pass.z().view();
        let attn_out = attention_output(pass.z(), &weights);
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
            attn_out,
            w_q: weights.w_q,
            w_k: weights.w_k,
            w_v: weights.w_v,
            w_o: weights.w_o,
            norm_bias: weights.norm_bias,
            b_q: weights.b_q,
            b_k: weights.b_k,
            b_v: weights.b_v,
            b_o: weights.b_o,
            q_gain: weights.q_gain,
            k_gain: weights.k_gain,
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

/// z·W_o + b_o
fn attention_output(z: &Array2<f32>, weights: &AttentionWeights) -> Array2<f32> {
    let mut output = z.dot(&weights.w_o);
    if !weights.b_o.is_empty() {
        output += &weights.b_o;
    }
    output
}
