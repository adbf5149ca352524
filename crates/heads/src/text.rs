//! Numbers and lists in sentences.

/// How many things a sentence lists.
const LISTED: usize = 4;

/// `18.1%`.
pub(crate) fn percent(weight: f64) -> String {
    format!("{:.1}%", 100.0 * weight)
}

/// The first few, and how many `things` are left; none where there is nothing.
pub(crate) fn first_of(listed: &[String], things: &str) -> Option<String> {
    if listed.is_empty() {
        return None;
    }
    let left = listed.len().saturating_sub(LISTED);
    let mut first = listed[..listed.len() - left].join(", ");
    if left > 0 {
        first.push_str(&format!(" and {left} more {things}"));
    }
    Some(first)
}

/// `1 token`, `21 tokens`.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
