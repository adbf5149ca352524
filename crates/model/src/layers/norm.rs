//! Normalisation of rows.

use super::math::{sum, sum_of_squares};
use super::rows::for_each_row;
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::spec::{NormKind, Part, Tensor};

/// A norm with its gain and bias; the formulas are those of [`NormKind`].
pub(crate) struct Norm {
    /// Whether the mean is subtracted first.
    centres: bool,
    /// \[d\]
    gain: Vec<f32>,
    /// \[d\], or empty.
    bias: Vec<f32>,
    eps: f32,
}

impl Norm {
    /// Reads the norm of `part`, in a layer or outside.
    pub(crate) fn load(
        checkpoint: &Checkpoint,
        layer: Option<usize>,
        part: Part,
        spec: crate::spec::Norm,
    ) -> Result<Self, Error> {
        let vector = |tensor: Tensor| -> Result<Vec<f32>, Error> {
            let name = checkpoint.name(layer, tensor);
            Ok(checkpoint.tensor_f32(&name)?.to_vec1()?)
        };
        let mut gain = vector(part.weight())?;
        if spec.kind == NormKind::RmsPlusOne {
            gain.iter_mut().for_each(|gain| *gain += 1.0);
        }
        Ok(Self {
            centres: spec.kind.centres(),
            gain,
            bias: match spec.kind.has_bias() {
                true => vector(part.bias())?,
                false => Vec::new(),
            },
            eps: spec.eps,
        })
    }

    /// What rows are multiplied by once they are normalised: \[d\].
    pub(crate) fn gain(&self) -> &[f32] {
        &self.gain
    }

    /// What is added to them: \[d\], or empty.
    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Whether the mean is subtracted first.
    pub(crate) fn centres(&self) -> bool {
        self.centres
    }

    /// What one row is multiplied by, beside the gain, in f64: 1 / √(mean(x²) + ε), or of the variance where the mean is
    /// subtracted.
    pub(crate) fn factor(&self, x: ndarray::ArrayView1<f32>) -> f64 {
        let n = x.len() as f64;
        let mean = match self.centres {
            true => x.iter().map(|&x| f64::from(x)).sum::<f64>() / n,
            false => 0.0,
        };
        let squares: f64 = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
        1.0 / (squares / n + f64::from(self.eps)).sqrt()
    }

    /// Norms of the rows of `x` \[rows, d\].
    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let d = self.gain.len();
        let mut out = vec![0.0; x.len()];
        for_each_row(
            &mut out,
            d,
            #[inline(always)]
            |row, out| self.apply_to_row(&x[row * d..][..d], out),
        );
        out
    }

    /// The norm of one row \[d\], for loops that are vectorised around it.
    #[inline(always)]
    pub(crate) fn apply_to_row(&self, x: &[f32], out: &mut [f32]) {
        match (self.centres, self.bias.is_empty()) {
            (false, _) => self.scale(x, out),
            (true, without_bias) => {
                self.centre(x, out);
                if !without_bias {
                    for (out, bias) in out.iter_mut().zip(&self.bias) {
                        *out += bias;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn scale(&self, x: &[f32], out: &mut [f32]) {
        let factor = 1.0 / (sum_of_squares(x) / x.len() as f32 + self.eps).sqrt();
        for ((out, x), gain) in out.iter_mut().zip(x).zip(&self.gain) {
            *out = gain * (x * factor);
        }
    }

    #[inline(always)]
    fn centre(&self, x: &[f32], out: &mut [f32]) {
        let mean = sum(x) / x.len() as f32;
        for (out, x) in out.iter_mut().zip(x) {
            *out = x - mean;
        }
        let factor = 1.0 / (sum_of_squares(out) / x.len() as f32 + self.eps).sqrt();
        for (out, gain) in out.iter_mut().zip(&self.gain) {
            *out = gain * (*out * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(centres: bool, bias: bool) -> Norm {
        let bias = (0..37).map(|i| (i as f32).cos()).filter(|_| bias);
        Norm {
            centres,
            gain: (0..37).map(|i| 0.5 + i as f32 / 37.0).collect(),
            bias: bias.collect(),
            eps: 1e-5,
        }
    }

    #[test]
    fn norms_follow_their_definitions() {
        let x: Vec<f32> = (0..3 * 37)
            .map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0)
            .collect();
        for (centres, bias) in [(false, false), (true, false), (true, true)] {
            let norm = norm(centres, bias);
            let y = norm.apply(&x);
            for (x, y) in x.chunks(37).zip(y.chunks(37)) {
                let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / 37.0;
                let mean = if centres { mean } else { 0.0 };
                let square = |&x: &f32| (f64::from(x) - mean).powi(2);
                let variance = x.iter().map(square).sum::<f64>() / 37.0;
                for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
                    let bias = norm.bias.get(i).copied().map_or(0.0, f64::from);
                    let normed = (f64::from(x) - mean) / (variance + 1e-5).sqrt();
                    let exact = normed * f64::from(norm.gain[i]) + bias;
                    assert!((exact - f64::from(y)).abs() < 2e-6, "{exact} {y}");
                }
                let factor = norm.factor(ndarray::aview1(x));
                assert!((factor - 1.0 / (variance + 1e-5).sqrt()).abs() < 1e-12);
            }
        }
    }
}
