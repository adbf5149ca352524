//! The few shapes that our drawings are made of.

use std::fmt::Write as _;

use super::style::Theme;
use crate::fonts::FONT_FAMILY;

/// Width of a paper's column: 84 mm.
pub(super) const COLUMN: f32 = 840.0;

/// Height of small letters' line: 7 points.
pub(super) const FONT: f32 = 24.7;

/// A drawing in the making.
pub(super) struct Canvas {
    body: String,
    pub(super) theme: Theme,
}

/// Where a text stands, from the point that it is drawn at.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    pub(super) fn new(theme: Theme) -> Self {
        Self {
            body: String::new(),
            theme,
        }
    }

    /// Adds markup that is well-formed already.
    pub(super) fn raw(&mut self, markup: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.body.write_fmt(markup);
        self.body.push('\n');
    }

    /// A text whose width is what `width` says, so that it fits whatever font it is shown in.
    pub(super) fn text(&mut self, at: (f32, f32), anchor: Anchor, fill: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = at;
        let text = escaped(text);
        self.raw(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{fill}">{text}</text>"#
        ));
    }

    /// A text that reads upwards from its point.
    pub(super) fn text_up(&mut self, at: (f32, f32), fill: &str, text: &str) {
        let (x, y) = at;
        let text = escaped(text);
        self.raw(format_args!(
            r#"<text transform="translate({x:.1} {y:.1}) rotate(-90)" fill="{fill}">{text}</text>"#
        ));
    }

    /// The whole drawing, `height` units high.
    pub(super) fn finish(self, title: &str, height: f32) -> String {
        let (paper, ..) = self.theme.colors();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}mm\" height=\"{}mm\" viewBox=\"0 0 {COLUMN} {height}\" \
             font-family=\"{FONT_FAMILY}, sans-serif\" font-size=\"{FONT}\" xml:space=\"preserve\">\n<title>{}</title>\n\
             <rect x=\"-2\" y=\"-2\" width=\"{}\" height=\"{}\" fill=\"{paper}\"/>\n{}</svg>\n",
            COLUMN / 10.0,
            height / 10.0,
            escaped(title),
            // Beyond the edges: the last pixels of a side are seldom whole, and must not be half of nothing.
            COLUMN + 4.0,
            height + 4.0,
            self.body,
        )
    }
}

/// Text as XML takes it; what XML cannot hold becomes a symbol.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push_str(&crate::labels::visible(&c.to_string())),
            c => out.push(c),
        }
    }
    out
}

/// About how wide a text is in the font of our drawings, at its size: DejaVu Sans's advances in classes, erring on
/// the wide side.
pub(super) fn width(text: &str) -> f32 {
    use unicode_width::UnicodeWidthChar as _;
    let advance = |c: char| match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.29,
        ' ' | ',' | '.' | ':' | ';' | 'I' => 0.33,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '!' | '/' | '-' => 0.42,
        'm' | 'W' | '@' | '%' => 0.99,
        'w' | 'M' | 'O' | 'Q' | 'G' | 'N' | 'H' | 'D' | '+' | '=' | '<' | '>' | '~' => 0.84,
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => 0.64,
        c if c.is_ascii() => 0.70,
        c => [0.0, 0.75, 1.1][c.width_cjk().unwrap_or(0).min(2)],
    };
    FONT * text.chars().map(advance).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("<b>&\"\0\u{ffff}"), "&lt;b&gt;&amp;&quot;␀\u{fffd}");
    }
}
