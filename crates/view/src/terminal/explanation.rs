//! One head, explained step by step.

use std::io::Write;

use lookback_heads::explain::{Check, Explanation};
use lookback_heads::head;
use lookback_trace::HeadId;

use super::clean::clean;
use super::flow::{Flow, paragraph};
use super::line::{Line, write_lines};
use super::number::{count, difference};
use super::palette::{FOCUS, HEADING, PLAIN, QUIET, WRONG};
use super::{Error, columns, step};

/// How an explanation is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplanationPicture {
    /// Columns of the terminal; see [`NARROWEST`](super::NARROWEST) and [`WIDEST`](super::WIDEST).
    pub width: usize,
    /// How many tokens of the followed row are listed in each step.
    pub listed: usize,
}

impl Default for ExplanationPicture {
    fn default() -> Self {
        Self {
            width: 80,
            listed: 12,
        }
    }
}

/// Draws an explanation of one head: each step with its formula, shapes, matrices, the followed token's row and the
/// checks.
///
/// # Errors
/// [`Error::Write`].
pub fn write_explanation(
    out: &mut impl Write,
    explanation: &Explanation,
    picture: &ExplanationPicture,
) -> Result<(), Error> {
    let width = columns(picture.width);
    write_lines(out, header(explanation, width), width)?;
    for (index, _) in explanation.steps.iter().enumerate() {
        write_lines(
            out,
            step::lines(explanation, index, picture.listed, width),
            width,
        )?;
    }
    write_lines(out, verdict(explanation, width), width)?;
    Ok(())
}

fn header(explanation: &Explanation, width: usize) -> Vec<Line> {
    let sizes = explanation.dimensions;
    let head = HeadId {
        layer: explanation.layer,
        head: explanation.head,
    };
    let mut title = Flow::new(width, 2, Line::new())
        .prose(HEADING, &explanation.model)
        .prose(HEADING, &format!("· head {} · row of", head::name(head)));
    title.word(FOCUS, &clean(&explanation.word.label));
    let mut lines = title.lines();
    let say = |text: String| paragraph(width, 0, PLAIN, &text);
    lines.extend(say(format!("Text: {}", clean(&explanation.text))));
    if explanation.prefix_tokens > 0 {
        let prefix: String = explanation.tokens[..explanation.prefix_tokens].concat();
        lines.extend(say(format!("Prefix: {}", clean(&prefix))));
    }
    lines.extend(paragraph(
        width,
        0,
        QUIET,
        &format!(
            "N = {}, d = {}, k = {}, v = {}, h = {} ({}), {}.",
            count(sizes.n, "token"),
            sizes.d,
            sizes.d_k,
            sizes.d_v,
            count(sizes.heads, "head"),
            count(sizes.kv_heads, "key/value head"),
            count(sizes.layers, "layer")
        ),
    ));
    lines.extend(paragraph(
        width,
        0,
        QUIET,
        "The steps are those of the project’s notes on self-attention (docs/notes.md). Matrices show some of their \
         entries; a full bar is 100%. Every step is computed in f64 from the layer’s input on and compared with what the \
         model computed (f32, fused kernel).",
    ));
    lines
}

/// What the checks come to.
fn verdict(explanation: &Explanation, width: usize) -> Vec<Line> {
    let checks: Vec<&Check> = explanation
        .steps
        .iter()
        .flat_map(|step| &step.checks)
        .collect();
    let failed = checks.iter().filter(|check| !check.agrees).count();
    let Some(worst) = &explanation.worst_check else {
        return Vec::new();
    };
    let (style, says) = match failed {
        0 => (
            PLAIN,
            format!("All {} agree.", count(checks.len(), "check")),
        ),
        _ => (
            WRONG,
            format!("{failed} of {} do NOT agree.", count(checks.len(), "check")),
        ),
    };
    let mut lines = vec![Line::new()];
    let mut opening = Flow::new(width, 2, Line::of(HEADING, "Checks"));
    opening = opening.prose(style, &says).prose(
        PLAIN,
        &format!(
            "The largest difference relative to what is allowed: {}, {} (allowed {}).",
            worst.what,
            difference(worst.largest_difference),
            difference(worst.allowed)
        ),
    );
    lines.extend(opening.lines());
    lines.extend(paragraph(
        width,
        0,
        QUIET,
        "What a head looks at is a hypothesis about what the model does with it, not an explanation.",
    ));
    lines
}
