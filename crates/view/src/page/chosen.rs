//! A trace of chosen heads alone.

use std::borrow::Cow;

use lookback_trace::{
    Cut, Dtype, Error as TraceError, HeadId, InterventionRecord, Layer, LayerShape, Meta, Scoring,
    Trace,
};
use ndarray::{Array2, Array3, Axis};

use crate::Error;

/// A trace of `heads` (ascending) alone: its layers are those that have one of them, counted from 0, and the heads of each
/// layer the chosen ones, counted from 0 and each with keys of its own.
pub(super) fn of_heads(trace: &Trace, heads: &[HeadId]) -> Result<Trace, Error> {
    let layers = heads.chunk_by(|a, b| a.layer == b.layer);
    let layers = layers.map(|of_layer| chosen_layer(trace, of_layer));
    let layers = layers.collect::<Result<Vec<_>, Error>>()?;
    Ok(Trace::new(meta(trace, heads)?, layers)?)
}

/// What is said of such a trace.
pub(super) fn meta(trace: &Trace, heads: &[HeadId]) -> Result<Meta, Error> {
    let whole = trace.meta();
    let mut layers = Vec::new();
    let mut cut = Vec::new();
    for of_layer in heads.chunk_by(|a, b| a.layer == b.layer) {
        for (head, id) in of_layer.iter().enumerate() {
            let of_head = |cut: &&Cut| (cut.layer, cut.head) == (id.layer, id.head);
            let cuts = whole.interventions.cut.iter().filter(of_head);
            cut.extend(cuts.map(|cut| Cut {
                layer: layers.len(),
                head,
                ..*cut
            }));
        }
        layers.push(chosen_scoring(trace, of_layer)?);
    }
    Ok(Meta {
        layers,
        // Heads that were ablated are not these any more; what was cut is part of the weights.
        interventions: InterventionRecord {
            cut,
            ..InterventionRecord::default()
        },
        layer_ids: Vec::new(),
        head_ids: Vec::new(),
        other_layers: Vec::new(),
        qk_dtype: Dtype::F32,
        ..whole.clone()
    })
}

/// The shapes of a layer's chosen heads.
pub(super) fn shape(trace: &Trace, heads: &[HeadId]) -> Result<LayerShape, TraceError> {
    let whole = trace.layer_shape(heads[0].layer)?;
    Ok(LayerShape {
        heads: heads.len(),
        kv_heads: heads.len(),
        bias: whole.bias.map(|[h, n, m]| [h.min(heads.len()), n, m]),
        ..whole
    })
}

/// The places of heads among those of their layer that the trace holds.
fn places<'a>(trace: &'a Trace, heads: &'a [HeadId]) -> impl Iterator<Item = usize> + Clone + 'a {
    let ids = trace.head_ids(heads[0].layer);
    heads
        .iter()
        .filter_map(|id| ids.binary_search(&id.head).ok())
}

fn chosen_scoring(trace: &Trace, heads: &[HeadId]) -> Result<Scoring<'static>, Error> {
    let scoring = trace.scoring(heads[0].layer)?;
    let of_heads =
        |numbers: &Cow<[f32]>| -> Vec<f32> { places(trace, heads).map(|at| numbers[at]).collect() };
    let mut chosen = Scoring::new(scoring.scale.unwrap_or(1.0), scoring.mask.clone());
    chosen.soft_cap = scoring.soft_cap;
    chosen.sinks = scoring.sinks.as_ref().map(of_heads).map(Into::into);
    chosen.alibi = scoring.alibi.as_ref().map(of_heads).map(Into::into);
    Ok(chosen)
}

fn chosen_layer(trace: &Trace, heads: &[HeadId]) -> Result<Layer, Error> {
    let LayerShape { n, m, d_k, .. } = trace.layer_shape(heads[0].layer)?;
    let bias = trace.scoring(heads[0].layer)?.bias;
    let bias = bias.map(|bias| {
        let bias = bias.index_axis_move(Axis(0), 0);
        match bias.len_of(Axis(0)) {
            1 => bias.to_owned(),
            _ => bias.select(Axis(0), &places(trace, heads).collect::<Vec<_>>()),
        }
    });
    let mut layer = Layer {
        q: Array3::zeros((heads.len(), n, d_k)),
        k: Array3::zeros((heads.len(), m, d_k)),
        lse: Array2::zeros((heads.len(), n)),
        vnorm: trace.has_vnorm().then(|| Array2::zeros((heads.len(), m))),
        v: None,
        bias,
    };
    for (at, id) in heads.iter().enumerate() {
        let head = trace.head(id.layer, id.head)?;
        layer.q.index_axis_mut(Axis(0), at).assign(&head.q());
        layer.k.index_axis_mut(Axis(0), at).assign(&head.k());
        layer.lse.row_mut(at).assign(&head.lse());
        if let (Some(to), Some(vnorm)) = (&mut layer.vnorm, head.vnorm()) {
            to.row_mut(at).assign(&vnorm);
        }
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
