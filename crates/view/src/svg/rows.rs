//! What one word of each of several texts looks back at, head by head.

use lookback_heads::head;
use lookback_trace::{HeadId, Trace};

use super::canvas::{Anchor, COLUMN, Canvas, FONT, escaped, width};
use super::{Scale, Theme};
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
const WEIGHT: &str = "#2f6fd6";

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
    canvas.text((MARGIN, 1.6 * FONT), Anchor::Start, ink, title);
    let names: Vec<String> = heads.iter().map(|&head| head::name(head)).collect();
    let legend = format!(
        "bars from the top: heads {}; outlined: whom it stands for",
        names.join(", ")
    );
    canvas.text((MARGIN, 3.0 * FONT), Anchor::Start, lesser, &legend);
    let mut y = 5.4 * FONT;
    for row in rows {
        y = draw(&mut canvas, row, heads, y)? + 1.3 * FONT;
    }
    Ok(canvas.finish(title, y - 0.3 * FONT))
}

/// One text, from the line at `y` on; gives where it ends.
fn draw(canvas: &mut Canvas, row: &TextRow, heads: &[HeadId], mut y: f32) -> Result<f32, Error> {
    let (_, ink, lesser) = canvas.theme.colors();
    let height = BAR * heads.len() as f32 + 10.0;
    let weights = heads
        .iter()
        .map(|head| row.trace.row(head.layer, head.head, row.token))
        .collect::<Result<Vec<_>, _>>()?;
    let meta = row.trace.meta();
    let mut x = MARGIN;
    let mut end = 0;
    for (token, &(start, stop)) in meta.spans.iter().enumerate().take(row.token + 1) {
        if stop <= end {
            continue;
        }
        let text = labels::visible(&meta.text[start.max(end)..stop]);
        end = stop;
        let advance = width(&text);
        if x + advance > COLUMN - MARGIN && x > MARGIN {
            (x, y) = (MARGIN, y + height + 1.5 * FONT);
        }
        let outlined = row.outlined.contains(&token);
        mark(canvas, &text, (x, y), advance, outlined);
        for (place, weights) in weights.iter().enumerate() {
            let strength = Scale::Linear.place(weights[token], 1.0);
            let top = y + 9.0 + BAR * place as f32;
            canvas.raw(format_args!(
                r#"<rect x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" fill="{lesser}" fill-opacity="0.12"/>"#,
                x + 1.0, advance - 2.0, BAR - 2.0,
            ));
            canvas.raw(format_args!(
                r#"<rect x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" fill="{WEIGHT}" fill-opacity="{strength:.3}"/>"#,
                x + 1.0, advance - 2.0, BAR - 2.0,
            ));
        }
        x += advance;
    }
    let at = if x + width(&row.result) + 10.0 > COLUMN - MARGIN {
        y += height + FONT;
        (MARGIN, y)
    } else {
        (COLUMN - MARGIN, y)
    };
    let anchor = if at.0 == MARGIN {
        Anchor::Start
    } else {
        Anchor::End
    };
    canvas.text(at, anchor, ink, &row.result);
    Ok(if at.0 == MARGIN { y } else { y + height })
}

fn mark(canvas: &mut Canvas, text: &str, (x, y): (f32, f32), advance: f32, outlined: bool) {
    let (_, ink, _) = canvas.theme.colors();
    if outlined {
        canvas.raw(format_args!(
            r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="4" fill="none" stroke="{ink}" stroke-width="1.8"/>"#,
            x + 1.0,
            y - FONT,
            advance - 2.0,
            1.33 * FONT,
        ));
    }
    let text = escaped(text);
    canvas.raw(format_args!(
        r#"<text x="{x:.1}" y="{y:.1}" fill="{ink}" textLength="{advance:.1}" lengthAdjust="spacingAndGlyphs">{text}</text>"#
    ));
}
