//! What the families have in common around their attention: a norm and the projections before it, W_o behind it.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, s};

use super::parts::{Activations, AttentionWeights, HeadsMut, Projection, Shape};
use crate::checkpoint::Checkpoint;
use crate::layers::{
    HeadColumns, Linear, RmsNorm, RopeTable, ValueNorms, add_rows, from_rows, row_chunks, rows,
    rows_mut, split_heads, to_array,
};
use crate::{Error, WeightsKind};

/// The norm before the attention, and W_q | W_k | W_v side by side, or W_q | W_k in a layer from which nothing flows on.
pub(crate) struct QkvProjection {
    norm: RmsNorm,
    projections: Linear,
}

/// W_o.
pub(crate) struct OutputProjection {
    linear: Linear,
    /// Made when a trace first needs it.
    value_norms: OnceLock<ValueNorms>,
}

impl QkvProjection {
    /// Reads the norm and the projections of these names.
    pub(super) fn load(
        checkpoint: &Checkpoint,
        norm: &str,
        projections: &[String],
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        Ok(Self {
            norm: RmsNorm::load(checkpoint, norm, checkpoint.config().norm_eps)?,
            projections: Linear::load(checkpoint, projections, kind)?,
        })
    }

    /// Normalised input times the projections, taken apart into heads; queries and keys are turned by the input's rotary angles,
    /// where it has any. Without W_v, values are 0.
    pub(super) fn project(
        &self,
        shape: &Shape,
        input: &Activations,
        out: HeadsMut,
    ) -> Result<(), Error> {
        self.rotated(shape, input.hidden.view(), input.rotation.as_ref(), out)
    }

    fn rotated(
        &self,
        shape: &Shape,
        hidden: ArrayView2<f32>,
        rotation: Option<&RopeTable>,
        mut out: HeadsMut,
    ) -> Result<(), Error> {
        let (k_first, v_first) = columns(shape);
        let width = self.projections.outputs();
        let at = |first| HeadColumns { width, first };
        let product = self.projections.for_rows(hidden.nrows())?;
        for chunk in row_chunks(hidden.nrows()) {
            let x = self.norm.apply(rows(&hidden, chunk.clone()));
            let rotation = rotation.map(|table| (table, chunk.start));
            product.times(x, chunk.len())?.read(|products| {
                let HeadsMut { q, k, mut v } = out.rows(chunk);
                split_heads(products, at(0), rotation, q);
                split_heads(products, at(k_first), rotation, k);
                if width > v_first {
                    split_heads(products, at(v_first), None, v);
                } else {
                    v.fill(0.0);
                }
            })?;
        }
        Ok(())
    }

    /// W_q | W_k | W_v.
    pub(super) fn linear(&self) -> &Linear {
        &self.projections
    }

    /// The normalised input, and queries and keys before any rotation.
    pub(super) fn plain(&self, shape: &Shape, input: &Activations) -> Result<Projection, Error> {
        let hidden = input.hidden.view();
        let n = hidden.nrows();
        let mut q_plain = Array3::zeros((shape.heads, n, shape.d_k));
        let mut k_plain = Array3::zeros((shape.kv_heads, n, shape.d_k));
        let mut v = Array3::zeros((shape.kv_heads, n, shape.d_v));
        let out = HeadsMut {
            q: q_plain.view_mut(),
            k: k_plain.view_mut(),
            v: v.view_mut(),
        };
        self.rotated(shape, hidden, None, out)?;
        let x_norm = self.norm.apply(rows(&hidden, 0..n));
        Ok(Projection {
            x_norm: from_rows(x_norm, hidden.ncols()),
            q_plain,
            k_plain,
        })
    }

    /// The layer's weights as matrices; without W_v and W_o these are 0.
    pub(super) fn weights(
        &self,
        shape: &Shape,
        out: Option<&OutputProjection>,
    ) -> Result<AttentionWeights, Error> {
        let (k_first, v_first) = columns(shape);
        let all = to_array(&self.projections.dense()?)?;
        let d = all.nrows();
        let (w_v, w_o) = match out {
            Some(out) => (
                all.slice(s![.., v_first..]).to_owned(),
                to_array(&out.linear.dense()?)?,
            ),
            None => (
                Array2::zeros((d, shape.kv_heads * shape.d_v)),
                Array2::zeros((shape.heads * shape.d_v, d)),
            ),
        };
        Ok(AttentionWeights {
            norm_gain: Array1::from(self.norm.gain().to_vec()),
            w_q: all.slice(s![.., ..k_first]).to_owned(),
            w_k: all.slice(s![.., k_first..v_first]).to_owned(),
            w_v,
            w_o,
        })
    }
}

/// The first column of W_k and of W_v.
fn columns(shape: &Shape) -> (usize, usize) {
    let k_first = shape.heads * shape.d_k;
    (k_first, k_first + shape.kv_heads * shape.d_k)
}

impl OutputProjection {
    /// Reads W_o.
    pub(super) fn load(
        checkpoint: &Checkpoint,
        name: String,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        Ok(Self {
            linear: Linear::load(checkpoint, &[name], kind)?,
            value_norms: OnceLock::new(),
        })
    }

    /// W_o.
    pub(super) fn linear(&self) -> &Linear {
        &self.linear
    }

    /// hidden += z·W_o
    pub(super) fn add(&self, hidden: &mut Array2<f32>, z: ArrayView2<f32>) -> Result<(), Error> {
        let (n, d) = hidden.dim();
        let product = self.linear.for_rows(n)?;
        for chunk in row_chunks(n) {
            let z = rows(&z, chunk.clone()).to_vec();
            product
                .times(z, chunk.len())?
                .read(|out| add_rows(rows_mut(hidden, chunk), out, d))?;
        }
        Ok(())
    }

    /// ‖v_j·W_o^h‖ of values `v` \[H_kv, N, d_v\]: \[H, N\].
    pub(super) fn value_norms(
        &self,
        shape: &Shape,
        v: ArrayView3<f32>,
    ) -> Result<Array2<f32>, Error> {
        if self.value_norms.get().is_none() {
            let norms = ValueNorms::new(&self.linear.dense()?, shape.heads, shape.kv_heads)?;
            // Another thread may have been faster; its value is the same.
            let _ = self.value_norms.set(norms);
        }
        match self.value_norms.get() {
            Some(norms) => norms.apply(v),
            None => unreachable!("it was set above"),
        }
    }
}
