//! The one place where a run calls attention.

use lookback_attention::decode::{Cache, Workspace, decode_into};
use lookback_attention::forward::forward_into;
use lookback_trace::{LayerMeta, TraceMask};
use ndarray::{Array2, ArrayView3, ArrayViewMut2, Axis};

use super::{Attended, change};
use crate::{Error, Hooks};

/// New tokens up to which a pass with a workspace reads the cache as it lies; for more, packing it pays.
const FEW: usize = 8;

/// One layer's attention as it is about to be computed.
pub(super) struct Attend<'a> {
    pub(super) layer: usize,
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
/// With a workspace, few queries are computed by [`decode`](lookback_attention::decode).
///
/// Whatever changes a layer's outputs acts here, after the fused pass: rows that lose an edge are computed again,
/// ablated heads are overwritten. So a run without interventions, and every row that none reaches, keeps its bits.
pub(super) fn attend(
    call: &Attend,
    hooks: &dyn Hooks,
    mut z: ArrayViewMut2<f32>,
    workspace: Option<&mut Workspace>,
) -> Result<Array2<f32>, Error> {
    let (heads, n, _) = call.q.dim();
    let (_, m, d_v) = call.v.dim();
    let mut scoring = call.scoring.clone();
    shift(&mut scoring.mask, m - n);
    let mut lse = Array2::zeros((heads, n));
    let mut by_head = z
        .view_mut()
        .into_shape_with_order((n, heads, d_v))
        .expect("z is row-major")
        .permuted_axes([1, 0, 2]);
    let [q, k, v] = [call.q, call.k, call.v].map(|x| x.insert_axis(Axis(0)));
    let out = (
        by_head.view_mut().insert_axis(Axis(0)),
        lse.view_mut().insert_axis(Axis(0)),
    );
    match workspace {
        Some(workspace) if n <= FEW => {
            let cache = Cache::Contiguous { k, v };
            decode_into(q, &cache, &scoring.scoring(), workspace, out.0, out.1)?;
        }
        _ => forward_into(q, k, v, &scoring.scoring(), out.0, out.1)?,
    }
    let (layer, first) = (call.layer, m - n);
    if let Some(changes) = hooks.interventions() {
        let at = (&scoring, first);
        change::cut_edges(
            changes.cuts_of(layer),
            call,
            at,
            by_head.view_mut(),
            lse.view_mut(),
        );
        change::change_outputs(changes, layer, first, by_head.view_mut());
    }
    hooks.attended(&Attended {
        layer,
        first,
        q: call.q,
        k: call.k,
        v: call.v,
        lse: lse.view(),
        z: by_head.view(),
    });
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
