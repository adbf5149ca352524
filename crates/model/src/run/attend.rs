//! The one place where a run calls attention.

use lookback_attention::decode::{Cache, Workspace, decode_into};
use lookback_attention::forward::forward_into;
use lookback_trace::{Mask, Scoring};
use ndarray::{Array2, ArrayViewMut2, Axis};

use super::heads::HeadsView;
use super::{Attended, Hooks, intervene};
use crate::Error;

/// New tokens up to which a pass with a workspace reads the cache as it lies; for more, packing it pays.
const FEW: usize = 8;

/// One layer's attention as it is about to be computed.
pub(super) struct Attend<'a> {
    pub(super) layer: usize,
    /// How the scores are computed, offset 0 standing for a text from its beginning.
    pub(super) scoring: &'a Scoring<'static>,
    pub(super) heads: HeadsView<'a>,
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
    let HeadsView { q, k, v } = call.heads;
    let (heads, n, _) = q.dim();
    let (_, m, d_v) = v.dim();
    let (layer, first) = (call.layer, m - n);
    let mut scoring = call.scoring.clone();
    shift(&mut scoring.mask, first);
    let mut lse = Array2::zeros((heads, n));
    let mut by_head = z
        .view_mut()
        .into_shape_with_order((n, heads, d_v))
        .expect("z is row-major")
        .permuted_axes([1, 0, 2]);
    let [q4, k4, v4] = [q, k, v].map(|x| x.insert_axis(Axis(0)));
    let out = (
        by_head.view_mut().insert_axis(Axis(0)),
        lse.view_mut().insert_axis(Axis(0)),
    );
    match workspace {
        Some(workspace) if n <= FEW => {
            let cache = Cache::Contiguous { k: k4, v: v4 };
            decode_into(q4, &cache, &scoring, workspace, out.0, out.1)?;
        }
        _ => forward_into(q4, k4, v4, &scoring, out.0, out.1)?,
    }
    if let Some(interventions) = hooks.interventions() {
        let cutting = intervene::Cutting {
            heads: call.heads,
            scoring: &scoring,
            first,
        };
        let cuts = interventions.cuts_of(layer);
        cutting.cut_edges(cuts, by_head.view_mut(), lse.view_mut())?;
        intervene::change_outputs(interventions, layer, first, by_head.view_mut());
    }
    hooks.attended(&Attended {
        layer,
        first,
        q,
        k,
        v,
        lse: lse.view(),
        z: by_head.view(),
    });
    Ok(lse)
}

/// Lets the first query stand at position `by`.
fn shift(mask: &mut Mask, by: usize) {
    if let Some(offset) = mask.offset_mut() {
        *offset += by as isize;
    }
}
