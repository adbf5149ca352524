//! The layers' tensors, and how their scores are computed.

use lookback_attention::{Mask, Scoring};

use crate::error::ensure;
use crate::layer::Stored;
use crate::scoring_record;
use crate::tensor::Tensor;
use crate::{Error, Meta};

/// All tensors of all layers go together, and with what is said of them.
pub(super) fn all(meta: &Meta, layers: &[Stored]) -> Result<(), Error> {
    let dims = Dims {
        n: meta.tokens.len(),
        m: meta
            .keys
            .as_ref()
            .map_or(meta.tokens.len(), |keys| keys.tokens.len()),
    };
    for (at, (layer, described)) in layers.iter().zip(&meta.layers).enumerate() {
        shapes(at, layer, meta, dims)?;
        scoring(at, described, layer.q.heads, dims)?;
        numbers(at, layer)?;
    }
    for (what, has) in [
        ("values (v)", (|l| l.v.is_some()) as fn(&Stored) -> bool),
        ("value norms (vnorm)", |l| l.vnorm.is_some()),
    ] {
        ensure(layers.iter().all(|l| has(l) == has(&layers[0])), || {
            format!("some layers keep {what} and some do not")
        })?;
    }
    Ok(())
}

/// How many queries and keys there are.
#[derive(Clone, Copy)]
struct Dims {
    n: usize,
    m: usize,
}

/// All tensors of a layer have the shapes that belong together, and the types that the metadata names.
fn shapes(at: usize, layer: &Stored, meta: &Meta, Dims { n, m }: Dims) -> Result<(), Error> {
    let (heads, kv_heads) = (layer.q.heads, layer.k.heads);
    let expect = |name: &str, tensor: &Tensor, expected: [usize; 3]| {
        let found = [tensor.heads, tensor.rows, tensor.width];
        let [heads, tokens, width] = expected;
        ensure(found == expected && !found.contains(&0), || {
            format!(
                "layers.{at}.{name} is [heads {heads_found}, tokens {rows}, {width_found}] \
                 where [heads {heads}, tokens {tokens}, {width}] is needed, none of them 0",
                heads_found = found[0],
                rows = found[1],
                width_found = found[2],
            )
        })
    };
    expect("q", &layer.q, [heads, n, layer.q.width])?;
    expect("k", &layer.k, [kv_heads, m, layer.q.width])?;
    ensure(heads.is_multiple_of(kv_heads), || {
        format!(
            "layer {at} has {heads} query heads, which {kv_heads} key heads cannot be shared among"
        )
    })?;
    expect("lse", &layer.lse, [heads, n, 1])?;
    if let Some(vnorm) = &layer.vnorm {
        expect("vnorm", vnorm, [heads, m, 1])?;
    }
    for (name, tensor) in [("q", &layer.q), ("k", &layer.k)] {
        ensure(tensor.dtype() == meta.qk_dtype, || {
            format!(
                "`qk_dtype` is {}, and layers.{at}.{name} holds {}",
                meta.qk_dtype.name(),
                tensor.dtype().name()
            )
        })?;
    }
    if let Some(v) = &layer.v {
        expect("v", v, [kv_heads, m, v.width])?;
    }
    if let Some(bias) = &layer.bias {
        let found = [bias.heads, bias.rows, bias.width];
        let fits = found.iter().zip([heads, n, m]);
        ensure(
            fits.clone()
                .all(|(&found, full)| found == full || found == 1),
            || {
                format!(
                    "layers.{at}.bias is {found:?} where [heads {heads}, queries {n}, keys {m}] is needed, each of them full or 1"
                )
            },
        )?;
    }
    Ok(())
}

/// A layer's scoring is finite and has an entry for each head and query where it needs one.
fn scoring(at: usize, layer: &Scoring, heads: usize, Dims { n, m }: Dims) -> Result<(), Error> {
    if let Err(what) = scoring_record::validate(layer) {
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
    mask(at, &layer.mask, Dims { n, m })
}

/// A layer's mask is one of N queries and M keys.
fn mask(at: usize, mask: &Mask, Dims { n, m }: Dims) -> Result<(), Error> {
    ensure(!matches!(mask, Mask::Window { window: 0, .. }), || {
        format!("the mask of layer {at} has a window of 0 keys")
    })?;
    if let Mask::Ranges { ranges, .. } = mask {
        ensure(ranges.len() == n, || {
            format!(
                "the mask of layer {at} has ranges for {} queries, of {n}",
                ranges.len()
            )
        })?;
        let end = ranges.iter().next_back().map_or(0, |range| range.end);
        ensure(end <= m, || {
            format!("the ranges in the mask of layer {at} reach up to key {end}, of {m}")
        })?;
    }
    let (offset, tokens) = (mask.offset(), n.max(m));
    ensure(offset.unsigned_abs() <= tokens, || {
        format!("the mask of layer {at} has offset {offset}, beyond all {tokens} tokens")
    })
}

/// The small tensors hold no number that could not come about. (Queries, keys and values are too large to read
/// them all before the first question; what is computed from them is checked instead.)
fn numbers(at: usize, layer: &Stored) -> Result<(), Error> {
    let lse = layer.lse.find(|x| x.is_nan() || x == f32::INFINITY);
    let vnorm = layer.vnorm.as_ref();
    let vnorm = vnorm.and_then(|vnorm| vnorm.find(|x| !x.is_finite() || x < 0.0));
    let bias = layer.bias.as_ref();
    let bias = bias.and_then(|bias| bias.find(|x| !x.is_finite()));
    for (tensor, found) in [("lse", lse), ("vnorm", vnorm), ("bias", bias)] {
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
