//! What one word of each of several texts looks back at, head by head.

use lookback_heads::head;
use lookback_trace::{HeadId, Trace};

use super::canvas::{Anchor, COLUMN, Canvas, FONT, escaped, width};
use super::style::{Scale, Theme};
use crate::{Error, labels};

/// The row of one token of a text.
pub struct TextRow<'a> {
    /// What the heads did on the text.
    pub trace: &'a Trace,
    /// The token whose row it is; what stands after it is not drawn.
    pub token: usize,
    /// Tokens that are outlined: the answer that is right.
    pub outlined: &'a [usize],
    /// A line of result.
    pub result: String,
}

const MARGIN: f32 = 24.0;
const BAR: f32 = 11.0;

/// Draws the texts under each other, and under each token a bar for each head, as dark as the weight is great: nothing
/// for 0, full colour for 1.
///
/// # Errors
/// [`Error::Trace`] where a head or a token is not in a trace.
pub fn rows(
    title: &str,
    rows: &[TextRow],
    heads: &[HeadId],
    theme: Theme,
) -> Result<String, Error> {
    let mut canvas = Canvas::new(theme);
    let (_, ink, lesser) = canvas.theme.colors();
    let names: Vec<String> = heads.iter().map(|&head| head::name(head)).collect();
    let bars = format!("bars, from the top: {}", names.join(" "));
    let colour = "the stronger the colour, the more weight; outlined: the name it refers to";
    let mut y = 0.2 * FONT;
    for (fill, caption) in [(ink, title), (lesser, &bars), (lesser, colour)] {
        for line in lines(caption) {
            y += 1.4 * FONT;
            canvas.text((MARGIN, y), Anchor::Start, fill, &line);
        }
    }
    y += 2.5 * FONT;
    for row in rows {
        y = draw(&mut canvas, row, heads, y)? + 2.2 * FONT;
    }
    Ok(canvas.finish(title, y - 1.2 * FONT))
}

/// A caption in lines that the drawing has room for; a word that is longer stands alone.
fn lines(caption: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in caption.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}")) <= COLUMN - 2.0 * MARGIN => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// One text, from the line at `y` on, with its result below; gives the result's line.
fn draw(canvas: &mut Canvas, row: &TextRow, heads: &[HeadId], mut y: f32) -> Result<f32, Error> {
    let (_, ink, lesser) = canvas.theme.colors();
    let height = BAR * heads.len() as f32 + 8.0;
    let weights = heads
        .iter()
        .map(|head| row.trace.row(head.layer, head.head, row.token))
        .collect::<Result<Vec<_>, _>>()?;
    let meta = row.trace.meta();
    let mut x = MARGIN;
    let mut end = 0;
    // Where the outlined tokens that stand together begin.
    let mut outline = None;
    for (token, &(start, stop)) in meta.spans.iter().enumerate().take(row.token + 1) {
        if stop <= end {
            continue;
        }
        let text = &meta.text[start.max(end)..stop];
        end = stop;
        let word = text.trim_start();
        let advance = width(&labels::visible(word));
        x += width(&text[..text.len() - word.len()]);
        if x + advance > COLUMN - MARGIN && x > MARGIN {
            (x, y) = (MARGIN, y + height + 1.5 * FONT);
            outline = None;
        }
        let of_token: Vec<f32> = weights.iter().map(|weights| weights[token]).collect();
        bars(canvas, &of_token, (x, y), advance);
        write(canvas, &labels::visible(word), (x, y), advance);
        x += advance;
        if row.outlined.contains(&token) {
            let from = *outline.get_or_insert(x - advance);
            if !row.outlined.contains(&(token + 1)) {
                canvas.raw(format_args!(
                    r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="4" fill="none" stroke="{ink}" stroke-width="1.8"/>"#,
                    from - 2.0, y - FONT, x - from + 4.0, 1.3 * FONT,
                ));
                outline = None;
            }
        }
    }
    let below = y + height + 1.1 * FONT;
    canvas.text((MARGIN, below), Anchor::Start, lesser, &row.result);
    Ok(below)
}

/// A bar a head under the token at `(x, y)`.
fn bars(canvas: &mut Canvas, weights: &[f32], (x, y): (f32, f32), advance: f32) {
    let (_, _, lesser) = canvas.theme.colors();
    let given = canvas.theme.marks().given;
    for (place, &weight) in weights.iter().enumerate() {
        let strength = Scale::Linear.place(weight, 1.0);
        let top = y + 8.0 + BAR * place as f32;
        for (fill, opacity) in [(lesser, 0.12), (given, strength)] {
            if opacity > 0.004 {
                canvas.raw(format_args!(
                    r#"<rect x="{x:.1}" y="{top:.1}" width="{advance:.1}" height="{:.1}" fill="{fill}" fill-opacity="{opacity:.2}"/>"#,
                    BAR - 2.0,
                ));
            }
        }
    }
}

fn write(canvas: &mut Canvas, text: &str, (x, y): (f32, f32), advance: f32) {
    let (_, ink, _) = canvas.theme.colors();
    let text = escaped(text);
    canvas.raw(format_args!(
        r#"<text x="{x:.1}" y="{y:.1}" fill="{ink}" textLength="{advance:.1}" lengthAdjust="spacingAndGlyphs">{text}</text>"#
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands beyond the drawing's edge is cut off.
    #[test]
    fn captions_stay_within_the_drawing() {
        let trace = lookback_heads::example::Example::default().trace();
        let row = TextRow {
            trace: &trace,
            token: 5,
            outlined: &[],
            result: "a result".to_owned(),
        };
        let heads: Vec<HeadId> = (0..2).map(|head| HeadId { layer: 0, head }).collect();
        let drawing = rows(
            "a title of some words",
            &[row],
            &heads.repeat(12),
            Theme::Light,
        );
        let drawing = drawing.unwrap();
        let plain = drawing
            .lines()
            .filter(|line| line.contains("text-anchor=\"start\""));
        let mut captions = Vec::new();
        for line in plain {
            let text = line.split_once('>').unwrap().1.trim_end_matches("</text>");
            assert!(MARGIN + width(text) <= COLUMN, "{text}");
            captions.push(text);
        }
        assert!(captions.len() > 4, "no caption was broken: {captions:?}");
        let words = captions.join(" ");
        let names = ["L0H0 L0H1"; 12].join(" ");
        assert!(
            words.starts_with(&format!(
                "a title of some words bars, from the top: {names} the stronger"
            )),
            "{words}"
        );
        assert!(words.ends_with("a result"), "{words}");
        assert_eq!(lines("short"), ["short"]);
    }

    #[test]
    fn words_stand_apart_and_what_comes_after_the_row_is_left_out() {
        let trace = lookback_heads::example::Example::default().trace();
        let token = trace.meta().tokens.len() - 3;
        let row = TextRow {
            trace: &trace,
            token,
            outlined: &[1, 2],
            result: "a result".to_owned(),
        };
        let heads = [HeadId { layer: 0, head: 0 }];
        let drawing = rows("a title", &[row], &heads, Theme::Light).unwrap();
        let meta = trace.meta();
        let text = |token: usize| {
            let (start, stop) = meta.spans[token];
            format!(">{}</text>", escaped(meta.text[start..stop].trim_start()))
        };
        assert!(drawing.contains(&text(token)));
        assert!(!drawing.contains(&text(token + 1)) && drawing.contains(">a result</text>"));
        assert_eq!(drawing.matches("stroke-width").count(), 1);
        let unknown = [HeadId { layer: 99, head: 0 }];
        let row = TextRow {
            trace: &trace,
            token,
            outlined: &[],
            result: String::new(),
        };
        assert!(rows("a title", &[row], &unknown, Theme::Dark).is_err());
    }
}
