//! What must hold of every trace, wherever it comes from.
//!
//! A file may be damaged or made to do harm, so that everything that later code relies on (sizes, order, ranges,
//! signs) is established here, once, before a [`Trace`](crate::Trace) exists.

use lookback_attention::{Mask, Scoring};

use crate::layer::Stored;
use crate::scoring_record::ScoringRecord;
use crate::tensor::Tensor;
use crate::{Dtype, Error, InterventionRecord, Meta, Site};

/// Refuses a trace whose parts contradict each other.
pub(crate) fn all(meta: &Meta, layers: &[Stored]) -> Result<(), Error> {
    tokens(meta)?;
    spans(meta)?;
    ensure(!layers.is_empty(), || "it has no layers".into())?;
    ensure(layers.len() == meta.layers.len(), || {
        format!(
            "`layers` describes {} layers, and there are tensors of {}",
            meta.layers.len(),
            layers.len()
        )
    })?;
    for (at, (layer, described)) in layers.iter().zip(&meta.layers).enumerate() {
        shapes(at, layer, meta)?;
        scoring(at, described, layer.q.heads, meta.tokens.len())?;
        numbers(at, layer)?;
    }
    ensure(
        layers
            .iter()
            .all(|l| l.v.is_some() == layers[0].v.is_some()),
        || "some layers keep values (v) and some do not".into(),
    )?;
    interventions(&meta.interventions, layers, meta.tokens.len())?;
    rounding(meta)
}

/// An [`Error::Inconsistent`] unless `holds`.
pub(crate) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Inconsistent(reason()))
    }
}

/// The counts of tokens agree, and the model's hash is one.
fn tokens(meta: &Meta) -> Result<(), Error> {
    let n = meta.tokens.len();
    ensure(n > 0, || "it has no tokens".into())?;
    ensure(meta.spans.len() == n, || {
        format!("there are {n} `tokens` and {} `spans`", meta.spans.len())
    })?;
    ensure(meta.prefix_tokens <= n, || {
        format!("`prefix_tokens` is {} of {n} tokens", meta.prefix_tokens)
    })?;
    let texts = &meta.prefix_texts;
    ensure(
        texts.is_empty() || texts.len() == meta.prefix_tokens,
        || {
            format!(
                "there are {} `prefix_texts` of {} tokens",
                texts.len(),
                meta.prefix_tokens
            )
        },
    )?;
    ensure(texts.iter().all(|text| !text.is_empty()), || {
        "one of the `prefix_texts` is empty".into()
    })?;
    let is_hash = |hash: &String| {
        hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    ensure(meta.model_sha256.as_ref().is_none_or(is_hash), || {
        "`model_sha256` is not 64 lower-case hexadecimal digits".into()
    })
}

/// Spans lie in the text, on characters' boundaries, in order; the prefix's are empty.
fn spans(meta: &Meta) -> Result<(), Error> {
    let text = &meta.text;
    let mut before = (0, 0);
    for (token, &(start, end)) in meta.spans.iter().enumerate() {
        let name = || format!("the span {start}..{end} of token {token}");
        ensure(start <= end && end <= text.len(), || {
            format!(
                "{} does not lie in the text of {} bytes",
                name(),
                text.len()
            )
        })?;
        ensure(
            text.is_char_boundary(start) && text.is_char_boundary(end),
            || format!("{} cuts a character", name()),
        )?;
        if start == end {
            continue;
        }
        ensure(token >= meta.prefix_tokens, || {
            format!(
                "{} is not empty, though the token belongs to the prefix",
                name()
            )
        })?;
        ensure(start >= before.0 && end >= before.1, || {
            format!(
                "{} is out of order: {}..{} comes before it",
                name(),
                before.0,
                before.1
            )
        })?;
        before = (start, end);
    }
    Ok(())
}

/// All tensors of a layer have the shapes that belong together, and the types that the metadata names.
fn shapes(at: usize, layer: &Stored, meta: &Meta) -> Result<(), Error> {
    let n = meta.tokens.len();
    let (heads, kv_heads) = (layer.q.heads, layer.k.heads);
    let expect = |name: &str, tensor: &Tensor, heads: usize, width: usize| {
        let found = [tensor.heads, tensor.rows, tensor.width];
        ensure(found == [heads, n, width] && !found.contains(&0), || {
            format!(
                "layers.{at}.{name} is [heads {heads_found}, tokens {rows}, {width_found}] \
                 where [heads {heads}, tokens {n}, {width}] is needed, none of them 0",
                heads_found = found[0],
                rows = found[1],
                width_found = found[2],
            )
        })
    };
    expect("q", &layer.q, heads, layer.q.width)?;
    expect("k", &layer.k, kv_heads, layer.q.width)?;
    ensure(heads.is_multiple_of(kv_heads), || {
        format!(
            "layer {at} has {heads} query heads, which {kv_heads} key heads cannot be shared among"
        )
    })?;
    expect("lse", &layer.lse, heads, 1)?;
    expect("vnorm", &layer.vnorm, heads, 1)?;
    for (name, tensor) in [("q", &layer.q), ("k", &layer.k)] {
        ensure(tensor.dtype() == meta.qk_dtype, || {
            format!(
                "`qk_dtype` is {}, and layers.{at}.{name} holds {}",
                meta.qk_dtype.name(),
                tensor.dtype().name()
            )
        })?;
    }
    match &layer.v {
        Some(v) => expect("v", v, kv_heads, v.width),
        None => Ok(()),
    }
}

/// A layer's scoring is finite and has an entry for each head where it needs one.
fn scoring(at: usize, layer: &Scoring, heads: usize, n: usize) -> Result<(), Error> {
    if let Err(what) = ScoringRecord::new(layer) {
        return ensure(false, || format!("layer {at} has {what}"));
    }
    let scale = layer.scale.unwrap_or(f32::NAN);
    ensure(scale.is_finite(), || {
        format!("the scale of layer {at} is {scale}")
    })?;
    ensure(
        layer.soft_cap.is_none_or(|c| c.is_finite() && c > 0.0),
        || format!("the soft_cap of layer {at} is not a finite number above 0"),
    )?;
    for (name, values) in [("sinks", &layer.sinks), ("alibi", &layer.alibi)] {
        let Some(values) = values else { continue };
        ensure(values.len() == heads, || {
            format!("layer {at} has {} {name} for {heads} heads", values.len())
        })?;
        ensure(values.iter().all(|x| x.is_finite()), || {
            format!("the {name} of layer {at} are not all finite")
        })?;
    }
    ensure(
        !matches!(layer.mask, Mask::Window { window: 0, .. }),
        || format!("the mask of layer {at} has a window of 0 keys"),
    )?;
    let offset = layer.mask.offset();
    ensure(offset.unsigned_abs() <= n, || {
        format!("the mask of layer {at} has offset {offset}, beyond all {n} tokens")
    })
}

/// The small tensors hold no number that could not come about. (Queries, keys and values are too large to read
/// them all before the first question; what is computed from them is checked instead.)
fn numbers(at: usize, layer: &Stored) -> Result<(), Error> {
    let lse = layer.lse.find(|x| x.is_nan() || x == f32::INFINITY);
    let vnorm = layer.vnorm.find(|x| !x.is_finite() || x < 0.0);
    for (tensor, found) in [("lse", lse), ("vnorm", vnorm)] {
        if let Some((head, token, value)) = found {
            return Err(Error::BadNumber {
                layer: at,
                tensor,
                head,
                token,
                value,
            });
        }
    }
    Ok(())
}

/// A record of interventions names heads and tokens that exist.
fn interventions(record: &InterventionRecord, layers: &[Stored], n: usize) -> Result<(), Error> {
    let head = |what: &str, layer: usize, head: usize| {
        ensure(layers.get(layer).is_some_and(|l| head < l.q.heads), || {
            format!("`edits` has {what} in head {layer}.{head}, which does not exist")
        })
    };
    for cut in &record.cut {
        head("a cut edge", cut.layer, cut.head)?;
        ensure(cut.i < n && cut.j < n, || {
            format!("`edits` cuts the edge {} to {} of {n} tokens", cut.i, cut.j)
        })?;
    }
    for ablated in record.ablated.iter().chain(&record.mean_ablated) {
        head("an ablation", ablated.layer, ablated.head)?;
    }
    for patched in &record.patched {
        let exists = layers.get(patched.layer).is_some_and(|l| {
            let heads = match patched.site {
                Site::Q | Site::Z => l.q.heads,
                Site::K | Site::V => l.k.heads,
            };
            patched.head < heads
        });
        ensure(exists, || {
            format!(
                "`edits` has a patch in head {}.{}, which does not exist",
                patched.layer, patched.head
            )
        })?;
        ensure(
            patched
                .first
                .checked_add(patched.rows)
                .is_some_and(|end| end <= n),
            || {
                format!(
                    "`edits` patches {} tokens from {} on, of {n}",
                    patched.rows, patched.first
                )
            },
        )?;
    }
    for scaled in &record.scaled {
        head("a scaling", scaled.layer, scaled.head)?;
        ensure(scaled.factor.is_finite(), || {
            format!(
                "`edits` scales head {}.{} by {}",
                scaled.layer, scaled.head, scaled.factor
            )
        })?;
    }
    Ok(())
}

/// What rounding did to the weights is known wherever there was any.
fn rounding(meta: &Meta) -> Result<(), Error> {
    let change = meta.qk_rounding_max_weight_change;
    ensure(meta.qk_dtype == Dtype::F32 || change.is_some(), || {
        "`qk_dtype` is f16, and `qk_rounding_max_weight_change` is missing".into()
    })?;
    ensure(change.is_none_or(|c| (0.0..=1.0).contains(&c)), || {
        "`qk_rounding_max_weight_change` is not between 0 and 1".into()
    })
}
