//! How long the header of the trace within a page is: `lookback_trace` writes it once its numbers are there, and a plan
//! says before how large a page will be.

use lookback_trace::{FORMAT, HeadId, Meta, ScoringRecord, Trace};
use serde::Serialize;

/// A tensor of the file: its name, its type, its shape.
type Entry = (String, &'static str, Vec<usize>);

/// Bytes of the header of a trace of `heads` (ascending) alone, or of the whole trace: exact but for how many digits
/// tell what rounding does.
pub(super) fn header_bytes(trace: &Trace, heads: Option<&[HeadId]>) -> u64 {
    let meta = trace.meta();
    let layers: Vec<(usize, Option<usize>)> = match heads {
        Some(heads) => heads
            .chunk_by(|a, b| a.layer == b.layer)
            .map(|of_layer| (of_layer[0].layer, Some(of_layer.len())))
            .collect(),
        None => (0..trace.layer_count())
            .map(|layer| (layer, None))
            .collect(),
    };
    let scorings = layers
        .iter()
        .map(|(at, _)| ScoringRecord::new(&meta.layers[*at]));
    let scorings: Vec<ScoringRecord> = scorings.filter_map(Result::ok).collect();
    let mut interventions = meta.interventions.clone();
    if let Some(heads) = heads {
        let kept = |layer, head| heads.binary_search(&HeadId { layer, head }).is_ok();
        interventions.cut.retain(|cut| kept(cut.layer, cut.head));
        interventions = lookback_trace::InterventionRecord {
            cut: interventions.cut,
            ..Default::default()
        };
    }
    // The file's text begins with the prefix.
    let of_prefix = meta.prefix_texts.concat();
    let text = |value: &str| json(&value);
    // A value of the metadata is JSON within a string.
    let nested = |value: String| text(&value);
    let metadata = [
        ("format", text(FORMAT)),
        ("model", text(&meta.model)),
        ("library", text(&meta.library)),
        ("text", text(&(of_prefix.clone() + &meta.text))),
        ("tokens", nested(written(&meta.tokens))),
        ("spans", nested(written(&spans(meta, of_prefix.len())))),
        ("prefix_tokens", nested(written(&meta.prefix_tokens))),
        ("layers", nested(written(&scorings))),
        ("edits", nested(written(&interventions))),
        ("qk_dtype", text("f16")),
        ("qk_rounding_max_weight_change", text("0.000123456")),
    ];
    let hash = meta.model_sha256.as_deref();
    let hash = hash.map_or(0, |hash| r#""model_sha256":,"#.len() + text(hash));
    // Quotes, a colon and a comma around each.
    let metadata: usize = metadata
        .iter()
        .map(|(key, value)| key.len() + 4 + value)
        .sum();
    let tensors = tensors(trace, &layers);
    let length = r#"{"__metadata__":{}}"#.len() + metadata + hash - 1 + tensors;
    8 + (length as u64).next_multiple_of(8)
}

/// Where each token stands in the file's text, which begins with `shift` bytes of prefix.
fn spans(meta: &Meta, shift: usize) -> Vec<(usize, usize)> {
    let mut end = 0;
    let of_prefix = meta.prefix_texts.iter().map(|text| {
        end += text.len();
        (end, end)
    });
    let mut spans: Vec<(usize, usize)> = of_prefix.collect();
    let of_text = meta.spans.iter().skip(spans.len());
    spans.extend(of_text.map(|&(start, end)| (start + shift, end + shift)));
    spans
}

/// What the lines of all tensors take: `,"layers.0.q":{"dtype":"F16","shape":[9,21,64],"data_offsets":[0,24192]}`.
fn tensors(trace: &Trace, layers: &[(usize, Option<usize>)]) -> usize {
    let n = trace.n();
    let (mut wide, mut narrow): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
    for (at, (layer, chosen)) in layers.iter().enumerate() {
        let d_k = trace.head(*layer, 0).map_or(0, |head| head.q().ncols());
        let heads = chosen.unwrap_or_else(|| trace.head_count(*layer));
        let kv_heads = chosen.unwrap_or_else(|| trace.kv_head_count(*layer));
        let name = |tensor: &str| format!("layers.{at}.{tensor}");
        wide.extend(["lse", "vnorm"].map(|tensor| (name(tensor), "F32", vec![heads, n])));
        narrow.push((name("q"), "F16", vec![heads, n, d_k]));
        narrow.push((name("k"), "F16", vec![kv_heads, n, d_k]));
    }
    let mut start = 0_usize;
    let line = |(name, dtype, shape): &Entry| {
        let size = if *dtype == "F32" { 4 } else { 2 };
        let end = start + size * shape.iter().product::<usize>();
        let shape = written(shape);
        let line = format!(
            r#","{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#
        );
        start = end;
        line.len()
    };
    wide.iter().chain(&narrow).map(line).sum()
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn json(value: &impl Serialize) -> usize {
    written(value).len()
}
