//! Root-mean-square layer normalisation.

use super::rows::for_each_row;
use crate::Error;
use crate::checkpoint::Checkpoint;

/// y = x / √(mean(x²) + ε) · g (Zhang & Sennrich 2019, <https://arxiv.org/abs/1910.07467>).
pub(crate) struct RmsNorm {
    /// \[d\]
    gain: Vec<f32>,
    eps: f32,
}

impl RmsNorm {
    pub(crate) fn load(checkpoint: &Checkpoint, name: &str, eps: f32) -> Result<Self, Error> {
        let gain = checkpoint.tensor_f32(name)?.to_vec1()?;
        Ok(Self { gain, eps })
    }

    pub(crate) fn gain(&self) -> &[f32] {
        &self.gain
    }

    /// 1 / √(mean(x²) + ε) of one row, in f64.
    pub(crate) fn factor(&self, x: ndarray::ArrayView1<f32>) -> f64 {
        let squares: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
        1.0 / (squares / x.len() as f64 + f64::from(self.eps)).sqrt()
    }

    /// Norms of the rows of `x` \[rows, d\].
    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let d = self.gain.len();
        let mut out = vec![0.0; x.len()];
        for_each_row(
            &mut out,
            d,
            #[inline(always)]
            |row, out| {
                let x = &x[row * d..][..d];
                let factor = 1.0 / (sum_of_squares(x) / d as f32 + self.eps).sqrt();
                for ((out, x), gain) in out.iter_mut().zip(x).zip(&self.gain) {
                    *out = gain * (x * factor);
                }
            },
        );
        out
    }
}

/// Σ x², in as many partial sums as the widest vector has lanes.
#[inline(always)]
pub(crate) fn sum_of_squares(x: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (blocks, tail) = x.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += x * x;
        }
    }
    let tail: f32 = tail.iter().map(|x| x * x).sum();
    sums.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_follows_its_definition() {
        let x: Vec<f32> = (0..3 * 37).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let norm = RmsNorm {
            gain: (0..37).map(|i| 0.5 + i as f32 / 37.0).collect(),
            eps: 1e-5,
        };
        let y = norm.apply(&x);
        for (x, y) in x.chunks(37).zip(y.chunks(37)) {
            let mean = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 37.0;
            for ((&x, &y), &gain) in x.iter().zip(y).zip(&norm.gain) {
                let exact = f64::from(x) / (mean + 1e-5).sqrt() * f64::from(gain);
                assert!((exact - f64::from(y)).abs() < 1e-6, "{exact} {y}");
            }
        }
    }
}
