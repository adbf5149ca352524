//! What a token is printed as.

use lookback_trace::{PREFIX_NAME, SUFFIX_NAME, Trace};

/// The part of the text that a token stands for, or, of one that stands for none, its own text: of the prefix as `prefix` has it
/// or as the trace has it, else [`PREFIX_NAME`] for a prefix token and [`SUFFIX_NAME`] for one after the text.
///
/// ```
/// use lookback_heads::token_text;
/// let trace = lookback_heads::example::Example::default().trace();
/// assert_eq!(token_text(&trace, &["<s>".into()], 0), "<s>");
/// assert_eq!(token_text(&trace, &[], 0), "prefix");
/// assert_eq!(token_text(&trace, &[], 1), "Vat");
/// ```
#[must_use]
pub fn token_text(trace: &Trace, prefix: &[String], token: usize) -> String {
    let meta = trace.meta();
    let after = token + meta.suffix_tokens >= meta.tokens.len();
    match (prefix.get(token), meta.token_text(token)) {
        (Some(text), _) if token < meta.prefix_tokens => text.clone(),
        (_, Some(text)) => text.to_owned(),
        (_, None) if token < meta.prefix_tokens => PREFIX_NAME.to_owned(),
        (_, None) if after => SUFFIX_NAME.to_owned(),
        (_, None) => String::new(),
    }
}
