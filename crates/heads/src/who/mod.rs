//! Who a word stands for, as far as attention says anything about it.
//!
//! [`who`] asks one question: the weight from the word to each candidate ([`read()`]), what each head's choice follows
//! when names are swapped and what decides between them is turned ([`control`]), what cutting the edge does to the
//! model's answer ([`cause`]), what similarity of raw embeddings alone would choose
//! ([`embedding_similarity`]), and a verdict in
//! words. [`evaluate()`] asks a whole set of them ([`set`]) and says what the best head's accuracy is worth
//! ([`significance`]).
//!
//! Attention is a hypothesis about what a model uses, not an explanation: hence the control and the cause.

mod baseline;
pub mod cause;
pub mod control;
pub mod evaluate;
mod order;
mod preference;
pub mod question;
mod read;
pub mod set;
pub mod significance;
mod variants;
mod verdict;

use lookback_model::{Hooks, Model, Prefix};
use lookback_trace::HeadId;
use serde::Serialize;

pub use baseline::embedding_similarity;
use cause::{AblatedTo, Asked, Change, Effect};
use control::Control;
pub use evaluate::evaluate;
pub use order::reordered;
use preference::{Choices, margin};
pub use preference::{HeadChoice, Preference};
pub use question::{Named, Question};
pub use read::{From, HeadReading, Reading, read};
pub use variants::{Turn, swapped, turned};

use crate::Error;
use crate::mean_output::MeanOutputs;

/// Name of the serialised form.
const FORMAT: &str = "lookback-who/1";

/// How a question is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoOptions {
    /// What stands before the text.
    pub prefix: Prefix,
    /// The row that is read, and whose edges are cut.
    pub from: From,
    /// The heads whose edges are cut one by one; where empty, the heads that favour one candidate most.
    pub heads: Vec<HeadId>,
    /// Heads that are ablated together: to zero, and where `means` holds them, to their mean too.
    pub ablate: Vec<HeadId>,
    /// The mean outputs of heads over a reference set; empty for none.
    pub means: MeanOutputs,
    /// How many heads are listed, and cut where none is named.
    pub top: usize,
    /// Name of the model as a person would write it.
    pub model_name: String,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Who {
    /// `lookback-who/1`.
    pub format: &'static str,
    /// Name of the model.
    pub model: String,
    /// Text of the prefix tokens.
    pub prefix: String,
    /// What was asked.
    #[serde(flatten)]
    pub question: Question,
    /// The two candidates that the controls are about: the two most looked at.
    pub pair: (usize, usize),
    /// What is read, the row asked for first.
    pub rows: Vec<Row>,
    /// What cuts and ablations change.
    pub cause: CauseReport,
    /// softmax(x_i·x_j/√d) of the raw embeddings, from the word on each candidate: \[candidates\].
    pub baseline: Vec<f64>,
    /// The verdict, a sentence each.
    pub verdict: Vec<String>,
}

/// What is read from one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Whose row.
    pub from: From,
    /// The mean over the heads that answer: of a language model all, of the `pronoun` model the pointer's.
    pub pooled: HeadReading,
    /// The heads that favour one of the pair most, as it stands and with the names swapped.
    pub heads: Vec<HeadChoice>,
    /// The head that keeps to one name most, by the smaller of its two margins.
    pub name_head: Option<HeadChoice>,
    /// The head that prefers the first or the nearer of the two most, likewise.
    pub place_head: Option<HeadChoice>,
    /// The head that keeps most to what is said of someone, in all four texts and beyond chance; none where the clauses
    /// cannot stand in the other order, or no head does.
    pub role_head: Option<HeadChoice>,
    /// What the choice follows, one for each way to turn the text.
    pub controls: Vec<Control>,
}

/// The model's own answer, and what changes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CauseReport {
    /// log P of each candidate behind the probe, in nats; empty without a probe.
    pub log_prob: Vec<f64>,
    /// What was tried.
    pub effects: Vec<Effect>,
}

/// Asks one question of a model.
///
/// # Errors
/// [`Error::NoSuchHead`], and the model's.
pub fn who(
    model: &Model,
    question: &Question,
    options: &WhoOptions,
    hooks: &dyn Hooks,
) -> Result<Who, Error> {
    let config = model.config();
    for &head in options.heads.iter().chain(&options.ablate) {
        crate::head::check(head, config.layers, config.heads)?;
    }
    let rows = rows_to_read(question, options.from);
    let as_is = read(model, question, &options.prefix, &rows, hooks)?;
    let pair = most_looked_at(&as_is[0]);
    let read = |question: &Question| read(model, question, &options.prefix, &rows, hooks);
    let swap = read(&swapped(question, pair))?;
    let mut turns = Vec::new();
    for (turn, variant) in turned(question, pair) {
        let both = read(&swapped(&variant, pair))?;
        turns.push((turn, read(&variant)?, both));
    }
    let reordered = turns.iter().find(|(turn, ..)| *turn == Turn::Order);
    let rows: Vec<Row> = (0..rows.len())
        .map(|row| {
            let of_row = |(_, turned, both): &(Turn, Vec<Reading>, Vec<Reading>)| {
                (turned[row].clone(), both[row].clone())
            };
            let choices = Choices::new(
                &as_is[row],
                &swap[row],
                reordered.map(of_row),
                (pair, first_of(question, pair)),
            );
            let controls: Vec<Control> = turns
                .iter()
                .filter_map(|(turn, turned, both)| {
                    let four = [&as_is[row], &swap[row], &turned[row], &both[row]];
                    Control::new(turn.clone(), four_margins(four, pair))
                })
                .collect();
            let of_role = controls.iter().find(|c| !c.turn.decides() && c.tells_apart);
            Row {
                from: rows[row],
                pooled: as_is[row].pooled(),
                heads: choices.most(options.top),
                name_head: choices.keeper(&[Preference::Name]),
                place_head: choices.keeper(&[Preference::First, Preference::Nearer]),
                role_head: of_role.and_then(|control| choices.of(control.best.head)),
                controls,
            }
        })
        .collect();
    let cause = cause_of(model, question, options, (&rows[0], pair), hooks)?;
    let mut answer = Who {
        format: FORMAT,
        model: options.model_name.clone(),
        prefix: crate::prefix_text(model, &options.prefix)?,
        question: question.clone(),
        pair,
        rows,
        cause,
        baseline: embedding_similarity(model, question, &options.prefix)?,
        verdict: Vec::new(),
    };
    answer.verdict = verdict::verdict(&answer);
    Ok(answer)
}

/// The row asked for first, then those that know more than it.
fn rows_to_read(question: &Question, from: From) -> Vec<From> {
    let mut rows = vec![from];
    for other in [From::Word, From::Last, From::Probe] {
        let there = other != From::Probe || question.probe.is_some();
        if there && !rows.contains(&other) {
            rows.push(other);
        }
    }
    rows
}

/// The two candidates that all heads together look at most, in the text's order.
fn most_looked_at(reading: &Reading) -> (usize, usize) {
    let pooled = reading.pooled();
    let mut order: Vec<usize> = (0..pooled.weights.len()).collect();
    order.sort_by(|&a, &b| pooled.weights[b].total_cmp(&pooled.weights[a]));
    (order[0].min(order[1]), order[0].max(order[1]))
}

/// Which of the two is named first.
fn first_of(question: &Question, (a, b): (usize, usize)) -> usize {
    let last = |candidate: usize| question.candidates[candidate].places.last().copied();
    if last(a) <= last(b) { a } else { b }
}

fn four_margins(
    four: [&Reading; 4],
    pair: (usize, usize),
) -> impl Iterator<Item = (HeadId, [f64; 4])> {
    let heads = four[0].heads.len();
    (0..heads).map(move |at| {
        let margins = four.map(|reading| margin(&reading.heads[at].weights, pair));
        (four[0].heads[at].head, margins)
    })
}

fn cause_of(
    model: &Model,
    question: &Question,
    options: &WhoOptions,
    (row, pair): (&Row, (usize, usize)),
    hooks: &dyn Hooks,
) -> Result<CauseReport, Error> {
    if !model.has_output_head() {
        // It says nothing that a cut could change.
        return Ok(CauseReport {
            log_prob: Vec::new(),
            effects: Vec::new(),
        });
    }
    let asked = Asked::new(model, question, &options.prefix, (row.from, &options.means))?;
    let unchanged = asked.unchanged(hooks)?;
    let favourite = |head: &HeadChoice| match margin(&head.reading.weights, pair) >= 0.0 {
        true => pair.0,
        false => pair.1,
    };
    let mut changes = Vec::new();
    if options.heads.is_empty() {
        changes.extend(row.heads.iter().map(|choice| Change::Cut {
            heads: vec![choice.reading.head],
            candidate: favourite(choice),
        }));
    }
    for candidate in [pair.0, pair.1] {
        let one = options.heads.iter().map(|&head| vec![head]);
        let together = (options.heads.len() > 1).then(|| options.heads.clone());
        changes.extend(
            one.chain(together)
                .chain([Vec::new()])
                .map(|heads| Change::Cut { heads, candidate }),
        );
    }
    let ablated = |to| Change::Ablated {
        heads: options.ablate.clone(),
        to,
    };
    if !options.ablate.is_empty() {
        changes.push(ablated(AblatedTo::Zero));
        if options
            .ablate
            .iter()
            .all(|&head| options.means.get(head).is_some())
        {
            changes.push(ablated(AblatedTo::Mean));
        }
    }
    let effects = changes
        .into_iter()
        .map(|change| asked.effect(change, &unchanged, hooks))
        .collect::<Result<_, _>>()?;
    Ok(CauseReport {
        log_prob: unchanged.log_prob,
        effects,
    })
}
