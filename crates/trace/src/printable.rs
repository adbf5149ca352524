//! Texts of files and people in messages.

/// The most characters that a message repeats of a name or a value.
const LONGEST: usize = 200;

/// The most characters of a whole message of a library's.
const LONGEST_MESSAGE: usize = 600;

/// A name or value of a file or of a person, on one line and of bounded length: control characters, which might end
/// the line or speak to a terminal, are escaped, and what is too long is cut. Every crate's messages use it.
#[must_use]
pub fn printable(text: &str) -> String {
    within(LONGEST, text)
}

/// [`printable`] for a message that holds names and values.
#[must_use]
pub fn printable_message(text: &str) -> String {
    within(LONGEST_MESSAGE, text)
}

/// [`printable`] in quotation marks, for a name that may be anything.
#[must_use]
pub fn quoted(text: &str) -> String {
    let cut = text.char_indices().nth(LONGEST);
    match cut {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

fn within(longest: usize, text: &str) -> String {
    // Characters that change the direction of what follows, or take no place, would show another name.
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown = String::new();
    for c in text.chars().take(longest) {
        if hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_bounded_length() {
        assert_eq!(
            printable("a\n\u{1b}[2J\u{202e}é日"),
            "a\\n\\u{1b}[2J\\u{202e}é日"
        );
        let long = printable(&"x".repeat(1_000_000));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
        assert_eq!(printable(&"x".repeat(LONGEST)).len(), LONGEST);
        assert_eq!(quoted("a\"\n"), r#""a\"\n""#);
        assert_eq!(quoted(&"é".repeat(1_000_000)).chars().count(), LONGEST + 3);
    }
}
