//! The one place where a run calls attention.

use lookback_attention::forward::forward_into;
use lookback_trace::{LayerMeta, TraceMask};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, Axis};

use crate::{Error, Hooks};

/// One layer's attention as it is about to be computed.
pub(super) struct Attend<'a> {
    /// How the scores are computed, offset 0 standing for a text from its beginning.
    pub(super) scoring: &'a LayerMeta,
    /// \[H, N, d_k\]
    pub(super) q: ArrayView3<'a, f32>,
    /// \[H_kv, M, d_k\]; the last N keys are those of the queries' own tokens.
    pub(super) k: ArrayView3<'a, f32>,
    /// \[H_kv, M, d_v\]
    pub(super) v: ArrayView3<'a, f32>,
}

/// Writes the heads' outputs to `z` \[N, H·d_v\], concatenated, and gives their log-sum-exps \[H, N\].
///
/// Whatever is to change a layer's attention (an ablated head, a cut edge, a patched output) acts here: what it does
/// to scores goes into the call below, what it does to outputs happens to `z` after it. No hook asks for that yet.
pub(super) fn attend(
    call: &Attend,
    _hooks: &dyn Hooks,
    mut z: ArrayViewMut2<f32>,
) -> Result<Array2<f32>, Error> {
    let (heads, n, _) = call.q.dim();
    let (_, m, d_v) = call.v.dim();
    let mut scoring = call.scoring.clone();
    shift(&mut scoring.mask, m - n);
    let mut lse = Array2::zeros((heads, n));
    let by_head = z
        .view_mut()
        .into_shape_with_order((n, heads, d_v))
        .expect("z is row-major")
        .permuted_axes([1, 0, 2]);
    forward_into(
        call.q.insert_axis(Axis(0)),
        call.k.insert_axis(Axis(0)),
        call.v.insert_axis(Axis(0)),
        &scoring.scoring(),
        by_head.insert_axis(Axis(0)),
        lse.view_mut().insert_axis(Axis(0)),
    )?;
    Ok(lse)
}

/// Lets the first query stand at position `by`.
fn shift(mask: &mut TraceMask, by: usize) {
    match mask {
        TraceMask::Causal { offset } | TraceMask::Window { offset, .. } => {
            *offset += by as isize;
        }
        _ => {}
    }
}
