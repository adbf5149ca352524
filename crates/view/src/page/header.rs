//! How long the header of the trace within a page is: a plan says how large a page will be before its numbers are there.

use lookback_trace::{Dtype, HeadId, LayerShape, Meta, Trace};

use super::chosen;
use crate::Error;

/// About what rounding does, which is known only once it is done.
const CHANGE: f32 = 0.000_123_456;

/// Bytes of the header of a trace of `heads` (ascending) alone, or of the whole trace: exact but for how many digits
/// tell what rounding does.
pub(super) fn header_bytes(trace: &Trace, heads: Option<&[HeadId]>) -> Result<u64, Error> {
    let (meta, shapes): (Meta, Result<Vec<LayerShape>, _>) = match heads {
        Some(heads) => {
            let layers = heads.chunk_by(|a, b| a.layer == b.layer);
            let shapes = layers.map(|of_layer| chosen::shape(trace, of_layer));
            (chosen::meta(trace, heads)?, shapes.collect())
        }
        None => {
            let layers = trace.layer_ids().iter();
            let shapes = layers.map(|&layer| trace.layer_shape(layer));
            (trace.meta().clone(), shapes.collect())
        }
    };
    let meta = Meta {
        qk_dtype: Dtype::F16,
        qk_rounding_max_weight_change: Some(CHANGE),
        ..meta
    };
    Ok(meta.header_bytes(&shapes?))
}
