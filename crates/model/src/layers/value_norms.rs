//! ‖v_j·W_o^h‖: how long a key's contribution to the layer's output would be at weight 1.

use candle_core::{DType, Device, Tensor};
use ndarray::{Array2, ArrayView3};

use super::math::sum_of_squares;
use super::row_chunks;
use super::rows::for_each_row;
use super::tensor::read_f32;
use crate::Error;

/// For each head h a d_v×d_v matrix L_h with L_h·L_hᵀ = W_o^h·W_o^hᵀ, so that ‖v·L_h‖ = ‖v·W_o^h‖ at d_v/d of the
/// work. Products with W_o·W_oᵀ itself would be as cheap, but lose half of the digits of a short result.
pub(crate) struct ValueNorms {
    /// One matrix a key/value head, \[d_v, group·d_v\]: the L_h of its group side by side.
    factors: Vec<Tensor>,
    group: usize,
}

impl ValueNorms {
    /// From W_o \[heads·d_v, d\].
    pub(crate) fn new(w_o: &Tensor, heads: usize, kv_heads: usize) -> Result<Self, Error> {
        let group = heads / kv_heads;
        let d_v = w_o.dims()[0] / heads;
        let w_o = w_o.to_dtype(DType::F64)?;
        let mut factors = Vec::with_capacity(kv_heads);
        for kv_head in 0..kv_heads {
            let mut side_by_side = vec![0.0_f32; d_v * group * d_v];
            for member in 0..group {
                let head = w_o.narrow(0, (kv_head * group + member) * d_v, d_v)?;
                let gram = head.matmul(&head.t()?)?.flatten_all()?.to_vec1::<f64>()?;
                let lower = cholesky(gram, d_v);
                for (row, lower) in lower.chunks_exact(d_v).enumerate() {
                    let to = &mut side_by_side[row * group * d_v + member * d_v..][..d_v];
                    for (to, &value) in to.iter_mut().zip(lower) {
                        *to = value as f32;
                    }
                }
            }
            let shape = (d_v, group * d_v);
            factors.push(Tensor::from_vec(side_by_side, shape, &Device::Cpu)?);
        }
        Ok(Self { factors, group })
    }

    /// Norms for values `v` \[H_kv, N, d_v\]: \[H, N\].
    pub(crate) fn apply(&self, v: ArrayView3<f32>) -> Result<Array2<f32>, Error> {
        let (kv_heads, n, d_v) = v.dim();
        let mut norms = Array2::zeros((kv_heads * self.group, n));
        for (kv_head, factor) in self.factors.iter().enumerate() {
            for chunk in row_chunks(n) {
                let rows = v.slice(ndarray::s![kv_head, chunk.clone(), ..]);
                let x: Vec<f32> = rows.iter().copied().collect();
                let product =
                    Tensor::from_vec(x, (chunk.len(), d_v), &Device::Cpu)?.matmul(factor)?;
                let mut by_row = vec![0.0; chunk.len() * self.group];
                read_f32(&product, |product| {
                    for_each_row(
                        &mut by_row,
                        self.group,
                        #[inline(always)]
                        |row, out| {
                            let parts = product[row * self.group * d_v..].chunks_exact(d_v);
                            for (out, part) in out.iter_mut().zip(parts) {
                                *out = sum_of_squares(part).sqrt();
                            }
                        },
                    );
                })?;
                for (at, &norm) in by_row.iter().enumerate() {
                    let (row, member) = (at / self.group, at % self.group);
                    norms[[kv_head * self.group + member, chunk.start + row]] = norm;
                }
            }
        }
        Ok(norms)
    }
}

/// The lower triangular L with L·Lᵀ = `gram`, n×n and positive semi-definite. A direction without length gives a
/// column of zeros.
fn cholesky(mut gram: Vec<f64>, n: usize) -> Vec<f64> {
    let largest = (0..n).map(|i| gram[i * n + i]).fold(0.0, f64::max);
    let negligible = largest * n as f64 * f64::EPSILON;
    for column in 0..n {
        let pivot = gram[column * n + column];
        let factor = if pivot > negligible {
            pivot.sqrt().recip()
        } else {
            0.0
        };
        for row in column..n {
            gram[row * n + column] *= factor;
        }
        for right in column + 1..n {
            let weight = gram[right * n + column];
            gram[column * n + right] = 0.0;
            for row in right..n {
                gram[row * n + right] -= gram[row * n + column] * weight;
            }
        }
    }
    gram
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn check(heads: usize, kv_heads: usize, d_v: usize, d: usize) {
        let w: Vec<f32> = (0..heads * d_v * d)
            .map(|i| ((i * 7919) as f32).sin())
            .collect();
        let v = Array3::from_shape_fn((kv_heads, 5, d_v), |(h, j, c)| {
            ((h * 31 + j * 17 + c * 3) as f32).cos()
        });
        let w_o = Tensor::from_vec(w.clone(), (heads * d_v, d), &Device::Cpu).unwrap();
        let norms = ValueNorms::new(&w_o, heads, kv_heads)
            .unwrap()
            .apply(v.view())
            .unwrap();
        for head in 0..heads {
            for j in 0..5 {
                let exact = (0..d)
                    .map(|column| {
                        let product = (0..d_v).map(|c| {
                            f64::from(v[[head * kv_heads / heads, j, c]])
                                * f64::from(w[(head * d_v + c) * d + column])
                        });
                        product.sum::<f64>().powi(2)
                    })
                    .sum::<f64>()
                    .sqrt();
                let norm = f64::from(norms[[head, j]]);
                assert!(
                    (norm - exact).abs() < 1e-5 * exact.max(1.0),
                    "{norm} {exact}"
                );
            }
        }
    }

    #[test]
    fn norms_are_those_of_the_product() {
        check(6, 2, 8, 48);
        check(3, 3, 16, 40);
    }

    #[test]
    fn fewer_outputs_than_values_is_no_obstacle() {
        check(2, 1, 16, 5);
    }
}
