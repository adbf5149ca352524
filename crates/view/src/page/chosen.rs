//! A trace of chosen heads alone.

use std::borrow::Cow;

use lookback_trace::{Cut, Dtype, HeadId, InterventionRecord, Layer, Meta, Scoring, Trace};
use ndarray::{Array2, Array3, Axis};

use crate::Error;

/// A trace of `heads` (ascending) alone: its layers are those that have one of them, in order, and the heads of each
/// layer the chosen ones, each with keys of its own.
pub(super) fn of_heads(trace: &Trace, heads: &[HeadId]) -> Result<Trace, Error> {
    let meta = trace.meta();
    let mut metas = Vec::new();
    let mut layers = Vec::new();
    let mut cut = Vec::new();
    for of_layer in heads.chunk_by(|a, b| a.layer == b.layer) {
        let at = of_layer[0].layer;
        for (head, id) in of_layer.iter().enumerate() {
            let of_head = |cut: &&Cut| (cut.layer, cut.head) == (id.layer, id.head);
            let cuts = meta.interventions.cut.iter().filter(of_head);
            cut.extend(cuts.map(|cut| Cut {
                layer: layers.len(),
                head,
                ..*cut
            }));
        }
        metas.push(chosen_scoring(&meta.layers[at], of_layer));
        layers.push(chosen_layer(trace, of_layer)?);
    }
    let meta = Meta {
        layers: metas,
        // Heads that were ablated are not these any more; what was cut is part of the weights.
        interventions: InterventionRecord {
            cut,
            ..InterventionRecord::default()
        },
        qk_dtype: Dtype::F32,
        ..meta.clone()
    };
    Ok(Trace::new(meta, layers)?)
}

fn chosen_scoring(scoring: &Scoring<'static>, heads: &[HeadId]) -> Scoring<'static> {
    let of_heads = |numbers: &Cow<'static, [f32]>| -> Cow<'static, [f32]> {
        heads.iter().map(|id| numbers[id.head]).collect()
    };
    let mut chosen = scoring.clone();
    chosen.sinks = scoring.sinks.as_ref().map(of_heads);
    chosen.alibi = scoring.alibi.as_ref().map(of_heads);
    chosen
}

fn chosen_layer(trace: &Trace, heads: &[HeadId]) -> Result<Layer, Error> {
    let n = trace.n();
    let d_k = trace.head(heads[0].layer, heads[0].head)?.q().ncols();
    let mut layer = Layer {
        q: Array3::zeros((heads.len(), n, d_k)),
        k: Array3::zeros((heads.len(), n, d_k)),
        lse: Array2::zeros((heads.len(), n)),
        vnorm: Array2::zeros((heads.len(), n)),
        v: None,
    };
    for (at, id) in heads.iter().enumerate() {
        let head = trace.head(id.layer, id.head)?;
        layer.q.index_axis_mut(Axis(0), at).assign(&head.q());
        layer.k.index_axis_mut(Axis(0), at).assign(&head.k());
        layer.lse.row_mut(at).assign(&head.lse());
        layer.vnorm.row_mut(at).assign(&head.vnorm());
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_heads::example::Example;

    #[test]
    fn chosen_heads_have_the_weights_that_they_had() {
        let trace = Example {
            layers: 3,
            heads: 4,
            ..Example::default()
        }
        .trace();
        let heads = [(0, 1), (2, 0), (2, 3)].map(|(layer, head)| HeadId { layer, head });
        let chosen = of_heads(&trace, &heads).unwrap();
        assert_eq!((chosen.layer_count(), chosen.head_count(1)), (2, 2));
        for (id, (layer, head)) in heads.into_iter().zip([(0, 0), (1, 0), (1, 1)]) {
            for query in 0..trace.n() {
                let expected = trace.row(id.layer, id.head, query).unwrap();
                assert_eq!(chosen.row(layer, head, query).unwrap(), expected);
            }
        }
    }
}
