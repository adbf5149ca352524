//! The answer in words.

use super::cause::{Change, Effect};
use super::control::{Contrasts, Control};
use super::variants::Turn;
use super::{From, HeadChoice, Preference, Row, Who};
use crate::head;

/// A sentence or two on each of: what is read, what that row could not know, what the later rows say, what cutting
/// changes, and what one sentence is worth.
pub(super) fn verdict(who: &Who) -> Vec<String> {
    let mut said = vec![of_row(who, &who.rows[0])];
    if who.rows[0].from == From::Word && !who.question.unseen().is_empty() {
        said.push(format!(
            "The row of “{}” cannot know “{}”: in this model a token sees only what stands before it, so where the \
             answer hangs on that, it can only have been assumed.",
            who.question.word_text(),
            who.question.unseen()
        ));
    }
    said.extend(who.rows.iter().skip(1).map(|row| of_row(who, row)));
    said.extend(of_cause(who));
    said.push(format!(
        "The raw embeddings alone, softmax(x·x/√d), give {}.",
        listed(who, &who.baseline)
    ));
    said.push(
        "One sentence is weak evidence, and attention is a hypothesis about what a model uses: ask a set of sentences \
         (--set) before believing in a head."
            .to_owned(),
    );
    said
}

/// Whose row, in words.
fn row_name(who: &Who, from: From) -> String {
    match from {
        From::Word => format!("the row of “{}”", who.question.word_text()),
        From::Last => "the last token".to_owned(),
        From::Probe => "the end of the probe".to_owned(),
    }
}

fn name(who: &Who, candidate: usize) -> &str {
    &who.question.candidates[candidate].name
}

fn of_row(who: &Who, row: &Row) -> String {
    let from = row_name(who, row.from);
    let (a, b) = (name(who, who.pair.0), name(who, who.pair.1));
    if let Some(control) = row
        .controls
        .iter()
        .find(|c| c.turn.decides() && c.tells_apart)
    {
        return tells_apart(who, row, control);
    }
    let mut said = match strongest(&row.controls) {
        Some(control) => format!(
            "No head of this model, read from {from}, tells {a} and {b} apart: the one that follows {} most, {}, does \
             so by {:.3} of weight{}, and chance alone gives {:.3}.",
            control.turn.label(),
            head::name(control.best.head),
            control.best.meaning.abs(),
            if control.best.consistent {
                ""
            } else {
                ", not in all four texts"
            },
            control.chance,
        ),
        None => format!(
            "Nothing in this text could be turned as a control for the meaning, so that {from} says only whom the \
             heads favour.",
        ),
    };
    for choice in [&row.name_head, &row.place_head, &row.role_head]
        .into_iter()
        .flatten()
    {
        let (head, texts) = (head::name(choice.reading.head), texts(who, choice));
        said += &match choice.keeps_to {
            Preference::Name => format!(" {head} keeps to a name: {texts}."),
            Preference::First => format!(" {head} prefers the first name: {texts}."),
            Preference::Nearer => format!(" {head} prefers the nearer name: {texts}."),
            Preference::Role => format!(" {head} keeps to what is said of someone: {texts}."),
        };
    }
    said
}

/// The control whose best head stands out most from chance.
fn strongest(controls: &[Control]) -> Option<&Control> {
    let out = |c: &Control| c.best.meaning.abs() - c.chance;
    let deciding = controls.iter().filter(|c| c.turn.decides());
    deciding.max_by(|x, y| out(x).total_cmp(&out(y)))
}

fn tells_apart(who: &Who, row: &Row, control: &Control) -> String {
    let best = control.best;
    let favoured = favoured(who, &best);
    let effect = who.cause.effects.iter().find(|effect| {
        matches!(&effect.change, Change::Cut { heads, candidate }
            if *heads == [best.head] && *candidate == favoured)
    });
    let cutting = match effect.and_then(|e| e.log_prob_change.get(favoured)) {
        Some(change) if row.from == who.rows[0].from => format!(
            "; cutting it changes log P({}) by {change:+.3}",
            name(who, favoured)
        ),
        _ => String::new(),
    };
    let what = match control.turn {
        Turn::Connective { .. } => "survives the swap of the names as the other role would",
        Turn::Pronoun { .. } | Turn::Order => "survives the swap of the names",
    };
    let mut said = format!(
        "{} favours {} from {}, {what}, and changes its choice with {}: by {:.3} of weight, where chance alone gives \
         {:.3}{cutting}.",
        head::name(best.head),
        name(who, favoured),
        row_name(who, row.from),
        control.turn.label(),
        best.meaning.abs(),
        control.chance,
    );
    if let Some(other) = &control.other {
        said += &format!(
            " {} tells them apart too, by {:.3}, and favours {}: heads may look at the one meant or at the other, and \
             which is which only the text's reader knows.",
            head::name(other.head),
            other.meaning.abs(),
            name(who, self::favoured(who, other)),
        );
    }
    said
}

/// Whom a head favours in the text as it stands.
fn favoured(who: &Who, contrasts: &Contrasts) -> usize {
    let margin = contrasts.name + contrasts.place + contrasts.meaning + contrasts.chance;
    if margin >= 0.0 {
        who.pair.0
    } else {
        who.pair.1
    }
}

/// `Vatsal .181 and Madd .078; swapped, Vatsal .176 and Madd .078; in the other order, …`
fn texts(who: &Who, choice: &HeadChoice) -> String {
    let mut told = format!(
        "{}; swapped, {}",
        listed(who, &choice.reading.weights),
        listed(who, &choice.swapped)
    );
    if let Some(reordered) = &choice.reordered {
        told += &format!("; clauses in the other order, {}", listed(who, reordered));
    }
    told
}

/// The pair with a weight each.
fn listed(who: &Who, weights: &[f64]) -> String {
    let (a, b) = who.pair;
    format!(
        "{} {:.3} and {} {:.3}",
        name(who, a),
        weights[a],
        name(who, b),
        weights[b]
    )
}

fn of_cause(who: &Who) -> Option<String> {
    let (a, b) = who.pair;
    let all = |candidate: usize| {
        who.cause.effects.iter().find(|effect| {
            matches!(&effect.change, Change::Cut { heads, candidate: c } if heads.is_empty() && *c == candidate)
        })
    };
    let (cut_a, cut_b) = (all(a)?, all(b)?);
    let row = row_name(who, who.rows[0].from);
    if who.cause.log_prob.is_empty() {
        return Some(format!(
            "Cutting every edge from {row} to {} changes the next token's distribution by {} nats (KL), to {} by {}; with --probe the model can be asked for the name itself.",
            name(who, a),
            cut_a.kl_in_short(),
            name(who, b),
            cut_b.kl_in_short()
        ));
    }
    let changes = |effect: &Effect| {
        format!(
            "log P({}) by {:+.3} and log P({}) by {:+.3}",
            name(who, a),
            effect.log_prob_change[a],
            name(who, b),
            effect.log_prob_change[b]
        )
    };
    let favoured = if who.cause.log_prob[a] >= who.cause.log_prob[b] {
        a
    } else {
        b
    };
    Some(format!(
        "Asked, the model favours {} (log P {:.2} against {:.2}). Cutting every edge from {row} to {} changes {}; to \
         {}, {}.",
        name(who, favoured),
        who.cause.log_prob[a].max(who.cause.log_prob[b]),
        who.cause.log_prob[a].min(who.cause.log_prob[b]),
        name(who, a),
        changes(cut_a),
        name(who, b),
        changes(cut_b),
    ))
}
