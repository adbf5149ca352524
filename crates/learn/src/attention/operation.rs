//! The operation that candle's autograd calls.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, DType, Device, Layout, Shape, Tensor, WithDType};
use lookback_attention::backward::{Inputs, backward_into};
use lookback_attention::forward::forward_into;
use lookback_attention::{backward, reference};
use ndarray::{Array3, ArrayView4};

use super::form::{Form, with_view};
use super::options::Options;
use crate::error::Error;

/// Attention of q, k and v, each in its form.
pub(super) fn run(
    [q, k, v]: [&Tensor; 3],
    forms: [Form; 3],
    options: &Options,
) -> Result<Tensor, Error> {
    let kernel_error = Arc::new(OnceLock::new());
    let operation = FusedAttention {
        forms,
        options: options.clone(),
        lse: OnceLock::new(),
        kernel_error: Arc::clone(&kernel_error),
    };
    q.apply_op3(k, v, operation)
        .map_err(|error| match kernel_error.get() {
            Some(kernel_error) => Error::Attention(lookback_attention::Error::clone(kernel_error)),
            None => Error::Tensor(error),
        })
}

struct FusedAttention {
    forms: [Form; 3],
    options: Options,
    /// \[B, H, N\], from the forward pass on f32.
    lse: OnceLock<Array3<f32>>,
    /// What the kernel said; candle would only keep its text.
    kernel_error: Arc<OnceLock<lookback_attention::Error>>,
}

/// Gradients of q, k and v.
type Gradients = [Tensor; 3];

impl FusedAttention {
    /// z has the form of q.
    fn z_form(&self) -> Form {
        self.forms[0]
    }

    fn kept(&self, error: lookback_attention::Error) -> candle_core::Error {
        let message = candle_core::Error::msg(&error);
        // The first error is the one that is reported.
        let _ = self.kernel_error.set(error);
        message
    }

    /// z; keeps the log-sum-exps.
    fn forward_f32(
        &self,
        [q, k, v]: [ArrayView4<f32>; 3],
    ) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (b, h, n, _) = q.dim();
        let shape = self.z_form().output([b, h, n, v.dim().3]);
        let mut z = vec![0.0; shape.elem_count()];
        let mut lse = Array3::zeros((b, h, n));
        let room = self.z_form().view_mut(&mut z, &shape)?;
        forward_into(q, k, v, &self.options.scoring(), room, lse.view_mut())
            .map_err(|error| self.kept(error))?;
        // A tensor's operation runs once.
        let _ = self.lse.set(lse);
        Ok((z, shape))
    }

    fn forward_f64(
        &self,
        [q, k, v]: [ArrayView4<f64>; 3],
    ) -> candle_core::Result<(Vec<f64>, Shape)> {
        let exact = reference::attention(q, k, v, &self.options.scoring())
            .map_err(|error| self.kept(error))?;
        let (b, h, n, d_v) = exact.o.dim();
        let shape = self.z_form().output([b, h, n, d_v]);
        Ok((in_form(exact.o.view(), self.z_form(), &shape)?, shape))
    }

    fn backward_f32(
        &self,
        [q, k, v]: [&Tensor; 3],
        z: &Tensor,
        d_z: &Tensor,
    ) -> candle_core::Result<Gradients> {
        let Some(lse) = self.lse.get() else {
            candle_core::bail!("fused attention: the backward pass came before the forward pass")
        };
        let [form_q, form_k, form_v] = self.forms;
        let mut room = [q, k, v].map(|of| vec![0.0_f32; of.elem_count()]);
        let [dq, dk, dv] = &mut room;
        let out = backward::GradientsMut {
            dq: form_q.view_mut(dq, q.shape())?,
            dk: form_k.view_mut(dk, k.shape())?,
            dv: form_v.view_mut(dv, v.shape())?,
            d_bias: None,
            d_sinks: None,
        };
        let form_z = self.z_form();
        with_view((q, form_q), |q| {
            with_view((k, form_k), |k| {
                with_view((v, form_v), |v| {
                    with_view((z, form_z), |o| {
                        with_view((d_z, form_z), |d_o| {
                            let inputs = Inputs {
                                q,
                                k,
                                v,
                                o,
                                lse: lse.view(),
                                d_o,
                            };
                            let scoring = self.options.scoring();
                            backward_into(&inputs, &backward::Options::default(), &scoring, out)
                                .map_err(|error| self.kept(error))
                        })
                    })
                })
            })
        })?;
        let [dq, dk, dv] = room;
        let tensor = |values, of: &Tensor| Tensor::from_vec(values, of.shape(), &Device::Cpu);
        Ok([tensor(dq, q)?, tensor(dk, k)?, tensor(dv, v)?])
    }

    fn backward_f64(&self, operands: [&Tensor; 3], d_z: &Tensor) -> candle_core::Result<Gradients> {
        let array =
            |of: &Tensor, form| with_view((of, form), |view: ArrayView4<f64>| Ok(view.to_owned()));
        let [q, k, v] = operands;
        let [form_q, form_k, form_v] = self.forms;
        let (q, k, v) = (array(q, form_q)?, array(k, form_k)?, array(v, form_v)?);
        let d_o = array(d_z, self.z_form())?;
        let scoring = self.options.scoring();
        let exact = reference::backward(q.view(), k.view(), v.view(), d_o.view(), None, &scoring)
            .map_err(|error| self.kept(error))?;
        let tensor = |of: ArrayView4<f64>, form, like: &Tensor| {
            let values = in_form(of, form, like.shape())?;
            Tensor::from_vec(values, like.shape(), &Device::Cpu)
        };
        Ok([
            tensor(exact.dq.view(), form_q, operands[0])?,
            tensor(exact.dk.view(), form_k, operands[1])?,
            tensor(exact.dv.view(), form_v, operands[2])?,
        ])
    }
}

/// The values of \[B, H, N, d\] as a contiguous tensor of `shape` has them.
fn in_form(of: ArrayView4<f64>, form: Form, shape: &Shape) -> candle_core::Result<Vec<f64>> {
    let mut values = vec![0.0; shape.elem_count()];
    form.view_mut(&mut values, shape)?.assign(&of);
    Ok(values)
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
        let operands = [(q, q_layout), (k, k_layout), (v, v_layout)];
        match (q, k, v) {
            (CpuStorage::F32(_), CpuStorage::F32(_), CpuStorage::F32(_)) => {
                let (z, shape) = self.forward_f32(self.views(operands)?)?;
                Ok((CpuStorage::F32(z), shape))
            }
            (CpuStorage::F64(_), CpuStorage::F64(_), CpuStorage::F64(_)) => {
                let (z, shape) = self.forward_f64(self.views(operands)?)?;
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
        let [dq, dk, dv] = if q.dtype() == DType::F64 {
            self.backward_f64([q, k, v], d_z)?
        } else {
            self.backward_f32([q, k, v], z, d_z)?
        };
        Ok((Some(dq), Some(dk), Some(dv)))
    }
}

impl FusedAttention {
    fn views<'a, T: WithDType>(
        &self,
        operands: [(&'a CpuStorage, &Layout); 3],
    ) -> candle_core::Result<[ArrayView4<'a, T>; 3]> {
        let view = |index: usize| {
            let (storage, layout) = operands[index];
            self.forms[index].view(T::cpu_storage_as_slice(storage)?, layout)
        };
        Ok([view(0)?, view(1)?, view(2)?])
    }
}
