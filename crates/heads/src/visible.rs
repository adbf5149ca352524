//! What a row of weights can see, whatever the masks of a trace's layers: causal, windows, or none.

use std::ops::Range;

use lookback_attention::Mask;
use lookback_trace::Trace;

/// The keys that query `row` sees in a layer.
pub(crate) fn keys(trace: &Trace, layer: usize, row: usize) -> Range<usize> {
    mask(trace, layer).visible(row, trace.n())
}

/// Where query 0 stands among the keys of a layer: 0 wherever a text is read as a whole.
pub(crate) fn offset(trace: &Trace, layer: usize) -> isize {
    match mask(trace, layer) {
        Mask::Causal { offset } | Mask::StrictlyBefore { offset } | Mask::Window { offset, .. } => {
            offset
        }
        Mask::None => 0,
    }
}

/// How many words, counted from the first, some words see in any layer; they themselves are always among them.
pub(crate) fn words(trace: &Trace, of: &Range<usize>) -> usize {
    let words = trace.words();
    let tokens = of
        .clone()
        .filter_map(|word| words.get(word))
        .flat_map(|word| word.tokens.clone());
    let ends = tokens
        .flat_map(|row| (0..trace.layer_count()).map(move |layer| keys(trace, layer, row).end));
    let end = ends.max().unwrap_or(0);
    let seen = words.iter().take_while(|word| word.tokens.start < end);
    seen.count().max(of.end)
}

fn mask(trace: &Trace, layer: usize) -> Mask {
    trace.meta().layers[layer].mask
}
