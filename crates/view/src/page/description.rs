//! What a page needs to know of a trace beside its numbers.

use std::collections::BTreeMap;

use lookback_heads::{candidates, interest, token_text};
use lookback_trace::{
    Dtype, HeadId, InterventionRecord, Mask, MaskRecord, MaskRecords, RangesRecord, Trace,
};
use serde::Serialize;

/// What a page needs to know of a trace beside its numbers. Places in the text are in UTF-16 code units, as
/// JavaScript counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// The model.
    pub model: String,
    /// Its hash.
    pub model_sha256: Option<String>,
    /// What ran it.
    pub library: String,
    /// The text.
    pub text: String,
    /// Texts of the prefix tokens; [`PREFIX_NAME`](lookback_trace::PREFIX_NAME) for each that nobody knows.
    pub prefix: Vec<String>,
    /// N.
    pub n: usize,
    /// Each token: its number in the vocabulary, and where it starts and ends.
    pub tokens: Vec<(u32, usize, usize)>,
    /// Each word: where it starts and ends, its first token, and the one after its last.
    pub words: Vec<(usize, usize, usize, usize)>,
    /// The word that a page opens with, as the program chooses it; none where the text has no word.
    pub word: Option<usize>,
    /// Words that another word may refer to, ascending: the head that is opened for a word is chosen by its weight on
    /// them ([`default_head`](lookback_heads::default_head())).
    pub names: Vec<usize>,
    /// Of tokens that stand for no text, the prefix's aside, by what text each is printed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub token_texts: BTreeMap<usize, String>,
    /// How many query heads each layer of the model has here: 0 of one that the trace does not hold.
    pub heads: Vec<usize>,
    /// Their numbers in the model; empty where those of each layer are 0, 1, ….
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub head_ids: Vec<Vec<usize>>,
    /// Whether there are norms of values, for statistics that weigh them.
    pub vnorm: bool,
    /// For each of these layers, which keys a query may see; `none` of one that the trace does not hold.
    pub masks: Vec<MaskRecord>,
    /// The ranges of keys that masks name by their place here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_ranges: Vec<RangesRecord>,
    /// For each of these layers, whether queries see only themselves and what is before them.
    pub causal: Vec<bool>,
    /// How queries and keys are stored.
    pub qk_dtype: Dtype,
    /// The largest change of a weight by rounding them; none where nothing was rounded.
    pub rounding: Option<f32>,
    /// Whether the run was changed: heads ablated or scaled, edges cut.
    pub intervened: bool,
    /// `intervened` under its name in earlier versions.
    pub edited: bool,
    /// What an exported page keeps, where it does not keep everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// What an exported page keeps where it does not keep everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Heads of which any weight can be asked, in the order in which the page's trace holds them.
    pub heads: Vec<HeadId>,
    /// Words of which the answer over all heads is kept.
    pub words: Vec<usize>,
    /// Keys that are kept of each such answer's heads: those with the largest weights.
    pub top: usize,
}

impl Description {
    /// Describes a trace whose prefix tokens have these texts.
    #[must_use]
    pub fn new(trace: &Trace, prefix: &[String]) -> Self {
        let meta = trace.meta();
        let utf16 = Utf16::new(&meta.text);
        let words = trace.words();
        let intervened = meta.interventions != InterventionRecord::default();
        let layers = 0..trace.layer_ids().last().map_or(0, |last| last + 1);
        let masks = layers
            .clone()
            .map(|layer| trace.mask(layer).unwrap_or(&Mask::None));
        let MaskRecords { masks, key_ranges } = MaskRecords::new(masks);
        let each = layers.clone().map(|layer| trace.head_ids(layer));
        let first = |ids: &[usize]| ids.iter().enumerate().all(|(at, &id)| at == id);
        let behind = meta.prefix_tokens..trace.n();
        let has_no_span = |&token: &usize| meta.spans[token].0 == meta.spans[token].1;
        Self {
            model: meta.model.clone(),
            model_sha256: meta.model_sha256.clone(),
            library: meta.library.clone(),
            prefix: (0..meta.prefix_tokens)
                .map(|token| token_text(trace, prefix, token))
                .collect(),
            token_texts: behind
                .filter(has_no_span)
                .map(|token| (token, token_text(trace, prefix, token)))
                .filter(|(_, text)| !text.is_empty())
                .collect(),
            n: trace.n(),
            tokens: meta
                .tokens
                .iter()
                .zip(&meta.spans)
                .map(|(&id, &(start, end))| (id, utf16.place(start), utf16.place(end)))
                .collect(),
            words: words
                .iter()
                .map(|w| {
                    (
                        utf16.place(w.span.start),
                        utf16.place(w.span.end),
                        w.tokens.start,
                        w.tokens.end,
                    )
                })
                .collect(),
            word: first_word(trace),
            names: names(trace),
            heads: each.clone().map(<[usize]>::len).collect(),
            head_ids: match each.clone().all(first) {
                true => Vec::new(),
                false => each.map(<[usize]>::to_vec).collect(),
            },
            vnorm: trace.has_vnorm(),
            masks,
            key_ranges,
            causal: layers
                .map(|layer| {
                    !trace
                        .mask(layer)
                        .is_ok_and(|mask| sees_ahead(mask, trace.n()))
                })
                .collect(),
            qk_dtype: meta.qk_dtype,
            rounding: meta.qk_rounding_max_weight_change,
            intervened,
            edited: intervened,
            text: meta.text.clone(),
            kept: None,
        }
    }
}

/// Whether a query may see keys after its own.
fn sees_ahead(mask: &Mask, n: usize) -> bool {
    match mask {
        Mask::None => true,
        &Mask::Causal { offset } | &Mask::Window { offset, .. } => offset > 0,
        &Mask::StrictlyBefore { offset } => offset > 1,
        &Mask::SymmetricWindow { radius, offset } => offset.saturating_add_unsigned(radius) > 0,
        Mask::Ranges { .. } => (0..n).any(|i| {
            let seen = mask.visible(i, n);
            !seen.is_empty() && seen.end > i + 1
        }),
    }
}

/// The word that a page opens with: the program's own choice.
pub(super) fn first_word(trace: &Trace) -> Option<usize> {
    let found = interest(&trace.meta().text, trace.words(), &[]).ok()?;
    found.first().map(|words| words.start)
}

/// Words that look like names.
fn names(trace: &Trace) -> Vec<usize> {
    let words = trace.words();
    let found = candidates(words, 0..words.len());
    let mut names: Vec<usize> = found.into_iter().flat_map(|one| one.words).collect();
    names.sort_unstable();
    names
}

/// Places of a text in UTF-16 code units by their places in bytes.
struct Utf16(Vec<u32>);

impl Utf16 {
    fn new(text: &str) -> Self {
        let mut places = vec![0; text.len() + 1];
        let mut at = 0;
        for (byte, c) in text.char_indices() {
            places[byte] = at;
            at += c.len_utf16() as u32;
        }
        places[text.len()] = at;
        Self(places)
    }

    fn place(&self, byte: usize) -> usize {
        self.0.get(byte).copied().unwrap_or_default() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_javascript_counts() {
        let text = "a🙂é";
        let utf16 = Utf16::new(text);
        assert_eq!([0, 1, 5, 7].map(|byte| utf16.place(byte)), [0, 1, 3, 4]);
    }
}
