//! Who a word stands for.

use std::io::Write;

use lookback_heads::head;
use lookback_heads::who::cause::{AblatedTo, Change, Effect};
use lookback_heads::who::control::{Contrasts, Control};
use lookback_heads::who::{From, HeadChoice, Preference, Row, Who};

use super::clean::{clean, cut};
use super::flow::{Flow, paragraph};
use super::line::{Line, write_lines};
use super::palette::{CANDIDATE, FOCUS, HEADING, PLAIN, QUIET};
use super::table::{Align, table};
use super::{Error, columns};

/// Columns of a candidate's name in a table.
const NAME: usize = 12;

/// Draws the answer to one question: the verdict first, then what it rests on.
///
/// # Errors
/// [`Error::Write`].
pub fn write_who(out: &mut impl Write, who: &Who, width: usize) -> Result<(), Error> {
    let width = columns(width);
    let mut lines = heading(who, width);
    for (index, sentence) in who.verdict.iter().enumerate() {
        let style = if index == 0 { HEADING } else { PLAIN };
        lines.push(Line::new());
        lines.extend(paragraph(width, 0, style, sentence));
    }
    for row in &who.rows {
        lines.extend(of_row(who, row, width));
    }
    lines.extend(of_cause(who, width));
    write_lines(out, lines, width)?;
    Ok(())
}

fn heading(who: &Who, width: usize) -> Vec<Line> {
    let mut flow = Flow::new(width, 2, Line::of(HEADING, "Who is"))
        .prose(FOCUS, &format!("“{}”", who.question.word_text()));
    flow.glued(HEADING, "?");
    for candidate in &who.question.candidates {
        flow = flow.prose(CANDIDATE, &candidate.name);
    }
    let prefix = match who.prefix.as_str() {
        "" => "nothing before the text".to_owned(),
        prefix => format!("{prefix} before the text"),
    };
    let flow = flow.prose(QUIET, &format!("· {} · {prefix}", who.model));
    flow.lines()
}

fn row_name(who: &Who, from: From) -> String {
    match from {
        From::Word => format!("From the row of “{}”", who.question.word_text()),
        From::Last => "From the last token".to_owned(),
        From::Probe => "From the end of the probe".to_owned(),
    }
}

fn short(name: &str) -> String {
    cut(&clean(name), NAME)
}

fn of_row(who: &Who, row: &Row, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    let heading = Flow::new(width, 2, Line::of(HEADING, clean(&row_name(who, row.from))));
    let heading = heading.prose(
        QUIET,
        "· weight, the sink included; and with the two names swapped",
    );
    lines.extend(heading.lines());
    let quiet = |text: String| Line::of(QUIET, text);
    // Two names stand twice in a line, beside 34 columns of all else.
    let room = (width.saturating_sub(34) / 4).clamp(5, NAME);
    let names = |swapped: bool| {
        [who.pair.0, who.pair.1].map(|c| {
            let name = cut(&short(&who.question.candidates[c].name), room);
            quiet(if swapped { format!("{name}′") } else { name })
        })
    };
    let mut header = ["head", "keeps to"].map(|t| quiet(t.to_owned())).to_vec();
    header.extend(names(false));
    header.extend(names(true));
    header.push(quiet("sink".to_owned()));
    let mut rows = vec![header];
    rows.extend(row.heads.iter().map(|choice| choice_row(who, choice)));
    let mut pooled = vec![Line::of(PLAIN, "all"), Line::new()];
    for c in [who.pair.0, who.pair.1] {
        pooled.push(number(row.pooled.weights[c]));
    }
    pooled.extend([Line::new(), Line::new()]);
    pooled.push(number(row.pooled.sink_share));
    rows.push(pooled);
    let mut aligns = [Align::Right; 7];
    aligns[..2].fill(Align::Left);
    lines.extend(table(rows, &aligns, 2, 2));
    for control in &row.controls {
        lines.extend(paragraph(width, 2, PLAIN, &described_words(control)));
    }
    lines
}

/// What a control found, in words.
fn described_words(control: &Control) -> String {
    if !control.turn.decides() {
        let most = |of: fn(&Contrasts) -> f64| {
            let size = |c: &&Contrasts| of(c).abs();
            let most = control
                .all
                .iter()
                .max_by(|a, b| size(a).total_cmp(&size(b)));
            most.map_or_else(String::new, |c| {
                format!("{} (by {:.3})", head::name(c.head), of(c).abs())
            })
        };
        return format!(
            "With the {}: {} keeps most to a place, {} to a role; chance alone gives {:.3}.",
            control.turn.label(),
            most(|c| c.place),
            most(|c| c.meaning),
            control.chance,
        );
    }
    format!(
        "Turned ({}): {} follows it most, by {:.3} of weight; chance alone gives {:.3}. {} of {} heads are right in all \
         four texts.",
        control.turn.label(),
        head::name(control.best.head),
        control.best.meaning.abs(),
        control.chance,
        control.consistent,
        control.heads,
    )
}

fn number(value: f64) -> Line {
    Line::of(PLAIN, format!("{value:.3}"))
}

fn choice_row(who: &Who, choice: &HeadChoice) -> Vec<Line> {
    let preference = match choice.keeps_to {
        Preference::Name => "a name",
        Preference::First => "the first",
        Preference::Nearer => "the nearer",
        Preference::Role => "a role",
    };
    let head = head::name(choice.reading.head);
    let mut cells = vec![Line::of(PLAIN, head), Line::of(PLAIN, preference)];
    for weights in [&choice.reading.weights, &choice.swapped] {
        cells.extend([who.pair.0, who.pair.1].map(|c| number(weights[c])));
    }
    cells.push(number(choice.reading.sink_share));
    cells
}

fn of_cause(who: &Who, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    if who.cause.effects.is_empty() {
        let none = "· nothing to measure: the model says nothing that a cut could change";
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
    let mut header = vec![Line::of(QUIET, "what is taken out"), Line::of(QUIET, "KL")];
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
        several => format!("{} heads", several.len()),
    };
    let what = match &effect.change {
        Change::Cut { heads, candidate } => {
            let (word, name) = (
                who.question.word_text(),
                &who.question.candidates[*candidate].name,
            );
            format!(
                "{}→{} in {}",
                cut(&clean(word), NAME),
                short(name),
                listed(heads)
            )
        }
        Change::Ablated { heads, to } => {
            let to = match to {
                AblatedTo::Zero => "zero",
                AblatedTo::Mean if heads.len() == 1 => "its mean",
                AblatedTo::Mean => "their means",
            };
            format!("{} to {to}", listed(heads))
        }
    };
    let mut cells = vec![Line::of(PLAIN, what), Line::of(PLAIN, effect.kl_in_short())];
    let changes = effect.log_prob_change.iter();
    cells.extend(changes.map(|change| Line::of(PLAIN, format!("{change:+.3}"))));
    cells
}
