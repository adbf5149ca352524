//! A layer's attention but for the kernel: the norm and projections before it, W_o after it.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut3, s};

use super::residual::Residual;
use super::state::{Activations, AttentionWeights, HeadsMut, Projection};
use crate::checkpoint::Checkpoint;
use crate::layers::{
    HeadColumns, HeadRows, Linear, Norm, RopeTable, ValueNorms, from_rows, row_chunks, rows,
    rows_mut, split_heads,
};
use crate::spec::{Part, QkNorm, Spec};
use crate::{Error, WeightsKind};

/// The norm before the attention, and W_q | W_k | W_v side by side, or W_q | W_k in a layer from which nothing flows on.
pub(super) struct QkvProjection {
    norm: Option<Norm>,
    projections: Linear,
    q: Block,
    k: Block,
    /// None in a layer that only points.
    v: Option<Block>,
    /// Which of a text's rotary tables turns queries and keys.
    rotation: Option<usize>,
}

/// One of the projections within the product.
struct Block {
    /// Its first column, and how many there are.
    first: usize,
    size: usize,
    /// \[size\], or empty.
    bias: Vec<f32>,
    /// A norm of each head, or of all together.
    norm: Option<Norm>,
    /// Whether it is of all heads together.
    joint: bool,
}

/// W_o.
pub(super) struct OutputProjection {
    linear: Linear,
    residual: Residual,
    /// Made when a trace first needs it.
    value_norms: OnceLock<ValueNorms>,
}

impl Block {
    fn load(
        checkpoint: &Checkpoint,
        layer: usize,
        (part, norm): (Part, Option<Part>),
        (first, size): (usize, usize),
    ) -> Result<Self, Error> {
        let attention = &checkpoint.spec().layers[layer].attention;
        let norm = norm
            .zip(attention.qk_norm)
            .map(|(part, norm)| Norm::load(checkpoint, Some(layer), part, norm.norm()));
        Ok(Self {
            first,
            size,
            bias: match attention.qkv_bias {
                true => {
                    let name = checkpoint.name(Some(layer), part.bias());
                    checkpoint.tensor_f32(&name)?.to_vec1()?
                }
                false => Vec::new(),
            },
            norm: norm.transpose()?,
            joint: matches!(attention.qk_norm, Some(QkNorm::AllHeads(_))),
        })
    }

    /// Writes the block's heads of `products` \[rows, width\] to `out` \[heads, rows, d\].
    fn split(
        &self,
        (products, width): (&[f32], usize),
        rotation: Option<(&RopeTable, usize)>,
        out: ArrayViewMut3<f32>,
    ) {
        if let (Some(norm), true) = (&self.norm, self.joint) {
            let together = norm.apply(&self.biased(products, width));
            let from = HeadRows {
                rows: &together,
                columns: HeadColumns {
                    width: self.size,
                    first: 0,
                },
                bias: &[],
                norm: None,
                rotation,
            };
            return split_heads(from, out);
        }
        let from = HeadRows {
            rows: products,
            columns: HeadColumns {
                width,
                first: self.first,
            },
            bias: &self.bias,
            norm: self.norm.as_ref(),
            rotation,
        };
        split_heads(from, out);
    }

    /// The block alone, with its bias: \[rows, size\].
    fn biased(&self, products: &[f32], width: usize) -> Vec<f32> {
        let mut block = Vec::with_capacity(products.len() / width * self.size);
        for row in products.chunks_exact(width) {
            block.extend_from_slice(&row[self.first..][..self.size]);
        }
        for row in block.chunks_exact_mut(self.size) {
            row.iter_mut()
                .zip(&self.bias)
                .for_each(|(x, bias)| *x += bias);
        }
        block
    }
}

impl QkvProjection {
    pub(super) fn load(
        checkpoint: &Checkpoint,
        layer: usize,
        kind: WeightsKind,
        rotation: Option<usize>,
    ) -> Result<Self, Error> {
        let spec = checkpoint.spec();
        let attention = &spec.layers[layer].attention;
        let norm = spec.layers[layer].attention_norms.before;
        let norm = norm.map(|norm| Norm::load(checkpoint, Some(layer), Part::AttentionNorm, norm));
        let parts: &[Part] = match attention.values {
            true => &[Part::Q, Part::K, Part::V],
            false => &[Part::Q, Part::K],
        };
        let names: Vec<String> = parts
            .iter()
            .map(|part| checkpoint.name(Some(layer), part.weight()))
            .collect();
        let (q, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let block = |parts, at| Block::load(checkpoint, layer, parts, at);
        Ok(Self {
            norm: norm.transpose()?,
            projections: Linear::load(checkpoint, &names, kind)?,
            q: block((Part::Q, Some(Part::QNorm)), (0, q))?,
            k: block((Part::K, Some(Part::KNorm)), (q, kv))?,
            v: match attention.values {
                true => Some(block((Part::V, None), (q + kv, kv))?),
                false => None,
            },
            rotation,
        })
    }

    /// Normalised input times the projections, split into heads; queries and keys are turned by the tokens' positions where
    /// the layer has rotary embedding. Without W_v, values are 0.
    pub(super) fn project(&self, input: &Activations, out: HeadsMut) -> Result<(), Error> {
        let rotation = self.rotation.map(|index| &input.rotations[index]);
        self.rotated(input.hidden.view(), rotation, out)
    }

    fn rotated(
        &self,
        hidden: ArrayView2<f32>,
        rotation: Option<&RopeTable>,
        mut out: HeadsMut,
    ) -> Result<(), Error> {
        let width = self.projections.outputs();
        let product = self.projections.for_rows(hidden.nrows())?;
        for chunk in row_chunks(hidden.nrows()) {
            let x = self.normed(rows(&hidden, chunk.clone()));
            let rotation = rotation.map(|table| (table, chunk.start));
            product.times(&x, chunk.len())?.read(|products| {
                let HeadsMut { q, k, mut v } = out.rows(chunk);
                self.q.split((products, width), rotation, q);
                self.k.split((products, width), rotation, k);
                match &self.v {
                    Some(block) => block.split((products, width), None, v),
                    None => v.fill(0.0),
                }
            })?;
        }
        Ok(())
    }

    /// What the projections read.
    fn normed(&self, x: &[f32]) -> Vec<f32> {
        match &self.norm {
            Some(norm) => norm.apply(x),
            None => x.to_vec(),
        }
    }

    /// W_q | W_k | W_v.
    pub(super) fn linear(&self) -> &Linear {
        &self.projections
    }

    /// What the projections read, and queries and keys before any rotation.
    pub(super) fn plain(&self, spec: &Spec, input: &Activations) -> Result<Projection, Error> {
        let hidden = input.hidden.view();
        let (n, d_k) = (hidden.nrows(), spec.head_dim);
        let mut q_plain = Array3::zeros((spec.heads, n, d_k));
        let mut k_plain = Array3::zeros((spec.kv_heads, n, d_k));
        let mut v = Array3::zeros((spec.kv_heads, n, d_k));
        let out = HeadsMut {
            q: q_plain.view_mut(),
            k: k_plain.view_mut(),
            v: v.view_mut(),
        };
        self.rotated(hidden, None, out)?;
        let x_norm = self.normed(rows(&hidden, 0..n));
        Ok(Projection {
            x_norm: from_rows(x_norm, hidden.ncols()),
            q_plain,
            k_plain,
        })
    }

    /// The layer's weights as matrices; without W_v and W_o these are 0.
    pub(super) fn weights(
        &self,
        spec: &Spec,
        output: Option<&OutputProjection>,
    ) -> Result<AttentionWeights, Error> {
        let all = self.projections.dense()?;
        let d = all.nrows();
        let (k_first, v_first) = (self.k.first, self.k.first + self.k.size);
        let (w_v, w_o) = match output {
            Some(output) => (
                all.slice(s![.., v_first..]).to_owned(),
                output.linear.dense()?,
            ),
            None => (
                Array2::zeros((d, spec.kv_heads * spec.head_dim)),
                Array2::zeros((spec.heads * spec.head_dim, d)),
            ),
        };
        let vector = |values: &[f32]| Array1::from(values.to_vec());
        let gain = |block: &Block| block.norm.as_ref().map_or(&[][..], Norm::gain).to_vec();
        Ok(AttentionWeights {
            norm_gain: match &self.norm {
                Some(norm) => vector(norm.gain()),
                None => Array1::ones(d),
            },
            norm_bias: vector(self.norm.as_ref().map_or(&[], Norm::bias)),
            w_q: all.slice(s![.., ..k_first]).to_owned(),
            w_k: all.slice(s![.., k_first..v_first]).to_owned(),
            w_v,
            w_o,
            b_q: vector(&self.q.bias),
            b_k: vector(&self.k.bias),
            b_v: vector(self.v.as_ref().map_or(&[], |block| &block.bias)),
            b_o: vector(output.map_or(&[], |output| output.residual.bias())),
            q_gain: Array1::from(gain(&self.q)),
            k_gain: Array1::from(gain(&self.k)),
        })
    }
}

impl OutputProjection {
    /// Reads W_o with its bias, and the norms after it.
    pub(super) fn load(
        checkpoint: &Checkpoint,
        layer: usize,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let name = checkpoint.name(Some(layer), Part::Output.weight());
        let spec = &checkpoint.spec().layers[layer];
        let bias = spec.attention.output_bias.then_some(Part::Output);
        let parts = [Part::AttentionOutputNorm, Part::AttentionSumNorm];
        Ok(Self {
            linear: Linear::load(checkpoint, &[name], kind)?,
            residual: Residual::load(
                checkpoint,
                layer,
                (bias, spec.residual_scale),
                (parts, &spec.attention_norms),
            )?,
            value_norms: OnceLock::new(),
        })
    }

    /// W_o.
    pub(super) fn linear(&self) -> &Linear {
        &self.linear
    }

    /// Adds z·W_o to `hidden`.
    pub(super) fn add(&self, hidden: &mut Array2<f32>, z: ArrayView2<f32>) -> Result<(), Error> {
        let (n, d) = hidden.dim();
        let product = self.linear.for_rows(n)?;
        for chunk in row_chunks(n) {
            let z = rows(&z, chunk.clone());
            product
                .times(z, chunk.len())?
                .read(|out| self.residual.add(rows_mut(hidden, chunk), out, d))?;
        }
        Ok(())
    }

    /// ‖v_j·W_o^h‖ of values `v` \[H_kv, N, d_v\]: \[H, N\].
    pub(super) fn value_norms(
        &self,
        spec: &Spec,
        v: ArrayView3<f32>,
    ) -> Result<Array2<f32>, Error> {
        if self.value_norms.get().is_none() {
            let norms = ValueNorms::new(&self.linear.dense()?, spec.heads, spec.kv_heads);
            // Another thread may have been faster; its value is the same.
            let _ = self.value_norms.set(norms);
        }
        match self.value_norms.get() {
            Some(norms) => Ok(norms.apply(v)),
            None => unreachable!("it was set above"),
        }
    }
}
