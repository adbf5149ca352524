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

mod form;
mod operation;
mod options;

use candle_core::Tensor;

use crate::error::Error;
use form::Form;
pub use options::Options;

/// Attention of q \[B, H, N, d_k\] over k \[B, H_kv, M, d_k\] and v \[B, H_kv, M, d_v\], any strides, all f32 or all f64:
/// z \[B, H, N, d_v\].
///
/// # Errors
/// [`Error::Attention`] where shapes or options do not fit.
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor, options: &Options) -> Result<Tensor, Error> {
    operation::run([q, k, v], [Form::HeadsFirst; 3], options)
}

/// How rows are divided into texts, and their columns into heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// B, texts.
    pub batch: usize,
    /// H, heads of queries.
    pub queries: usize,
    /// H_kv, heads of keys and values.
    pub keys: usize,
}

/// [`attend`] on rows that hold a token's heads side by side, as products with W_q, W_k and W_v give them and W_o takes
/// them, so that nothing is copied: q \[B·N, H·d_k\], k \[B·M, H_kv·d_k\], v \[B·M, H_kv·d_v\] to z \[B·N, H·d_v\].
///
/// # Errors
/// As [`attend`]; [`Error::Tensor`] where rows do not divide by B, or columns by heads.
pub fn attend_rows(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: Heads,
    options: &Options,
) -> Result<Tensor, Error> {
    let rows = |heads_of| Form::Rows {
        batch: heads.batch,
        heads: heads_of,
    };
    let keys = rows(heads.keys);
    operation::run([q, k, v], [rows(heads.queries), keys, keys], options)
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
