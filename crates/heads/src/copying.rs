//! Whether a head's output raises the very tokens that it looks at: the copying score from eigenvalues of its OV
//! circuit (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits").
//!
//! Looked at alone, a head takes the token it attends to through E·diag(g)·W_v·W_o·diag(g_f)·U: from embedding to
//! logits, V×V, the norms' gains g folded in and their per-token factor left out. Where its eigenvalues have positive
//! real parts, looking at a token raises that token's own logit. The score is Σ Re λ / Σ |λ|, from −1 to 1.
//!
//! U is taken without its mean row: what adds the same to every logit changes no probability, and would otherwise be the
//! largest eigenvalue of all.
//!
//! Where the norms subtract the mean of what they read (LayerNorm), so do E and U here; biases add the same whatever is
//! looked at, and are left out.
//!
//! The V×V matrix has rank d_v at most, and its eigenvalues other than 0 are those of the d_v×d_v matrix
//! W_o·diag(g_f)·U·E·diag(g)·W_v (the eigenvalues of AB and of BA are the same).

use lookback_model::Model;
use lookback_model::spec::LayerSpec;
use lookback_trace::HeadId;
use nalgebra::DMatrix;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How many rows of the embedding table are multiplied at a time.
const CHUNK: usize = 2048;

/// One head's copying score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    /// The head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Σ Re λ / Σ |λ| over the eigenvalues of the OV circuit: 1 where all are positive.
    pub copying: f64,
}

/// The copying score of every head, in order. `progress` hears of each layer done, and stops the work where it gives
/// `false`; then there is no result.
///
/// # Errors
/// The model's, and [`Error::Numeric`] where eigenvalues cannot be found.
pub fn copying(
    model: &Model,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Option<Vec<Copying>>, Error> {
    model.check_linear()?;
    let through = unembedding_times_embedding(model)?;
    let spec = model.spec();
    let mut scores = Vec::new();
    for layer in 0..spec.layers.len() {
        if !progress(layer, spec.layers.len()) {
            return Ok(None);
        }
        let weights = model.attention_weights(layer)?;
        let d_v = weights.w_o.nrows() / spec.heads;
        let group = spec.heads / spec.kv_heads;
        for head in 0..spec.heads {
            let w_v = weights
                .w_v
                .slice(s![.., head / group * d_v..(head / group + 1) * d_v]);
            let w_o = weights.w_o.slice(s![head * d_v..(head + 1) * d_v, ..]);
            // diag(g)·W_v
            let values =
                &w_v.mapv(f64::from) * &weights.norm_gain.mapv(f64::from).insert_axis(Axis(1));
            let small = w_o.mapv(f64::from).dot(&through).dot(&values);
            scores.push(Copying {
                head: HeadId { layer, head },
                copying: score(small.view())?,
            });
        }
    }
    Ok(Some(scores))
}

/// diag(g_f)·Ūᵀ·E: \[d, d\] in f64, Ū being U without its mean row, from rows of U and E at a time.
fn unembedding_times_embedding(model: &Model) -> Result<Array2<f64>, Error> {
    let vocab = model.spec().vocab as u32;
    let norm = |layer: &LayerSpec| layer.attention_norms.before;
    let mut norms = model.spec().layers.iter().filter_map(norm);
    let centres = norms.any(|norm| norm.kind.centres());
    let d = model.embeddings(&[0])?.ncols();
    let mut sum = Array2::<f64>::zeros((d, d));
    let (mut all_u, mut all_e) = (Array1::<f64>::zeros(d), Array1::<f64>::zeros(d));
    for first in (0..vocab).step_by(CHUNK) {
        let ids: Vec<u32> = (first..vocab.min(first + CHUNK as u32)).collect();
        let (u, mut e) = (model.unembeddings(&ids)?, model.embeddings(&ids)?);
        if centres {
            let means = e.mean_axis(Axis(1)).unwrap_or_default();
            e -= &means.insert_axis(Axis(1));
        }
        sum += &u.t().dot(&e).mapv(f64::from);
        all_u += &u.mapv(f64::from).sum_axis(Axis(0));
        all_e += &e.mapv(f64::from).sum_axis(Axis(0));
    }
    let mean_u = all_u.insert_axis(Axis(1)) / f64::from(vocab);
    Ok(sum - mean_u.dot(&all_e.insert_axis(Axis(0))))
}

/// Σ Re λ / Σ |λ| of a square matrix; 0 where all eigenvalues are 0.
///
/// # Errors
/// [`Error::Numeric`] where the matrix is not finite, or the QR iteration does not end.
pub(crate) fn score(matrix: ArrayView2<f64>) -> Result<f64, Error> {
    let n = matrix.nrows();
    let unknown = || {
        Error::Numeric(
            "the eigenvalues of an OV circuit could not be found; are the weights finite?"
                .to_owned(),
        )
    };
    // The iteration may take NaN for a result.
    if matrix.iter().any(|x| !x.is_finite()) {
        return Err(unknown());
    }
    let dense = DMatrix::from_fn(n, n, |i, j| matrix[[i, j]]);
    let schur = nalgebra::linalg::Schur::try_new(dense, f64::EPSILON, 10_000);
    let schur = schur.ok_or_else(unknown)?;
    let (mut real, mut size) = (0.0, 0.0);
    for eigenvalue in schur.complex_eigenvalues().iter() {
        real += eigenvalue.re;
        size += eigenvalue.re.hypot(eigenvalue.im);
    }
    Ok(if size > 0.0 { real / size } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn eigenvalues_of_known_matrices() {
        let close = |matrix: Array2<f64>, expected: f64| {
            let found = score(matrix.view()).unwrap();
            assert!((found - expected).abs() < 1e-12, "{found}");
        };
        close(Array2::eye(5), 1.0);
        close(-Array2::<f64>::eye(3), -1.0);
        // A rotation by 90°: ±i.
        close(array![[0.0, -1.0], [1.0, 0.0]], 0.0);
        // The companion matrix of (x − 1)(x + 2)(x² − 6x + 25): 1, −2 and 3 ± 4i.
        let companion = array![
            [0.0, 0.0, 0.0, 50.0],
            [1.0, 0.0, 0.0, -37.0],
            [0.0, 1.0, 0.0, -17.0],
            [0.0, 0.0, 1.0, 5.0]
        ];
        close(companion, (1.0 - 2.0 + 6.0) / (1.0 + 2.0 + 10.0));
        // 3 and −1.
        close(array![[1.0, 2.0], [2.0, 1.0]], 0.5);
        close(Array2::zeros((4, 4)), 0.0);
    }

    #[test]
    fn weights_that_are_not_finite_are_an_error_not_a_hang() {
        assert!(score(array![[f64::NAN, 1.0], [1.0, 0.0]].view()).is_err());
    }
}
