//! What words look back at.

use std::io::Write;

use lookback_heads::Look;
use lookback_heads::look::Sink;

use super::clean::clean;
use super::flow::{Flow, paragraph};
use super::line::{Line, write_lines};
use super::palette::{HEADING, PLAIN, QUIET};
use super::{Error, columns, focus, number, tokens};

/// How a look is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookPicture {
    /// Columns of the terminal; see [`NARROWEST`](super::NARROWEST) and [`WIDEST`](super::WIDEST).
    pub width: usize,
    /// How many of the words that a word looks back at are listed.
    pub listed: usize,
    /// How many words of interest are drawn, from the first.
    pub words_of_interest: usize,
    /// Draws the heads of each focus one by one as well: meant for a look at chosen heads.
    pub head_by_head: bool,
}

impl Default for LookPicture {
    fn default() -> Self {
        Self {
            width: 80,
            listed: 8,
            words_of_interest: 3,
            head_by_head: false,
        }
    }
}

/// Draws what the words of interest look back at: the model and what stands before the text, the tokens, and for each
/// word of interest the words that all heads together look at and the heads that look most at each candidate.
///
/// Words of interest are computed and written one after the other.
///
/// # Errors
/// [`Error::Heads`] where the trace turns out to be damaged, [`Error::Write`].
pub fn write_look(
    out: &mut impl Write,
    look: &Look<'_>,
    picture: &LookPicture,
) -> Result<(), Error> {
    let width = columns(picture.width);
    let drawn = look.interest().len().min(picture.words_of_interest.max(1));
    write_lines(out, header(look, width), width)?;
    write_lines(out, tokens::strip(look, drawn, width), width)?;
    for focus in look.foci(0..drawn) {
        write_lines(out, focus::lines(look, &focus?, picture, width), width)?;
    }
    write_lines(out, left_out(look, drawn, width), width)?;
    write_lines(out, footer(width), width)?;
    Ok(())
}

/// The model, the text's size and what stands before it.
fn header(look: &Look<'_>, width: usize) -> Vec<Line> {
    let trace = look.trace();
    let meta = trace.meta();
    let model = Flow::new(width, 2, Line::new()).prose(HEADING, &meta.model);
    let text_tokens = trace.n() - meta.prefix_tokens;
    let sizes = format!(
        "· {text_tokens} {} · {} heads in {} {}",
        plural(text_tokens, "token", "tokens"),
        look.head_count(),
        trace.layer_count(),
        plural(trace.layer_count(), "layer", "layers"),
    );
    let mut lines = model.prose(QUIET, &sizes).lines();
    lines.extend(paragraph(width, 0, PLAIN, &sink(look)));
    lines.extend(
        changes(look)
            .iter()
            .flat_map(|change| paragraph(width, 0, PLAIN, change)),
    );
    lines
}

fn sink(look: &Look<'_>) -> String {
    match look.sink() {
        Sink::Prefix { text } => format!(
            "Before the text stands {}: the sink, where heads put weight that no word wants. It is set aside.",
            clean(&text)
        ),
        Sink::FirstWord { word } => format!(
            "Nothing stands before the text, so its first word, “{}”, acts as the sink: weight on it says little. \
             Nothing is set aside.",
            focus::word_text(look, word)
        ),
    }
}

/// What sets the trace apart from the plain run of a model.
fn changes(look: &Look<'_>) -> Vec<String> {
    let meta = look.trace().meta();
    let mut changes = Vec::new();
    if !meta.interventions.is_empty() {
        let edits = &meta.interventions;
        let made = [
            (edits.cut.len(), "edge", "cut"),
            (edits.ablated.len(), "head", "ablated"),
            (edits.mean_ablated.len(), "head", "ablated to a mean output"),
            (edits.scaled.len(), "head", "scaled"),
            (edits.patched.len(), "part", "taken from another run"),
        ];
        let made = made.iter().filter(|(n, ..)| *n > 0);
        let made: Vec<String> = made
            .map(|(n, what, how)| format!("{} {how}", number::count(*n, what)))
            .collect();
        changes.push(format!(
            "The model was changed while it ran: {}.",
            made.join(", ")
        ));
    }
    if let Some(change) = meta.qk_rounding_max_weight_change {
        changes.push(format!(
            "Queries and keys are stored as f16: no weight differs by more than {} from what was computed.",
            number::difference(change.into())
        ));
    }
    changes
}

/// The words of interest that are not drawn.
fn left_out(look: &Look<'_>, drawn: usize, width: usize) -> Vec<Line> {
    let labels = look.labels();
    let left = &labels[drawn..];
    let [first, ..] = left else {
        return Vec::new();
    };
    let more = format!(
        "{} more {} not drawn: see one with --word '{}', all with --json.",
        left.len(),
        plural(left.len(), "word of interest is", "words of interest are"),
        clean(first),
    );
    let mut lines = vec![Line::new()];
    lines.extend(paragraph(width, 0, PLAIN, &more));
    lines
}

fn footer(width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    lines.extend(paragraph(
        width,
        0,
        QUIET,
        "Share: the weight on a word with the sink set aside, the mean of all heads. Weight: as one head gives it, the \
         sink included. Where heads look is a hypothesis about what a model does, not an explanation of it.",
    ));
    lines
}

/// `one` or `more`, as the count asks.
pub(super) fn plural<'a>(count: usize, one: &'a str, more: &'a str) -> &'a str {
    if count == 1 { one } else { more }
}
