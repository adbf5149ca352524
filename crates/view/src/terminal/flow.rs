//! Text that wraps.

use anstyle::Style;

use super::clean::{clean, split, width};
use super::line::Line;

/// Puts words after each other and breaks lines between them; a word longer than a line is broken itself.
#[derive(Debug)]
pub(super) struct Flow {
    columns: usize,
    /// Columns left free at the start of each line after the first.
    indent: usize,
    done: Vec<Line>,
    line: Line,
    /// Whether the current line has nothing but its indentation yet.
    fresh: bool,
}

impl Flow {
    /// Lines of at most `columns`; the first begins with `opening`, later ones `indent` columns in.
    pub(super) fn new(columns: usize, indent: usize, opening: Line) -> Self {
        // Room for a character of two columns at least.
        let indent = indent.min(columns.saturating_sub(2));
        Self {
            columns,
            indent,
            done: Vec::new(),
            fresh: opening.is_blank(),
            line: opening,
        }
    }

    /// Prose: words set apart by white space, which may come from anywhere.
    pub(super) fn prose(mut self, style: Style, text: &str) -> Self {
        for word in text.split_whitespace() {
            self.word(style, &clean(word));
        }
        self
    }

    /// A clean word, with a space before it where it does not begin a line.
    pub(super) fn word(&mut self, style: Style, word: &str) {
        let space = usize::from(!self.fresh);
        if self.line.width() + space + width(word) > self.columns && !self.fresh {
            self.break_line();
        } else {
            self.line.push(Style::new(), " ".repeat(space));
        }
        self.glued(style, word);
    }

    /// A clean word right after what comes before it; where it does not fit, on a line of its own.
    pub(super) fn glued(&mut self, style: Style, word: &str) {
        if self.line.width() + width(word) > self.columns && !self.fresh {
            self.break_line();
        }
        let mut rest = word;
        loop {
            // Looks no further than to the end of the line, however long the rest is.
            let (head, tail) = split(rest, self.columns.saturating_sub(self.line.width()));
            let too_wide = head.is_empty() && self.line.width() <= self.indent;
            if tail.is_empty() || too_wide {
                break;
            }
            self.line.push(style, head);
            self.break_line();
            rest = tail;
        }
        self.line.push(style, rest);
        self.fresh &= word.is_empty();
    }

    fn break_line(&mut self) {
        let mut next = Line::new();
        next.pad_to(self.indent);
        self.fresh = true;
        self.done.push(std::mem::replace(&mut self.line, next));
    }

    /// The lines.
    pub(super) fn lines(mut self) -> Vec<Line> {
        self.done.push(self.line);
        self.done
    }
}

/// Prose, `indent` columns in.
pub(super) fn paragraph(columns: usize, indent: usize, style: Style, text: &str) -> Vec<Line> {
    let mut opening = Line::new();
    opening.pad_to(indent);
    Flow::new(columns, indent, opening)
        .prose(style, text)
        .lines()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::line::write_lines;
    use super::*;

    fn wrapped(columns: usize, indent: usize, text: &str) -> String {
        let mut out = Vec::new();
        let lines = paragraph(columns, indent, Style::new(), text);
        write_lines(&mut out, lines, columns).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prose_breaks_between_words_and_long_words_break() {
        assert_eq!(wrapped(11, 2, "one two three"), "  one two\n  three\n");
        assert_eq!(wrapped(6, 2, "abcdefghij k"), "  abcd\n  efgh\n  ij k\n");
        assert_eq!(wrapped(4, 2, "日本語"), "  日\n  本\n  語\n");
        assert_eq!(wrapped(9, 0, ""), "\n");
    }

    proptest! {
        /// Each line of a long word is as full as it can be, so that there are no more of them than there must be.
        #[test]
        fn a_long_word_fills_its_lines(
            word in "[a日é]{1,40}",
            columns in 4_usize..12,
            indent in 0_usize..3,
        ) {
            let text = wrapped(columns, indent, &word);
            let lines: Vec<&str> = text.lines().map(|line| &line[indent..]).collect();
            prop_assert_eq!(lines.concat(), word);
            let room = columns - indent;
            for pair in lines.windows(2) {
                let next = pair[1].chars().next().unwrap().to_string();
                prop_assert!(width(pair[0]) <= room && width(pair[0]) + width(&next) > room);
            }
        }
    }
}
