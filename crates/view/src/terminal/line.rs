//! Lines of styled text.

use std::io::{self, Write};

use anstyle::Style;

use super::clean::{split, width};

/// One line, as pieces of clean text with their styles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    pieces: Vec<(Style, String)>,
    width: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A line of one piece.
    pub(super) fn of(style: Style, text: impl Into<String>) -> Self {
        let mut line = Self::new();
        line.push(style, text);
        line
    }

    /// The columns that it takes: the sum of its pieces'.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Whether it shows nothing.
    pub(super) fn is_blank(&self) -> bool {
        self.pieces.iter().all(|(_, text)| text.trim().is_empty())
    }

    /// Puts a piece of clean text at its end.
    pub(super) fn push(&mut self, style: Style, text: impl Into<String>) {
        let text = text.into();
        self.width += width(&text);
        if !text.is_empty() {
            self.pieces.push((style, text));
        }
    }

    /// Puts another line at its end.
    pub(super) fn append(&mut self, other: Self) {
        self.width += other.width;
        self.pieces.extend(other.pieces);
    }

    /// Fills it with spaces up to a column.
    pub(super) fn pad_to(&mut self, column: usize) {
        let missing = column.saturating_sub(self.width);
        self.push(Style::new(), " ".repeat(missing));
    }

    /// Cuts it after a column.
    pub(super) fn truncate(&mut self, columns: usize) {
        if self.width <= columns {
            return;
        }
        let mut kept = Self::new();
        for (style, text) in std::mem::take(&mut self.pieces) {
            let (head, rest) = split(&text, columns - kept.width);
            kept.push(style, head);
            if !rest.is_empty() {
                break;
            }
        }
        *self = kept;
    }

    /// Writes it with its styles as escape sequences, and without space at its end.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let full = |(_, text): &&(Style, String)| text.trim_end().is_empty();
        let blank = self.pieces.iter().rev().take_while(full).count();
        let last = (self.pieces.len() - blank).wrapping_sub(1);
        for (index, (style, text)) in self.pieces.iter().enumerate() {
            let text = match index {
                _ if last == usize::MAX || index > last => break,
                _ if index == last => text.trim_end(),
                _ => text,
            };
            write!(out, "{style}{text}{style:#}")?;
        }
        out.write_all(b"\n")
    }
}

/// Writes lines, each cut at `columns` should one be wider.
pub(super) fn write_lines(
    out: &mut impl Write,
    lines: impl IntoIterator<Item = Line>,
    columns: usize,
) -> io::Result<()> {
    for mut line in lines {
        line.truncate(columns);
        line.write(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: Line, columns: usize) -> String {
        let mut out = Vec::new();
        write_lines(&mut out, [line], columns).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_end_where_their_text_ends() {
        let mut line = Line::of(Style::new(), "a ");
        line.pad_to(9);
        assert_eq!(line.width(), 9);
        assert_eq!(written(line, 20), "a\n");
        assert_eq!(written(Line::new(), 20), "\n");
        assert_eq!(written(Line::of(Style::new().bold(), "  "), 20), "\n");
        assert_eq!(
            written(Line::of(Style::new().bold(), "b"), 20),
            "\x1b[1mb\x1b[0m\n"
        );
    }

    #[test]
    fn lines_are_cut_between_characters() {
        let mut line = Line::of(Style::new(), "日本");
        line.push(Style::new(), "語x");
        assert_eq!(written(line.clone(), 5), "日本\n");
        assert_eq!(written(line.clone(), 6), "日本語\n");
        assert_eq!(written(line, 7), "日本語x\n");
    }
}
