//! Fused attention with gradients, as an operation of candle's autograd.
//!
//! candle asks a custom operation for its output and later, given the output's gradient, for those of its operands.
//! The backward pass computes the weights again from the log-sum-exp, which the forward pass leaves in a cell that both
//! share. f32 runs on the fused kernels, f64 on [`lookback_attention::reference`], which is there so that a whole
//! model can be checked by finite differences.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use lookback_learn::attention::{Options, attend};
//!
//! // B 2, H 4 over H_kv 2, N 5, d_k 8, d_v 3
//! let q = Var::randn(0f32, 1.0, (2, 4, 5, 8), &Device::Cpu)?;
//! let k = Var::randn(0f32, 1.0, (2, 2, 5, 8), &Device::Cpu)?;
//! let v = Var::randn(0f32, 1.0, (2, 2, 5, 3), &Device::Cpu)?;
//! let z = attend(&q, &k, &v, &Options::default())?;
//! assert_eq!(z.dims(), [2, 4, 5, 3]);
//! let gradients = z.sqr()?.sum_all()?.backward()?;
//! assert_eq!(gradients.get(&k).unwrap().dims(), k.dims());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, DType, Device, Layout, Shape, Storage, Tensor};
use lookback_attention::backward::{Inputs, backward_into};
use lookback_attention::forward::forward_into;
use lookback_attention::{Mask, Scoring, backward, reference};
use ndarray::{Array3, Array4, ArrayView4, ShapeBuilder as _};

use crate::Error;

/// How the scores are computed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Which keys a query may see; causal where nothing else is said.
    pub mask: Mask,
    /// What q·k is multiplied by; `None` stands for 1/√d_k.
    pub scale: Option<f32>,
    /// \[B\]: how many keys of each batch element are real.
    pub key_lengths: Option<Vec<usize>>,
}

impl Options {
    /// Chooses which keys a query may see.
    #[must_use]
    pub fn with_mask(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// Multiplies q·k by `scale` instead of 1/√d_k.
    #[must_use]
    pub fn with_scale(mut self, scale: f32) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Sets how many keys of each batch element are real.
    #[must_use]
    pub fn with_key_lengths(mut self, lengths: Vec<usize>) -> Self {
        self.key_lengths = Some(lengths);
        self
    }

    fn scoring(&self) -> Scoring<'_> {
        let mut scoring = Scoring::default().with_mask(self.mask);
        if let Some(scale) = self.scale {
            scoring = scoring.with_scale(scale);
        }
        match &self.key_lengths {
            Some(lengths) => scoring.with_key_lengths(lengths),
            None => scoring,
        }
    }
}

/// Attention of q \[B, H, N, d_k\] over k \[B, H_kv, M, d_k\] and v \[B, H_kv, M, d_v\], any strides, all f32 or all f64:
/// z \[B, H, N, d_v\], in memory \[B, N, H, d_v\], so that heads are concatenated without a copy.
///
/// # Errors
/// [`Error::Attention`] where shapes or options do not fit.
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor, options: &Options) -> Result<Tensor, Error> {
    let refused = Arc::new(OnceLock::new());
    let operation = FusedAttention {
        options: options.clone(),
        lse: OnceLock::new(),
        refused: Arc::clone(&refused),
    };
    match q.apply_op3(k, v, operation) {
        Ok(z) => Ok(z.transpose(1, 2)?),
        Err(error) => Err(match refused.get() {
            Some(refused) => Error::Attention(lookback_attention::Error::clone(refused)),
            None => Error::Tensor(error),
        }),
    }
}

struct FusedAttention {
    options: Options,
    /// \[B, H, N\], from the forward pass on f32.
    lse: OnceLock<Array3<f32>>,
    /// What the kernel said; candle would only keep its text.
    refused: Arc<OnceLock<lookback_attention::Error>>,
}

impl FusedAttention {
    fn refuse(&self, error: lookback_attention::Error) -> candle_core::Error {
        let message = candle_core::Error::msg(&error);
        // The first refusal is the one that is told.
        let _ = self.refused.set(error);
        message
    }

    /// z \[B, N, H, d_v\] in memory; keeps the log-sum-exps.
    fn forward_f32(
        &self,
        q: ArrayView4<f32>,
        k: ArrayView4<f32>,
        v: ArrayView4<f32>,
    ) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (b, h, n, _) = q.dim();
        let mut z = Array4::<f32>::zeros((b, n, h, v.dim().3));
        let mut lse = Array3::zeros((b, h, n));
        let heads_first = z.view_mut().permuted_axes([0, 2, 1, 3]);
        forward_into(
            q,
            k,
            v,
            &self.options.scoring(),
            heads_first,
            lse.view_mut(),
        )
        .map_err(|error| self.refuse(error))?;
        // A tensor's operation runs once.
        let _ = self.lse.set(lse);
        let shape = Shape::from(z.dim());
        Ok((z.into_raw_vec_and_offset().0, shape))
    }

    fn forward_f64(
        &self,
        q: ArrayView4<f64>,
        k: ArrayView4<f64>,
        v: ArrayView4<f64>,
    ) -> candle_core::Result<(Vec<f64>, Shape)> {
        let exact = reference::attention(q, k, v, &self.options.scoring())
            .map_err(|error| self.refuse(error))?;
        let z = exact.o.permuted_axes([0, 2, 1, 3]);
        let shape = Shape::from(z.dim());
        Ok((z.iter().copied().collect(), shape))
    }
}

impl CustomOp3 for FusedAttention {
    fn name(&self) -> &'static str {
        "fused attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        match (q, k, v) {
            (CpuStorage::F32(q), CpuStorage::F32(k), CpuStorage::F32(v)) => {
                let (z, shape) =
                    self.forward_f32(view(q, q_layout)?, view(k, k_layout)?, view(v, v_layout)?)?;
                Ok((CpuStorage::F32(z), shape))
            }
            (CpuStorage::F64(q), CpuStorage::F64(k), CpuStorage::F64(v)) => {
                let (z, shape) =
                    self.forward_f64(view(q, q_layout)?, view(k, k_layout)?, view(v, v_layout)?)?;
                Ok((CpuStorage::F64(z), shape))
            }
            _ => candle_core::bail!("fused attention takes f32 or f64, the same for q, k and v"),
        }
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        z: &Tensor,
        d_z: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradients = if q.dtype() == DType::F64 {
            self.backward_f64(q, k, v, d_z)?
        } else {
            self.backward_f32([q, k, v], z, d_z)?
        };
        let [dq, dk, dv] = gradients;
        Ok((Some(dq), Some(dk), Some(dv)))
    }
}

impl FusedAttention {
    fn backward_f32(
        &self,
        [q, k, v]: [&Tensor; 3],
        z: &Tensor,
        d_z: &Tensor,
    ) -> candle_core::Result<[Tensor; 3]> {
        let Some(lse) = self.lse.get() else {
            candle_core::bail!("fused attention: the backward pass came before the forward pass")
        };
        let room = |of: &Tensor| -> candle_core::Result<Array4<f32>> {
            let (b, h, n, d) = of.dims4()?;
            Ok(Array4::zeros((b, n, h, d)))
        };
        let (mut dq, mut dk, mut dv) = (room(q)?, room(k)?, room(v)?);
        // z and its gradient stand as [B, N, H, d_v].
        let (z, d_z) = (z.transpose(1, 2)?, d_z.transpose(1, 2)?);
        with_view(q, |q| {
            with_view(k, |k| {
                with_view(v, |v| {
                    with_view(&z, |o| {
                        with_view(&d_z, |d_o| {
                            let lse = lse.view();
                            let inputs = Inputs {
                                q,
                                k,
                                v,
                                o,
                                lse,
                                d_o,
                            };
                            let out = backward::GradientsMut {
                                dq: dq.view_mut().permuted_axes([0, 2, 1, 3]),
                                dk: dk.view_mut().permuted_axes([0, 2, 1, 3]),
                                dv: dv.view_mut().permuted_axes([0, 2, 1, 3]),
                                d_bias: None,
                                d_sinks: None,
                            };
                            let scoring = self.options.scoring();
                            backward_into(&inputs, &backward::Options::default(), &scoring, out)
                                .map_err(|error| self.refuse(error))
                        })
                    })
                })
            })
        })?;
        Ok([heads_first(dq)?, heads_first(dk)?, heads_first(dv)?])
    }

    fn backward_f64(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        d_z: &Tensor,
    ) -> candle_core::Result<[Tensor; 3]> {
        let array = |of: &Tensor| -> candle_core::Result<Array4<f64>> {
            let values = of.flatten_all()?.to_vec1()?;
            Array4::from_shape_vec(of.dims4()?, values).map_err(candle_core::Error::msg)
        };
        let (q, k, v, d_o) = (
            array(q)?,
            array(k)?,
            array(v)?,
            array(&d_z.transpose(1, 2)?)?,
        );
        let scoring = self.options.scoring();
        let exact = reference::backward(q.view(), k.view(), v.view(), d_o.view(), None, &scoring)
            .map_err(|error| self.refuse(error))?;
        let tensor = |of: Array4<f64>| {
            let shape = of.dim();
            Tensor::from_vec(of.into_iter().collect::<Vec<_>>(), shape, &Device::Cpu)
        };
        Ok([tensor(exact.dq)?, tensor(exact.dk)?, tensor(exact.dv)?])
    }
}

/// A tensor \[B, H, N, d\] from what stands in memory as \[B, N, H, d\].
fn heads_first(by_token: Array4<f32>) -> candle_core::Result<Tensor> {
    let shape = by_token.dim();
    Tensor::from_vec(by_token.into_raw_vec_and_offset().0, shape, &Device::Cpu)?.transpose(1, 2)
}

/// A tensor's storage as an array of four axes; a stride of 0, as broadcasting makes it, is kept.
fn view<'a, T>(values: &'a [T], layout: &Layout) -> candle_core::Result<ArrayView4<'a, T>> {
    let (a, b, c, d) = layout.shape().dims4()?;
    let &[sa, sb, sc, sd] = layout.stride() else {
        candle_core::bail!("fused attention takes operands of four dimensions")
    };
    let shape = (a, b, c, d).strides((sa, sb, sc, sd));
    ArrayView4::from_shape(shape, &values[layout.start_offset()..]).map_err(candle_core::Error::msg)
}

/// Calls `f` with a view of an f32 tensor.
fn with_view<R>(
    tensor: &Tensor,
    f: impl FnOnce(ArrayView4<f32>) -> candle_core::Result<R>,
) -> candle_core::Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => f(view(values, layout)?),
        _ => candle_core::bail!("fused attention: an f32 tensor on the CPU was expected"),
    }
}

/// Similarity of embeddings alone, the notes' first idea: softmax(x_i · x_j · scale) for the rows of `x` \[B, N, d\],
/// times `v` \[B, N, d_v\], without any trained matrix: \[B, N, d_v\].
///
/// # Errors
/// As [`attend`].
pub fn similarity(x: &Tensor, v: &Tensor, options: &Options) -> Result<Tensor, Error> {
    let (x, v) = (x.unsqueeze(1)?, v.unsqueeze(1)?);
    Ok(attend(&x, &x, &v, options)?.squeeze(1)?)
}
