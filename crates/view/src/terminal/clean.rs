//! Text that may go to a terminal, and its width there.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Stands where text was cut off.
pub(super) const CUT: &str = "…";

/// The most characters (code points) of one user-perceived character that are shown: a family emoji has 7, a flag of
/// a region 7. Marks piled on a letter without end would cover the lines around it.
const MOST_MARKS: usize = 10;

/// The columns that clean text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// `text` with everything written out that a terminal would obey or not show: control characters and escape
/// sequences, line ends and tabs (`\n`, `\t`), marks of direction and other invisible characters (`\u{200f}`).
///
/// Its width is the sum of the widths of its user-perceived characters.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for cluster in text.graphemes(true) {
        if is_shown(cluster) {
            cleaned.push_str(cluster);
        } else {
            cleaned.extend(cluster.chars().flat_map(written_out));
        }
    }
    cleaned
}

/// Whether a user-perceived character can be shown as it is.
fn is_shown(cluster: &str) -> bool {
    let count = cluster.chars().count();
    cluster.width() > 0
        && count <= MOST_MARKS
        && !cluster
            .chars()
            .any(|c| c.is_control() || steers(c) || (count == 1 && is_blank_but_not_space(c)))
}

/// Characters without a shape that change where or how others stand.
fn steers(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Spaces other than the ordinary one cannot be distinguished from it.
fn is_blank_but_not_space(c: char) -> bool {
    c.is_whitespace() && c != ' ' && c != '\u{3000}' && c != '\u{a0}'
}

/// A letter or digit as it is, anything else by its escape.
fn written_out(c: char) -> Box<dyn Iterator<Item = char>> {
    if c.is_ascii_graphic() || c == ' ' {
        Box::new(std::iter::once(c))
    } else {
        Box::new(c.escape_default())
    }
}

/// The clean `text` in at most `columns`, with … where it was cut.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (head, _) = split(text, columns.saturating_sub(1));
    if columns == 0 {
        return String::new();
    }
    format!("{}{CUT}", head.trim_end())
}

/// As much of the clean `text` as fits in `columns`, and the rest. Splits between user-perceived characters.
pub(super) fn split(text: &str, columns: usize) -> (&str, &str) {
    let mut taken = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        taken += cluster.width();
        if taken > columns {
            return text.split_at(at);
        }
    }
    (text, "")
}

/// A word or token in quotation marks' stead: clean, without the space around it.
pub(super) fn name(text: &str) -> String {
    let cleaned = clean(text.trim_matches(' '));
    if cleaned.is_empty() {
        // White space is all there is: spaces are made visible.
        return "␠".repeat(text.chars().count().min(4));
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        let cases = [
            ("a\x1b[31mb", "a\\u{1b}[31mb"),
            ("a\tb\r\nc", "a\\tb\\r\\nc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}abc", "\\u{202e}abc"),
            ("a\u{200b}b\u{200f}", "a\\u{200b}b\\u{200f}"),
            ("👨‍👩‍👧 né", "👨‍👩‍👧 né"),
            ("שלום 日本", "שלום 日本"),
            ("\u{301}", "\\u{301}"),
            ("\u{2003}x", "\\u{2003}x"),
        ];
        for (text, cleaned) in cases {
            assert_eq!(clean(text), cleaned);
        }
    }

    #[test]
    fn marks_do_not_pile_up() {
        let pile = format!("a{}", "\u{301}".repeat(50));
        assert!(clean(&pile).is_ascii());
    }

    #[test]
    fn cuts_say_so_and_keep_characters_whole() {
        assert_eq!(cut("Vatsal", 6), "Vatsal");
        assert_eq!(cut("Vatsal", 4), "Vat…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("👨‍👩‍👧👨‍👩‍👧", 3), "👨‍👩‍👧…");
        assert_eq!(cut("ab", 0), "");
    }

    proptest! {
        #[test]
        fn clean_text_is_clean_and_cuts_fit(text in "\\PC{0,12}|[\\x00-\\x{2fff}]{0,12}", columns in 0_usize..20) {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.chars().any(char::is_control));
            prop_assert_eq!(&clean(&cleaned), &cleaned);
            prop_assert!(width(&cut(&cleaned, columns)) <= columns);
            let (head, rest) = split(&cleaned, columns);
            prop_assert!(width(head) <= columns);
            prop_assert_eq!(format!("{head}{rest}"), cleaned);
        }
    }
}
