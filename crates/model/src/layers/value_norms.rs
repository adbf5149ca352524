//! ‖v_j·W_o^h‖: how long a key's contribution to the layer's output would be at weight 1.

use std::convert::Infallible;

use ndarray::{Array2, ArrayView3, s};

use super::math::sum_of_squares;
use super::packed::Packed;
use super::row_chunks;
use super::rows::for_each_row;

/// For each head h a d_v×d_v matrix L_h with L_h·L_hᵀ = W_o^h·W_o^hᵀ, so that ‖v·L_h‖ = ‖v·W_o^h‖ at d_v/d of the
/// work. Products with W_o·W_oᵀ itself would be as cheap, but lose half of the digits of a short result.
pub(crate) struct ValueNorms {
    /// One matrix a key/value head, \[d_v, group·d_v\]: the L_h of its group side by side.
    factors: Vec<Packed>,
    group: usize,
}

impl ValueNorms {
    /// From W_o \[heads·d_v, d\].
    pub(crate) fn new(w_o: &Array2<f32>, heads: usize, kv_heads: usize) -> Self {
        let group = heads / kv_heads;
        let d_v = w_o.nrows() / heads;
        let factors_of = |kv_head: usize| {
            let lower: Vec<Vec<f64>> = (0..group)
                .map(|member| {
                    let first = (kv_head * group + member) * d_v;
                    let of_head = w_o.slice(s![first..first + d_v, ..]).mapv(f64::from);
                    cholesky(of_head.dot(&of_head.t()).into_iter().collect(), d_v)
                })
                .collect();
            // Row o of the transposed matrix is column o of the L_h side by side.
            let rows = |first: usize, rows: &mut [f32]| {
                for (column, row) in (first..).zip(rows.chunks_exact_mut(d_v)) {
                    let (member, column) = (column / d_v, column % d_v);
                    for (at, x) in row.iter_mut().enumerate() {
                        *x = lower[member][at * d_v + column] as f32;
                    }
                }
                Ok::<_, Infallible>(())
            };
            let Ok(packed) = Packed::new((d_v, group * d_v), rows);
            packed
        };
        Self {
            factors: (0..kv_heads).map(factors_of).collect(),
            group,
        }
    }

    /// Norms for values `v` \[H_kv, N, d_v\]: \[H, N\].
    pub(crate) fn apply(&self, v: ArrayView3<f32>) -> Array2<f32> {
        let (kv_heads, n, d_v) = v.dim();
        let mut norms = Array2::zeros((kv_heads * self.group, n));
        for (kv_head, factor) in self.factors.iter().enumerate() {
            for chunk in row_chunks(n) {
                let rows = v.slice(s![kv_head, chunk.clone(), ..]);
                let x: Vec<f32> = rows.iter().copied().collect();
                let product = factor.times(&x, chunk.len());
                let mut by_row = vec![0.0; chunk.len() * self.group];
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
                for (at, &norm) in by_row.iter().enumerate() {
                    let (row, member) = (at / self.group, at % self.group);
                    norms[[kv_head * self.group + member, chunk.start + row]] = norm;
                }
            }
        }
        norms
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
        let w_o = Array2::from_shape_vec((heads * d_v, d), w.clone()).unwrap();
        let norms = ValueNorms::new(&w_o, heads, kv_heads).apply(v.view());
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
