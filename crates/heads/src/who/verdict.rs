//! The answer in words: a verdict, its reason, a caveat; then what they rest on.

use super::answer::{Row, Who};
use super::cause::{Effect, Intervention};
use super::control::{Contrasts, Control};
use super::preference::{HeadChoice, Preference};
use super::read::From;
use super::variants::Flip;
use crate::head;
use crate::text::percent;

/// The verdict, its reason, and a caveat.
pub(super) fn verdict(who: &Who) -> [String; 3] {
    let row = &who.rows[0];
    let reason = match distinguishing(row) {
        Some(control) => reason_to_believe(who, control),
        None => preferences(who, row),
    };
    [conclusion(who, row), reason, caveat(who, row)]
}

/// What the verdict rests on, in sentences: each preference's weights, the other rows, the cause, the baseline.
pub(super) fn evidence(who: &Who) -> Vec<String> {
    let first = &who.rows[0];
    let mut found: Vec<String> = distinguishing(first)
        .into_iter()
        .filter_map(|control| other_head(who, control))
        .collect();
    found.extend(preferring(first).map(|choice| weights_in_all_texts(who, choice)));
    found.extend(who.rows[1..].iter().map(|row| {
        let read = match row.from {
            From::Word => format!("Read from “{}”", who.question.word_text()),
            From::Last => "Read from the last token".to_owned(),
            From::Probe => "Read from the end of the probe".to_owned(),
        };
        format!("{read}: {}", conclusion(who, row))
    }));
    found.extend(of_cause(who));
    found.push(format!(
        "Similarity of the raw embeddings alone, softmax(x·x), gives {}; divided by √d, {}.",
        listed(who, &who.baseline.similarity),
        listed(who, &who.baseline.scaled)
    ));
    found
}

/// The control that flips the answer and that some head follows reliably.
fn distinguishing(row: &Row) -> Option<&Control> {
    let mut controls = row.controls.iter();
    controls.find(|c| c.flip.flips_the_answer() && c.distinguishes)
}

/// The control that flips the answer and whose best head is farthest beyond the noise.
fn strongest(row: &Row) -> Option<&Control> {
    let beyond = |c: &Control| c.best.meaning.abs() - c.chance;
    let flips = row.controls.iter().filter(|c| c.flip.flips_the_answer());
    flips.max_by(|x, y| beyond(x).total_cmp(&beyond(y)))
}

fn conclusion(who: &Who, row: &Row) -> String {
    if let Some(control) = distinguishing(row) {
        return format!(
            "{} should flip the answer, and {} follows: it favours {} and shifts by {} (noise: {}).",
            swapping(&control.flip),
            head::name(control.best.head),
            name(who, favoured(who, &control.best)),
            percent(control.best.meaning.abs()),
            percent(control.chance),
        );
    }
    let Some(control) = strongest(row) else {
        return format!(
            "No word here can be swapped to flip the answer (as yet for so, or he for she), so this text cannot show \
             whether a head knows who “{}” is.",
            who.question.word_text()
        );
    };
    format!(
        "{} should flip the answer. No head does this reliably; the closest, {}, shifts by {} (noise: {}).",
        swapping(&control.flip),
        head::name(control.best.head),
        percent(control.best.meaning.abs()),
        percent(control.chance),
    )
}

fn swapping(flip: &Flip) -> String {
    match flip {
        Flip::Connective { from, to } | Flip::Pronoun { from, to } => {
            format!("Swapping “{from}” for “{to}”")
        }
        Flip::Order => "Putting the clauses in the other order".to_owned(),
    }
}

/// Why a head that distinguishes the two can be believed.
fn reason_to_believe(who: &Who, control: &Control) -> String {
    let head = head::name(control.best.head);
    let (a, b) = (name(who, who.pair.0), name(who, who.pair.1));
    match &control.flip {
        Flip::Connective { .. } => format!(
            "With {a} and {b} swapped, {head} chooses the other name: it follows the role, not a name or a place."
        ),
        Flip::Pronoun { .. } | Flip::Order => format!(
            "With {a} and {b} swapped, {head} chooses the same name: it follows the word, not a place."
        ),
    }
}

/// The heads that prefer a name, a place or a role most.
fn preferring(row: &Row) -> impl Iterator<Item = &HeadChoice> {
    let heads = [&row.name_head, &row.place_head, &row.role_head];
    heads.into_iter().flatten()
}

/// What heads do where none distinguishes the two.
fn preferences(who: &Who, row: &Row) -> String {
    let each: Vec<String> = preferring(row)
        .map(|choice| {
            let what = preferred(who, choice);
            format!("{} prefers {what}", head::name(choice.as_is.head))
        })
        .collect();
    match each.as_slice() {
        [] => "No head prefers a name or a place either.".to_owned(),
        [one] => format!("Heads follow other things: {one}."),
        [others @ .., last] => format!(
            "Heads follow other things: {} and {last}.",
            others.join(", ")
        ),
    }
}

/// What a head prefers, as the object of a sentence.
fn preferred(who: &Who, choice: &HeadChoice) -> String {
    match choice.prefers {
        Preference::Name => format!("the name {}", name(who, favourite(who, choice))),
        Preference::First => "the first name".to_owned(),
        Preference::Nearer => "the nearer name".to_owned(),
        Preference::Role => format!(
            "whoever has the role of {}",
            name(who, favourite(who, choice))
        ),
    }
}

/// The candidate of the pair that a head gives more in the text as it is.
fn favourite(who: &Who, choice: &HeadChoice) -> usize {
    let (a, b) = who.pair;
    match choice.as_is.weights[a] >= choice.as_is.weights[b] {
        true => a,
        false => b,
    }
}

fn caveat(who: &Who, row: &Row) -> String {
    let weak = "one sentence is weak evidence: test a set with --set.";
    match who.question.unseen() {
        unseen if row.from == From::Word && !row.sees_after && !unseen.is_empty() => format!(
            "“{}” cannot know “{unseen}”, which comes after it, and {weak}",
            who.question.word_text()
        ),
        _ => format!("Attention is a hypothesis, not an explanation, and {weak}"),
    }
}

/// The head that follows the flip the other way round.
fn other_head(who: &Who, control: &Control) -> Option<String> {
    let other = control.other.as_ref()?;
    Some(format!(
        "{} follows it too, by {}, and favours {}: a head may look at the one meant or at the other, and which it is only \
         a reader knows.",
        head::name(other.head),
        percent(other.meaning.abs()),
        name(who, favoured(who, other)),
    ))
}

/// Whom a head favours in the text as it is.
fn favoured(who: &Who, contrasts: &Contrasts) -> usize {
    let margin = contrasts.name + contrasts.place + contrasts.meaning + contrasts.chance;
    if margin >= 0.0 {
        who.pair.0
    } else {
        who.pair.1
    }
}

/// `L9H4 prefers the name Vatsal: Vatsal 18.1%, Madd 7.8%; names swapped: …; clauses in the other order: …`
fn weights_in_all_texts(who: &Who, choice: &HeadChoice) -> String {
    let mut texts = format!(
        "{} prefers {}: {}; names swapped: {}",
        head::name(choice.as_is.head),
        preferred(who, choice),
        listed(who, &choice.as_is.weights),
        listed(who, &choice.swapped)
    );
    if let Some(reordered) = &choice.reordered {
        texts += &format!("; clauses in the other order: {}", listed(who, reordered));
    }
    texts + "."
}

/// The pair with a weight each.
fn listed(who: &Who, weights: &[f64]) -> String {
    let (a, b) = who.pair;
    format!(
        "{} {}, {} {}",
        name(who, a),
        percent(weights[a]),
        name(who, b),
        percent(weights[b])
    )
}

fn name(who: &Who, candidate: usize) -> &str {
    &who.question.candidates[candidate].name
}

fn of_cause(who: &Who) -> Option<String> {
    let (a, b) = who.pair;
    let all = |candidate: usize| {
        who.cause.effects.iter().find(|effect| {
            matches!(&effect.intervention, Intervention::Cut { heads, candidate: c } if heads.is_empty() && *c == candidate)
        })
    };
    let (cut_a, cut_b) = (all(a)?, all(b)?);
    let row = match who.rows[0].from {
        From::Word => format!("“{}”", who.question.word_text()),
        From::Last => "the last token".to_owned(),
        From::Probe => "the end of the probe".to_owned(),
    };
    if who.cause.log_prob.is_empty() {
        return Some(format!(
            "Cutting every edge from {row} to {} changes the next token’s distribution by {} nats (KL), to {} by {}; with \
             --probe the model can be asked for the name itself.",
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
    let (a_prob, b_prob) = (who.cause.log_prob[a], who.cause.log_prob[b]);
    Some(format!(
        "Asked, the model favours {} (log P {:.2} against {:.2}). Cutting every edge from {row} to {} changes {}; to \
         {}, {}.",
        name(who, if a_prob >= b_prob { a } else { b }),
        a_prob.max(b_prob),
        a_prob.min(b_prob),
        name(who, a),
        changes(cut_a),
        name(who, b),
        changes(cut_b),
    ))
}
