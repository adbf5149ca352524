//! What a trace holds that not every trace does: which of the model's layers and heads, other masks, biases, notes.

use std::collections::BTreeMap;

use lookback_trace::{Mask, OtherLayer, Trace};
use serde::Serialize;

use crate::output;

/// What sets a trace apart from one of all layers under one causal mask.
#[derive(Debug, Serialize)]
pub(super) struct Contents {
    /// M, where the keys are other tokens than the queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suffix_tokens: Option<usize>,
    /// The layers' numbers in the model, where they are not 0, 1, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_ids: Option<Vec<usize>>,
    /// The heads' numbers in each layer, where they are not 0, 1, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    head_ids: Option<Vec<Vec<usize>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_layers: Vec<OtherLayer>,
    /// Which masks there are, each with the numbers of its layers.
    masks: Vec<MaskOf>,
    /// The shape of each layer's bias, where it has one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    biases: BTreeMap<usize, [usize; 3]>,
    /// Whether the norms of values are there.
    vnorm: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    notes: BTreeMap<String, String>,
}

/// A mask, and the layers that have it.
#[derive(Debug, Serialize)]
struct MaskOf {
    mask: String,
    layers: Vec<usize>,
}

impl Contents {
    pub(super) fn of(trace: &Trace) -> Self {
        let meta = trace.meta();
        let ids = trace.layer_ids();
        let from_0 = |ids: &[usize]| ids.iter().enumerate().all(|(at, &id)| at == id);
        let heads = ids.iter().map(|&layer| trace.head_ids(layer));
        let mut masks: Vec<MaskOf> = Vec::new();
        for (&layer, scoring) in ids.iter().zip(&meta.layers) {
            let mask = in_words(&scoring.mask);
            match masks.iter_mut().find(|known| known.mask == mask) {
                Some(known) => known.layers.push(layer),
                None => masks.push(MaskOf {
                    mask,
                    layers: vec![layer],
                }),
            }
        }
        let bias = |&layer: &usize| Some((layer, trace.layer_shape(layer).ok()?.bias?));
        Self {
            keys: trace.is_cross_attention().then(|| trace.m()),
            suffix_tokens: (meta.suffix_tokens > 0).then_some(meta.suffix_tokens),
            layer_ids: (!from_0(ids)).then(|| ids.to_vec()),
            head_ids: (!heads.clone().all(from_0)).then(|| heads.map(<[_]>::to_vec).collect()),
            other_layers: meta.other_layers.clone(),
            masks,
            biases: ids.iter().filter_map(bias).collect(),
            vnorm: trace.has_vnorm(),
            notes: meta.extra.clone(),
        }
    }

    /// How many tokens there are, where that needs more words than their number and the prefix's.
    pub(super) fn tokens(&self, queries: usize) -> Option<String> {
        let keys = self.keys?;
        Some(format!("{queries} of queries, {keys} of keys"))
    }

    /// Prints what is worth a line for a person.
    pub(super) fn print(&self, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        if let Some(suffix) = self.suffix_tokens {
            writeln!(out, "  suffix  {}", output::count(suffix, "token"))?;
        }
        if let Some(ids) = &self.layer_ids {
            writeln!(out, "  layers  {} of the model", list(ids))?;
        }
        for other in &self.other_layers {
            let kind = output::one_line(&other.kind);
            writeln!(out, "  layer {} is {kind}: it has no weights", other.layer)?;
        }
        if let Some(ids) = &self.head_ids {
            let mut each = ids.iter();
            let first = each.next().map(|ids| list(ids)).unwrap_or_default();
            let alike = each.all(|ids| list(ids) == first);
            let more = if alike { "" } else { " in the first layer" };
            writeln!(out, "  heads   {first} of the model{more}")?;
        }
        let plain = self.masks.len() == 1 && self.masks[0].mask == "causal";
        for MaskOf { mask, layers } in self.masks.iter().filter(|_| !plain) {
            writeln!(out, "  mask    {mask} in layers {}", list(layers))?;
        }
        for (layer, shape) in &self.biases {
            writeln!(out, "  bias    {shape:?} in layer {layer}")?;
        }
        if !self.vnorm {
            writeln!(
                out,
                "  vnorm   none: statistics that weigh values (value_sink, value_self, value_previous) are not there"
            )?;
        }
        for (key, value) in &self.notes {
            let (key, value) = (output::one_line(key), output::one_line(value));
            writeln!(out, "  {key}  {value}")?;
        }
        Ok(())
    }
}

/// `causal`, `window of 4096`, `ranges`.
fn in_words(mask: &Mask) -> String {
    let kind = match mask {
        Mask::None => return "none".to_owned(),
        Mask::Causal { .. } => "causal".to_owned(),
        Mask::StrictlyBefore { .. } => "strictly causal".to_owned(),
        Mask::Window { window, .. } => format!("window of {window}"),
        Mask::SymmetricWindow { radius, .. } => {
            format!("symmetric window of {radius} on each side")
        }
        Mask::Ranges { .. } => "a range of keys for each query".to_owned(),
    };
    match mask.offset() {
        0 => kind,
        offset => format!("{kind}, offset {offset}"),
    }
}

/// `0, 3, 7`.
fn list(numbers: &[usize]) -> String {
    let each: Vec<String> = numbers.iter().map(usize::to_string).collect();
    each.join(", ")
}
