//! A walk through one head.

use std::io::Write;

use lookback_heads::explain::{Check, Walk};
use lookback_heads::head;
use lookback_trace::HeadId;

use super::clean::clean;
use super::flow::{Flow, paragraph};
use super::line::{Line, write_lines};
use super::look::plural;
use super::number::difference;
use super::palette::{FOCUS, HEADING, PLAIN, QUIET, WRONG};
use super::{Error, columns, step};

/// How a walk is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkPicture {
    /// Columns of the terminal; see [`NARROWEST`](super::NARROWEST) and [`WIDEST`](super::WIDEST).
    pub width: usize,
    /// How many tokens of the followed row are listed in each step.
    pub listed: usize,
}

impl Default for WalkPicture {
    fn default() -> Self {
        Self {
            width: 80,
            listed: 12,
        }
    }
}

/// Draws a walk through one head: each step with its formula, shapes, matrices, the followed token's row and the
/// checks.
///
/// # Errors
/// [`Error::Write`].
pub fn write_walk(out: &mut impl Write, walk: &Walk, picture: &WalkPicture) -> Result<(), Error> {
    let width = columns(picture.width);
    write_lines(out, header(walk, width), width)?;
    for (index, _) in walk.steps.iter().enumerate() {
        write_lines(out, step::lines(walk, index, picture.listed, width), width)?;
    }
    write_lines(out, verdict(walk, width), width)?;
    Ok(())
}

fn header(walk: &Walk, width: usize) -> Vec<Line> {
    let sizes = walk.dimensions;
    let head = HeadId {
        layer: walk.layer,
        head: walk.head,
    };
    let mut title = Flow::new(width, 2, Line::new())
        .prose(HEADING, &walk.model)
        .prose(HEADING, &format!("· head {} · row of", head::name(head)));
    title.word(FOCUS, &clean(&walk.word.label));
    let mut lines = title.lines();
    let say = |text: String| paragraph(width, 0, PLAIN, &text);
    lines.extend(say(format!("Text: {}", clean(&walk.text))));
    if walk.prefix_tokens > 0 {
        let prefix: String = walk.tokens[..walk.prefix_tokens].concat();
        lines.extend(say(format!("Before it: {}", clean(&prefix))));
    }
    lines.extend(paragraph(
        width,
        0,
        QUIET,
        &format!(
            "N = {} {}, d = {}, k = {}, v = {}, h = {} heads ({} key/value heads), {} layers.",
            sizes.n,
            plural(sizes.n, "token", "tokens"),
            sizes.d,
            sizes.d_k,
            sizes.d_v,
            sizes.heads,
            sizes.kv_heads,
            sizes.layers
        ),
    ));
    lines.extend(paragraph(
        width,
        0,
        QUIET,
                "The steps are those of the textbook (“the notes”): similarity of embeddings, then query, key and value, \
         softmax, weighted sum, the heads side by side, W_o. Matrices show some of their entries. Every step is \
         computed in f64 from the layer’s input on and compared with what the model computed (f32, fused kernel).",
    ));
    lines
}

/// What the checks come to.
fn verdict(walk: &Walk, width: usize) -> Vec<Line> {
    let checks: Vec<&Check> = walk.steps.iter().flat_map(|step| &step.checks).collect();
    let failed = checks.iter().filter(|check| !check.agrees).count();
    let Some(worst) = &walk.worst_check else {
        return Vec::new();
    };
    let (style, says) = match failed {
        0 => (PLAIN, format!("All {} checks agree.", checks.len())),
        _ => (
            WRONG,
            format!("{failed} of {} checks do NOT agree.", checks.len()),
        ),
    };
    let mut lines = vec![Line::new()];
    let mut opening = Flow::new(width, 2, Line::of(HEADING, "Checks"));
    opening = opening.prose(style, &says).prose(
        PLAIN,
        &format!(
            "The largest difference, seen against what is allowed: {}, {} (allowed {}).",
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
