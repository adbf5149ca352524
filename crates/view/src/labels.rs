//! Names of tokens, as pictures write them.

use lookback_heads::token_text;
use lookback_trace::Trace;
use unicode_width::UnicodeWidthChar as _;

/// What each query's token stands for, the prefix's first: without the space before it, and with characters that would not
/// show made visible.
#[must_use]
pub fn tokens(trace: &Trace, prefix: &[String]) -> Vec<String> {
    let tokens = 0..trace.n();
    tokens
        .map(|token| trimmed(&token_text(trace, prefix, token)))
        .collect()
}

/// The same of each key's token: the queries', but in cross-attention.
#[must_use]
pub fn keys(trace: &Trace, prefix: &[String]) -> Vec<String> {
    let Some(keys) = &trace.meta().keys else {
        return tokens(trace, prefix);
    };
    let name = |(key, id): (usize, &u32)| match keys.token_text(key) {
        Some(text) => trimmed(text),
        None => format!("[{id}]"),
    };
    keys.tokens.iter().enumerate().map(name).collect()
}

/// A token's text without the space around it; of white space alone, all of it as symbols.
fn trimmed(text: &str) -> String {
    match text.trim() {
        "" => visible(text),
        trimmed => visible(trimmed),
    }
}

/// `text` with control characters and lone spaces as symbols that can be seen.
#[must_use]
pub fn visible(text: &str) -> String {
    let blank = text.trim().is_empty();
    text.chars()
        .map(|c| match c {
            ' ' if blank => '␣',
            '\u{7f}' => '␡',
            // The control pictures stand in the order of the characters that they picture.
            c if (c as u32) < 0x20 => char::from_u32(0x2400 + c as u32).unwrap_or('␣'),
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

/// The beginning of `text` in so many columns, with an ellipsis where something is left out.
#[must_use]
pub fn elided(text: &str, columns: usize) -> String {
    let width = |text: &str| text.chars().filter_map(char::width_cjk).sum::<usize>();
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let kept = text.chars().take_while(|c| {
        used += c.width_cjk().unwrap_or(0);
        used <= columns
    });
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_show_is_shown() {
        assert_eq!(visible("a\0b\n"), "a␀b␊");
        assert_eq!(visible("  "), "␣␣");
        assert_eq!(visible("a b"), "a b");
        assert_eq!(visible("\u{202e}abc"), "\u{fffd}abc");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(elided("abc", 3), "abc");
        assert_eq!(elided("abcd", 3), "ab…");
        assert_eq!(elided(&"x".repeat(10_000), 8), "xxxxxxx…");
    }
}
