//! The text, with what one word gives and receives.

use std::ops::Range;

use lookback_heads::token_attention::{TokenAttention, Unit, share};
use lookback_heads::{head, token_text};
use lookback_trace::{HeadId, Trace};

use super::canvas::{Anchor, COLUMN, Canvas, FONT, escaped, width};
use super::style::{Marks, Theme};
use crate::Error;
use crate::labels;

/// What the picture says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// Whether words or tokens were asked about.
    pub unit: Unit,
    /// The heads that were asked for; none for all.
    pub heads: Vec<HeadId>,
    /// For dark or light paper.
    pub theme: Theme,
}

const MARGIN: f32 = 24.0;
const LINE: f32 = 1.75 * FONT;

/// Widest piece of one line, in columns of text; what is longer is cut with an ellipsis.
const MOST_COLUMNS: usize = 40;

/// Pieces that are drawn at most; a figure of a column has no room for more.
const MOST_PIECES: usize = 2000;

/// A piece of the text: a unit, or what stands between units.
struct Piece {
    text: String,
    unit: Option<usize>,
    /// Whether a new line begins after it.
    breaks: bool,
}

/// Draws the text: earlier units by the share given to them, later ones by the share received from them.
///
/// The darkest of each colour is its largest share; colour grows with the square root, so that small shares show.
///
/// # Errors
/// [`Error::Nothing`] where the unit is beyond what one figure can hold.
pub fn text(
    trace: &Trace,
    attention: &TokenAttention,
    prefix: &[String],
    options: &TextOptions,
) -> Result<String, Error> {
    let pieces = pieces(trace, prefix, options.unit, attention.index)?;
    let shares = Shares::new(attention);
    let mut canvas = Canvas::new(options.theme);
    let (_, ink, lesser) = canvas.theme.colors();
    let title = title(trace, attention, options, &pieces);
    canvas.text((MARGIN, 1.6 * FONT), Anchor::Start, ink, &title);
    let hidden = format!(
        "{:.1}% of its weight is excluded; shares are of the rest",
        100.0 * attention.hidden
    );
    canvas.text((MARGIN, 3.0 * FONT), Anchor::Start, lesser, &hidden);
    let rtl = runs_left(&trace.meta().text);
    let mut at = (MARGIN, 5.2 * FONT);
    for piece in &pieces {
        // Space between words does not begin a line.
        if at.0 == MARGIN && piece.unit.is_none() && piece.text.trim().is_empty() && !piece.breaks {
            continue;
        }
        let advance = width(&piece.text);
        if at.0 + advance > COLUMN - MARGIN && at.0 > MARGIN {
            at = (MARGIN, at.1 + LINE);
        }
        // A text that runs from right to left begins at the right margin.
        let x = if rtl { COLUMN - at.0 - advance } else { at.0 };
        draw(
            &mut canvas,
            piece,
            (x, at.1),
            advance,
            attention.index,
            &shares,
        );
        at.0 += advance;
        if piece.breaks {
            at = (MARGIN, at.1 + LINE);
        }
    }
    let bottom = at.1 + 1.6 * LINE;
    legend(&mut canvas, bottom, &shares);
    Ok(canvas.finish(&title, bottom + 2.2 * FONT))
}

/// Whether the first letter of a text is of a script that is written from right to left.
fn runs_left(text: &str) -> bool {
    let first = text.chars().find(|c| c.is_alphabetic());
    first.is_some_and(|c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
            || matches!(c, '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    })
}

fn draw(
    canvas: &mut Canvas,
    piece: &Piece,
    (x, y): (f32, f32),
    advance: f32,
    index: usize,
    shares: &Shares,
) {
    let (_, ink, _) = canvas.theme.colors();
    let top = y - 1.05 * FONT;
    let height = 1.4 * FONT;
    let marks = canvas.theme.marks();
    if let Some((fill, strength)) = piece.unit.and_then(|unit| shares.mark(unit, &marks)) {
        canvas.raw(format_args!(
            r#"<rect x="{x:.1}" y="{top:.1}" width="{advance:.1}" height="{height:.1}" rx="4" fill="{fill}" fill-opacity="{strength:.3}"/>"#
        ));
    }
    if piece.unit == Some(index) {
        canvas.raw(format_args!(
            r#"<rect x="{x:.1}" y="{top:.1}" width="{advance:.1}" height="{height:.1}" rx="4" fill="none" stroke="{ink}" stroke-width="2.4"/>"#
        ));
    }
    if !piece.text.trim().is_empty() {
        let text = escaped(&piece.text);
        canvas.raw(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" fill="{ink}" textLength="{advance:.1}" lengthAdjust="spacingAndGlyphs">{text}</text>"#
        ));
    }
}

fn legend(canvas: &mut Canvas, y: f32, shares: &Shares) {
    let (_, ink, _) = canvas.theme.colors();
    let marks = canvas.theme.marks();
    let mut x = MARGIN;
    for (fill, most, what) in [
        (marks.given, shares.most_given, "looked at"),
        (marks.received, shares.most_received, "looks at it"),
    ] {
        for (step, strength) in [0.0, 0.25, 0.5, 0.75, 1.0].into_iter().enumerate() {
            canvas.raw(format_args!(
                r#"<rect x="{:.1}" y="{:.1}" width="20" height="20" fill="{fill}" fill-opacity="{:.3}"/>"#,
                x + 20.0 * step as f32,
                y - 18.0,
                marks.opacity(strength),
            ));
        }
        let label = format!("{what}: 0–{:.1}%", 100.0 * most);
        canvas.text((x + 110.0, y), Anchor::Start, ink, &label);
        x += 130.0 + width(&label);
    }
}

/// What is shown of each unit.
struct Shares {
    given: Vec<f32>,
    received: Vec<f32>,
    most_given: f32,
    most_received: f32,
}

impl Shares {
    fn new(attention: &TokenAttention) -> Self {
        let excluded = |unit: &usize| attention.excluded.binary_search(unit).is_ok();
        let given: Vec<f32> = (0..attention.given.len())
            .map(|u| {
                if u == attention.index || excluded(&u) {
                    0.0
                } else {
                    share(attention.given[u], attention.hidden)
                }
            })
            .collect();
        let received: Vec<f32> = attention
            .received
            .iter()
            .zip(&attention.received_hidden)
            .map(|(&w, &hidden)| share(w, hidden))
            .collect();
        let most = |shares: &[f32]| shares.iter().copied().fold(0.0, f32::max);
        Self {
            most_given: most(&given),
            most_received: most(&received),
            given,
            received,
        }
    }

    /// The colour of a unit, and how strong it is.
    fn mark(&self, unit: usize, marks: &Marks) -> Option<(&'static str, f32)> {
        let (given, received) = (self.given[unit], self.received[unit]);
        if given > 0.0 {
            Some((marks.given, marks.opacity(given / self.most_given)))
        } else if received > 0.0 {
            Some((marks.received, marks.opacity(received / self.most_received)))
        } else {
            None
        }
    }
}

fn title(
    trace: &Trace,
    attention: &TokenAttention,
    options: &TextOptions,
    pieces: &[Piece],
) -> String {
    let chosen = pieces
        .iter()
        .find(|p| p.unit == Some(attention.index))
        .map_or("", |p| p.text.trim());
    let heads = match options.heads.as_slice() {
        [] => format!("all {} heads", attention.heads_averaged),
        [one] => head::name(*one),
        several => format!("the mean of {} heads", several.len()),
    };
    format!(
        "“{}” in {heads} of {}",
        labels::elided(chosen, 24),
        trace.meta().model
    )
}

/// The text in pieces, as much of it attention the unit in question as a figure can hold.
fn pieces(trace: &Trace, prefix: &[String], unit: Unit, index: usize) -> Result<Vec<Piece>, Error> {
    let meta = trace.meta();
    let spans: Vec<(usize, Range<usize>)> = match unit {
        Unit::Word => trace
            .words()
            .iter()
            .map(|word| word.span.clone())
            .enumerate()
            .collect(),
        Unit::Token => meta
            .spans
            .iter()
            .map(|&(start, end)| start..end)
            .enumerate()
            .collect(),
    };
    let from = index.saturating_sub(MOST_PIECES / 2);
    let mut pieces = Vec::new();
    let mut end = spans
        .get(from)
        .map_or(0, |(_, span)| if from == 0 { 0 } else { span.start });
    for (number, span) in spans.into_iter().skip(from).take(MOST_PIECES) {
        if unit == Unit::Token && span.is_empty() {
            let text = token_text(trace, prefix, number);
            pieces.push(piece(&text, Some(number)));
            continue;
        }
        if span.start > end {
            pieces.push(piece(&meta.text[end..span.start], None));
        }
        // Tokens that share a character have its span once.
        if span.end > end || unit == Unit::Word {
            pieces.push(piece(
                &meta.text[span.start.max(end)..span.end],
                Some(number),
            ));
            end = span.end;
        }
    }
    Ok(pieces)
}

fn piece(text: &str, unit: Option<usize>) -> Piece {
    let breaks = text.contains('\n');
    let text = match unit {
        Some(_) => labels::visible(&text.replace('\n', "↵")),
        None => text
            .split('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    };
    Piece {
        text: labels::elided(&text, MOST_COLUMNS),
        unit,
        breaks,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use lookback_heads::example::Example;
    use lookback_heads::token_attention::TokenAttentionOptions;

    use super::*;

    #[test]
    fn an_arabic_text_begins_at_the_right_and_its_full_stop_is_at_the_left() {
        for (text, first, last) in [
            ("ذهب الولد إلى البيت.", "ذهب", "."),
            ("The boy went home.", "The", "."),
        ] {
            let trace = Example {
                text: text.to_owned(),
                ..Example::default()
            }
            .trace();
            let never = AtomicBool::new(false);
            let asked = TokenAttentionOptions::default();
            let attention = TokenAttention::new(&trace, 1, &asked, &never).unwrap();
            let drawing = super::text(&trace, &attention, &[], &TextOptions::default()).unwrap();
            let place = |piece: &str| {
                let end = drawing.find(&format!(">{piece}</text>")).unwrap();
                let (_, from) = drawing[..end].rsplit_once("<text x=\"").unwrap();
                from.split_once('"').unwrap().0.parse::<f32>().unwrap()
            };
            assert_eq!(place(last) < place(first), text.starts_with('ذ'), "{text}");
        }
    }
}
