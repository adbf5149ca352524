//! What a row of weights can see, whatever the masks of a trace's layers: causal, windows, or none.

use std::ops::Range;

use lookback_attention::Mask;
use lookback_trace::Trace;

/// The keys that query `row` sees in a layer.
pub(crate) fn keys(trace: &Trace, layer: usize, row: usize) -> Range<usize> {
    mask(trace, layer).map_or(0..0, |mask| mask.visible(row, trace.m()))
}

/// Where query 0 stands among the keys of a layer: 0 wherever a text is read as a whole.
pub(crate) fn offset(trace: &Trace, layer: usize) -> isize {
    mask(trace, layer).map_or(0, Mask::offset)
}

/// How many words, counted from the first, some words see in any layer; they themselves are always among them.
pub(crate) fn words(trace: &Trace, of: &Range<usize>) -> usize {
    let words = trace.words();
    let tokens = of
        .clone()
        .filter_map(|word| words.get(word))
        .flat_map(|word| word.tokens.clone());
    let ends = tokens
        .flat_map(|row| (trace.layer_ids().iter()).map(move |&layer| keys(trace, layer, row).end));
    let end = ends.max().unwrap_or(0);
    let seen = words.iter().take_while(|word| word.tokens.start < end);
    seen.count().max(of.end)
}

/// A layer's mask; none where the trace holds no such layer.
fn mask(trace: &Trace, layer: usize) -> Option<&Mask> {
    trace.mask(layer).ok()
}
