//! A product with a trained matrix that asks for no more gradients than there are.

use candle_core::backend::BackendStorage as _;
use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};

use crate::error::Error;

/// x·W, \[rows, in\] times \[in, out\]. Where x is a constant, as rows of a frozen table are, its gradient is not computed;
/// candle's own product computes it always, which is a third of a training step's work on such rows.
///
/// # Errors
/// [`Error::Tensor`] where the shapes do not fit.
pub fn project(x: &Tensor, w: &Tensor) -> Result<Tensor, Error> {
    Ok(x.apply_op2(w, Projection)?)
}

struct Projection;

impl CustomOp2 for Projection {
    fn name(&self) -> &'static str {
        "projection"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, inner) = x_layout.shape().dims2()?;
        let (inputs, outputs) = w_layout.shape().dims2()?;
        if inner != inputs {
            candle_core::bail!("a matrix of {inputs} rows cannot project rows of {inner} columns")
        }
        let product = x.matmul(w, (1, rows, outputs, inner), x_layout, w_layout)?;
        Ok((product, Shape::from((rows, outputs))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = match x.track_op() {
            true => Some(dy.matmul(&w.t()?)?),
            false => None,
        };
        Ok((dx, Some(x.t()?.matmul(dy)?)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn gradients_are_those_of_a_product_and_a_constant_has_none() {
        let var = |shape: (usize, usize), salt: f64| {
            let count = (shape.0 * shape.1) as u32;
            let values = (0..count).map(|i| (f64::from(i) * 0.7 + salt).sin());
            let tensor = Tensor::from_iter(values, &Device::Cpu).unwrap();
            Var::from_tensor(&tensor.reshape(shape).unwrap()).unwrap()
        };
        let (x, w, weight) = (var((5, 3), 0.0), var((3, 4), 1.0), var((5, 4), 2.0));
        let of = |y: &Tensor| {
            let loss = (y * weight.as_tensor()).unwrap().sum_all().unwrap();
            let gradients = loss.backward().unwrap();
            [&x, &w].map(|var| {
                let gradient = gradients.get(var);
                gradient.map(|gradient| gradient.to_vec2::<f64>().unwrap())
            })
        };
        assert_eq!(of(&project(&x, &w).unwrap()), of(&x.matmul(&w).unwrap()));
        let frozen = x.as_tensor().detach();
        let [dx, dw] = of(&project(&frozen, &w).unwrap());
        assert!(dx.is_none());
        assert_eq!(dw, of(&x.matmul(&w).unwrap())[1]);
        assert!(project(&w, &w).is_err());
    }
}
