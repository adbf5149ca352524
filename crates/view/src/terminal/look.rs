//! What words look back at.

use std::io::Write;

use lookback_heads::Look;
use lookback_heads::look::Sink;
use lookback_trace::PREFIX_NAME;

use super::clean::clean;
use super::flow::{Flow, paragraph};
use super::focus::{self, LookPicture};
use super::line::{Line, write_lines};
use super::number::{self, plural};
use super::palette::{HEADING, PLAIN, QUIET};
use super::{Error, columns, tokens};

/// Draws what the words of interest look back at: the model and the prefix, the tokens, and for each
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
    if let Some(notice) = &picture.notice {
        write_lines(out, paragraph(width, 0, PLAIN, notice), width)?;
        write_lines(out, [Line::new()], width)?;
    }
    write_lines(out, header(look, width), width)?;
    write_lines(out, tokens::strip(look, drawn, width), width)?;
    for focus in look.foci(0..drawn) {
        write_lines(out, focus::lines(look, &focus?, picture, width), width)?;
    }
    write_lines(out, left_out(look, drawn, width), width)?;
    write_lines(out, footer(width), width)?;
    Ok(())
}

/// The model, the text's size and its prefix.
fn header(look: &Look<'_>, width: usize) -> Vec<Line> {
    let trace = look.trace();
    let meta = trace.meta();
    let model = Flow::new(width, 2, Line::new()).prose(HEADING, &meta.model);
    let of_prefix = match meta.prefix_tokens {
        0 => String::new(),
        tokens => format!(", {tokens} of them the prefix"),
    };
    let of_suffix = match meta.suffix_tokens {
        0 => String::new(),
        tokens => format!(", {tokens} after the text"),
    };
    let of_model = if trace.counts_from_0() {
        ""
    } else {
        " of the model"
    };
    let sizes = format!(
        "· {}{of_prefix}{of_suffix} · {} in {}{of_model}",
        number::count(trace.n(), "token"),
        number::count(look.head_count(), "head"),
        number::count(trace.layer_count(), "layer"),
    );
    let mut lines = model.prose(QUIET, &sizes).lines();
    lines.extend(paragraph(width, 0, PLAIN, &sink(look)));
    lines.extend(
        interventions(look)
            .iter()
            .flat_map(|said| paragraph(width, 0, PLAIN, said)),
    );
    lines
}

fn sink(look: &Look<'_>) -> String {
    match look.sink() {
        Sink::Prefix { text } if text == PREFIX_NAME => {
            "The prefix acts as the sink: heads put weight there that no word gets. Shares exclude it.".to_owned()
        }
        Sink::Prefix { text } => format!(
            "Prefix: {}. It acts as the sink: heads put weight there that no word gets. Shares exclude it.",
            clean(&text)
        ),
        Sink::FirstWord { word } => format!(
            "No prefix, so the text’s first word, “{}”, acts as the sink: weight on it says little. Nothing is excluded.",
            focus::word_text(look, word)
        ),
    }
}

/// What distinguishes the trace from a plain run of the model.
fn interventions(look: &Look<'_>) -> Vec<String> {
    let meta = look.trace().meta();
    let mut said = Vec::new();
    if !meta.interventions.is_empty() {
        let record = &meta.interventions;
        let made = [
            (record.cut.len(), "edge", "cut"),
            (record.ablated.len(), "head", "ablated"),
            (
                record.mean_ablated.len(),
                "head",
                "ablated to a mean output",
            ),
            (record.scaled.len(), "head", "scaled"),
            (record.patched.len(), "part", "taken from another run"),
        ];
        let made = made.iter().filter(|(n, ..)| *n > 0);
        let made: Vec<String> = made
            .map(|(n, what, how)| format!("{} {how}", number::count(*n, what)))
            .collect();
        said.push(format!(
            "Interventions on the model’s run: {}.",
            made.join(", ")
        ));
    }
    if let Some(change) = meta.qk_rounding_max_weight_change {
        said.push(format!(
            "Queries and keys are stored as f16: no weight differs by more than {} from what was computed.",
            number::difference(change.into())
        ));
    }
    said
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
        "Share: the mean weight of all heads on a word, the sink excluded. Weight: with the sink included. A full bar is \
         100%. Where heads look is a hypothesis about what a model does, not an explanation of it.",
    ));
    lines
}
