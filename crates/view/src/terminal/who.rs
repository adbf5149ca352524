//! Which name a word refers to.

use std::io::Write;

use lookback_heads::head;
use lookback_heads::who::cause::{AblatedTo, Effect, Intervention};
use lookback_heads::who::control::{Contrasts, Control};
use lookback_heads::who::{From, HeadChoice, MeanWeights, Preference, Row, Who};

use super::clean::{clean, cut};
use super::flow::{Flow, paragraph};
use super::line::{Line, write_lines};
use super::number::{count, percent};
use super::palette::{CANDIDATE, FOCUS, HEADING, PLAIN, QUIET};
use super::table::{Align, table};
use super::{Error, columns};

/// Columns of a candidate's name in a table.
const NAME: usize = 12;

/// Draws the answer to one question: the verdict, its reason and a caveat, then the evidence.
///
/// # Errors
/// [`Error::Write`].
pub fn write_who(out: &mut impl Write, who: &Who, width: usize) -> Result<(), Error> {
    let width = columns(width);
    let mut lines = heading(who, width);
    lines.push(Line::new());
    for (index, sentence) in who.verdict.iter().enumerate() {
        let style = if index == 0 { HEADING } else { PLAIN };
        lines.extend(paragraph(width, 0, style, sentence));
    }
    for row in &who.rows {
        lines.extend(of_row(who, row, width));
    }
    lines.extend(of_cause(who, width));
    lines.push(Line::new());
    lines.extend(paragraph(width, 0, HEADING, "Evidence"));
    for sentence in &who.evidence {
        lines.extend(
            Flow::new(width, 4, Line::of(QUIET, "  ·"))
                .prose(PLAIN, sentence)
                .lines(),
        );
    }
    write_lines(out, lines, width)?;
    Ok(())
}

fn heading(who: &Who, width: usize) -> Vec<Line> {
    let mut flow = Flow::new(width, 2, Line::of(HEADING, "Who is"))
        .prose(FOCUS, &format!("“{}”:", who.question.word_text()));
    for (at, candidate) in who.question.candidates.iter().enumerate() {
        if at > 0 {
            flow = flow.prose(HEADING, "or");
        }
        flow = flow.prose(CANDIDATE, &candidate.name);
    }
    flow.glued(HEADING, "?");
    let prefix = match who.prefix.as_str() {
        "" => "no prefix".to_owned(),
        prefix => format!("prefix {prefix}"),
    };
    let flow = flow.prose(QUIET, &format!("· {} · {prefix}", who.model));
    flow.lines()
}

fn row_name(who: &Who, from: From) -> String {
    match from {
        From::Word => format!("Weights from “{}”", who.question.word_text()),
        From::Last => "Weights from the last token".to_owned(),
        From::Probe => "Weights from the end of the probe".to_owned(),
    }
}

fn short(name: &str) -> String {
    cut(&clean(name), NAME)
}

fn of_row(who: &Who, row: &Row, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    let heading = Flow::new(width, 2, Line::of(HEADING, clean(&row_name(who, row.from))));
    let heading = heading.prose(QUIET, "· the sink included; ′: with the two names swapped");
    lines.extend(heading.lines());
    let quiet = |text: String| Line::of(QUIET, text);
    // Two names are twice in a line, beside 34 columns of all else.
    let room = (width.saturating_sub(34) / 4).clamp(6, NAME);
    let names = |swapped: bool| {
        [who.pair.0, who.pair.1].map(|c| {
            let name = cut(
                &short(&who.question.candidates[c].name),
                room - usize::from(swapped),
            );
            quiet(if swapped { format!("{name}′") } else { name })
        })
    };
    let mut header = ["head", "prefers"].map(|t| quiet(t.to_owned())).to_vec();
    header.extend(names(false));
    header.extend(names(true));
    header.push(quiet("sink".to_owned()));
    let mut rows = vec![header];
    rows.extend(row.heads.iter().map(|choice| choice_row(who, choice)));
    let (answering, all) = (&row.answering_heads, &row.all_heads);
    if answering != all {
        let name = format!("{} of {}", answering.heads, all.heads);
        rows.push(mean_row(who, name, answering));
    }
    rows.push(mean_row(who, format!("all {}", all.heads), all));
    let mut aligns = [Align::Right; 7];
    aligns[..2].fill(Align::Left);
    lines.extend(table(rows, &aligns, 2, 2));
    if answering != all {
        let say = format!(
            "{} of {}: the mean over the heads that this model answers with.",
            answering.heads, all.heads
        );
        lines.extend(paragraph(width, 2, QUIET, &say));
    }
    for control in &row.controls {
        lines.extend(paragraph(width, 2, PLAIN, &control_words(control)));
    }
    lines
}

/// The mean over some heads.
fn mean_row(who: &Who, name: String, mean: &MeanWeights) -> Vec<Line> {
    let mut cells = vec![Line::of(PLAIN, name), Line::of(QUIET, "(mean)")];
    cells.extend([who.pair.0, who.pair.1].map(|c| number(mean.weights[c])));
    cells.extend([Line::new(), Line::new(), number(mean.sink_share)]);
    cells
}

/// What a control found, in words.
fn control_words(control: &Control) -> String {
    let (chance, all) = (percent(control.chance), count(control.heads, "head"));
    if control.flip.flips_the_answer() {
        return format!(
            "{}: {} shifts most, by {} (noise: {chance}). Right in all four texts: {} of {all}.",
            control.flip.label(),
            head::name(control.best.head),
            percent(control.best.meaning.abs()),
            control.consistent,
        );
    }
    let most = |of: fn(&Contrasts) -> f64| {
        let size = |c: &&Contrasts| of(c).abs();
        let most = control
            .all
            .iter()
            .max_by(|a, b| size(a).total_cmp(&size(b)));
        most.map_or_else(String::new, |c| {
            format!("{} (by {})", head::name(c.head), percent(of(c).abs()))
        })
    };
    format!(
        "With the {}: {} prefers a place most, {} a role (noise: {chance}).",
        control.flip.label(),
        most(|c| c.place),
        most(|c| c.meaning),
    )
}

fn number(value: f64) -> Line {
    Line::of(PLAIN, percent(value))
}

fn choice_row(who: &Who, choice: &HeadChoice) -> Vec<Line> {
    let preference = match choice.prefers {
        Preference::Name => "name",
        Preference::First => "first",
        Preference::Nearer => "nearer",
        Preference::Role => "role",
    };
    let head = head::name(choice.as_is.head);
    let mut cells = vec![Line::of(PLAIN, head), Line::of(PLAIN, preference)];
    for weights in [&choice.as_is.weights, &choice.swapped] {
        cells.extend([who.pair.0, who.pair.1].map(|c| number(weights[c])));
    }
    cells.push(number(choice.as_is.sink_share));
    cells
}

fn of_cause(who: &Who, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    if who.cause.effects.is_empty() {
        let none = "· nothing to measure: the model has no output that a cut could change";
        let heading = Flow::new(width, 2, Line::of(HEADING, "Cause")).prose(QUIET, none);
        lines.extend(heading.lines());
        return lines;
    }
    let asked = match &who.question.probe {
        Some(probe) => format!(
            "· change of log P after “{}”; KL of the next token after the text",
            clean(probe)
        ),
        None => "· KL of the next token after the text".to_owned(),
    };
    let heading = Flow::new(width, 2, Line::of(HEADING, "Cause")).prose(QUIET, &asked);
    lines.extend(heading.lines());
    let mut header = vec![Line::of(QUIET, "intervention"), Line::of(QUIET, "KL")];
    if !who.cause.log_prob.is_empty() {
        header.extend(
            who.question
                .candidates
                .iter()
                .map(|c| Line::of(QUIET, short(&c.name))),
        );
    }
    let mut rows = vec![header];
    rows.extend(
        who.cause
            .effects
            .iter()
            .map(|effect| effect_row(who, effect)),
    );
    let mut aligns = vec![Align::Left];
    aligns.extend(std::iter::repeat_n(
        Align::Right,
        who.question.candidates.len() + 1,
    ));
    lines.extend(table(rows, &aligns, 2, 2));
    lines
}

fn effect_row(who: &Who, effect: &Effect) -> Vec<Line> {
    let listed = |heads: &[lookback_trace::HeadId]| match heads {
        [] => "all heads".to_owned(),
        [one] => head::name(*one),
        several => count(several.len(), "head"),
    };
    let what = match &effect.intervention {
        Intervention::Cut { heads, candidate } => {
            let (word, name) = (
                who.question.word_text(),
                &who.question.candidates[*candidate].name,
            );
            format!(
                "cut {}→{} in {}",
                cut(&clean(word), NAME),
                short(name),
                listed(heads)
            )
        }
        Intervention::Ablated { heads, to } => {
            let to = match to {
                AblatedTo::Zero => "zero",
                AblatedTo::Mean if heads.len() == 1 => "its mean",
                AblatedTo::Mean => "their means",
            };
            format!("ablate {} to {to}", listed(heads))
        }
    };
    let mut cells = vec![Line::of(PLAIN, what), Line::of(PLAIN, effect.kl_in_short())];
    let changes = effect.log_prob_change.iter();
    cells.extend(changes.map(|change| Line::of(PLAIN, format!("{change:+.3}"))));
    cells
}
