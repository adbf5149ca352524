//! The specification: attention as the notes define it, in plain f64, one short function a step.
//!
//! Nothing here is fast. Every other module is tested against it.
//!
//! The first idea needs no trained matrices: a token's attention is a weighted sum of the tokens that it may see,
//! and the weight is how similar they are ([`similarity_only`]):
//!
//! > Attention = Σ_j W_ij x_j, where W_ij = softmax(x_i · x_j)
//!
//! A head asks with its own queries, keys and values instead of the raw embeddings. The steps of [`head`]:
//!
//! | step | equation | shapes | function |
//! | --- | --- | --- | --- |
//! | queries, keys, values | Q = X·W_q, K = X·W_k, V = X·W_v | N×d · d×d_k = N×d_k | [`project`] |
//! | similarity | S = Q·Kᵀ | N×d_k · d_k×M = N×M | [`scores`] |
//! | normalise | S / √d_k | N×M | [`scale`] |
//! | who may be seen | s_ij = −∞ where i may not see j | N×M | [`mask`] |
//! | weights | W = softmax(S) | N×M | [`softmax`] |
//! | weighted sum | z_i = Σ_j w_ij v_j | N×M · M×d_v = N×d_v | [`weighted_sum`] |
//!
//! Several heads are placed side by side ([`concat()`], N×(H·d_v)) and projected back to N×d by W_o
//! ([`multi_head`]), so that layers can be stacked:
//!
//! ```
//! use lookback_attention::Mask;
//! use lookback_attention::reference::{HeadMatrices, multi_head};
//! use ndarray::Array2;
//!
//! // Any matrices do: here a fixed pattern of the right shape.
//! let matrix = |rows, cols, salt: usize| {
//!     Array2::from_shape_fn((rows, cols), |(i, j)| ((i * 7 + j * 3 + salt) % 11) as f64 / 11.0 - 0.5)
//! };
//! let (n, d, d_k, d_v, heads) = (5, 8, 4, 3, 2);
//! let layer = |x: &Array2<f64>, salt: usize| {
//!     let w: Vec<_> = (0..heads)
//!         .map(|h| (matrix(d, d_k, salt + h), matrix(d, d_k, salt + h + 20), matrix(d, d_v, salt + h + 40)))
//!         .collect();
//!     let w: Vec<_> = w
//!         .iter()
//!         .map(|(w_q, w_k, w_v)| HeadMatrices { w_q: w_q.view(), w_k: w_k.view(), w_v: w_v.view() })
//!         .collect();
//!     multi_head(x.view(), &w, matrix(heads * d_v, d, salt + 60).view(), &Mask::default())
//! };
//! let x = matrix(n, d, 0);
//! let first = layer(&x, 1)?;
//! let second = layer(&first, 2)?; // N×d in, N×d out: the next layer takes it as it is
//! assert_eq!(second.dim(), (n, d));
//! # Ok::<(), lookback_attention::Error>(())
//! ```
//!
//! The equations are those of Vaswani et al., "Attention Is All You Need" (2017), section 3.2.
//! [`attention`] is the same mathematics for batches of heads with every option of [`Scoring`](crate::Scoring).

mod backward;
mod batched;
mod heads;
mod row;
mod steps;

pub use backward::{ExactGradients, backward};
pub use batched::{Exact, attention, masked_scores};
pub use heads::{Attended, HeadMatrices, head, multi_head, similarity_only};
pub use row::{ExactRow, row_without};
pub use steps::{concat, log_sum_exp, mask, project, scale, scores, softmax, weighted_sum};
