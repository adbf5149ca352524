//! Which name a word refers to, as far as attention says anything about it.
//!
//! [`who`] asks one question: the weight from the word to each candidate ([`read()`]), what each head's choice follows
//! when names are swapped and the word is flipped that decides between them ([`control`]), what cutting the edge does to the
//! model's answer ([`cause`]), what similarity of raw embeddings alone would choose ([`embedding_similarity`]), and a
//! verdict in words. [`evaluate()`] asks a whole set of them ([`set`]) and says what the best head's accuracy is worth
//! ([`significance`]).
//!
//! Attention is a hypothesis about what a model uses, not an explanation: hence the control and the cause.

mod answer;
pub mod cause;
pub mod control;
pub mod evaluate;
mod order;
mod preference;
pub mod question;
mod read;
mod runs;
pub mod set;
pub mod significance;
mod variants;
mod verdict;

use lookback_model::{Hooks, Model, Prefix};
use lookback_trace::HeadId;

pub use answer::{CauseReport, Row, Who};
use cause::{AblatedTo, Asked, Intervention};
use control::Control;
pub use evaluate::evaluate;
pub use order::reordered;
use preference::{Choices, margin};
pub use preference::{HeadChoice, Preference};
pub use question::{Named, Question};
pub use read::{CandidateWeights, From, MeanWeights, RowWeights, embedding_similarity, lead, read};
pub use runs::RunHooks;
pub use variants::{Flip, flipped, swapped};

use crate::Error;
use crate::mean_output::MeanOutputs;

/// How a question is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoOptions {
    /// What comes before the text.
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

/// Asks one question of a model.
///
/// # Errors
/// [`Error::NoSuchHead`], and the model's.
pub fn who(
    model: &Model,
    question: &Question,
    options: &WhoOptions,
    hooks: &dyn RunHooks,
) -> Result<Who, Error> {
    let spec = model.spec();
    for &head in options.heads.iter().chain(&options.ablate) {
        crate::head::check(head, spec.layers.len(), spec.heads)?;
    }
    let rows = rows_to_read(question, options.from);
    let hooks = runs::Counted::new(hooks);
    // The two most looked at are known once the text was read; until then, the first two stand for them.
    hooks.expect(runs_of(model, question, options, (0, 1))?);
    let as_is = read(model, question, &options.prefix, &rows, &hooks)?;
    let pair = most_looked_at(&as_is[0]);
    hooks.expect(runs_of(model, question, options, pair)?);
    let read = |question: &Question| read(model, question, &options.prefix, &rows, &hooks);
    let swap = read(&swapped(question, pair))?;
    let mut flips = Vec::new();
    for (flip, variant) in flipped(question, pair) {
        let both = read(&swapped(&variant, pair))?;
        flips.push(Flipped {
            flip,
            alone: read(&variant)?,
            both,
        });
    }
    let variants = Variants { as_is, swap, flips };
    let pair_and_first = (pair, first_of(question, pair));
    let rows: Vec<Row> = (0..rows.len())
        .map(|row| variants.row(row, pair_and_first, options.top))
        .collect();
    let cause = cause_of(model, question, options, (&rows[0], pair), &hooks)?;
    let mut answer = Who {
        format: answer::FORMAT,
        model: options.model_name.clone(),
        prefix: read::prefix_text(model, &options.prefix)?,
        question: question.clone(),
        pair,
        rows,
        cause,
        baseline: embedding_similarity(model, question, &options.prefix)?,
        verdict: Vec::new(),
        evidence: Vec::new(),
    };
    answer.verdict = verdict::verdict(&answer).into();
    answer.evidence = verdict::evidence(&answer);
    Ok(answer)
}

/// What is read of a flipped text, row by row: of it as it is, and with the names swapped.
struct Flipped {
    flip: Flip,
    alone: Vec<RowWeights>,
    both: Vec<RowWeights>,
}

/// What is read of all variants of a text, row by row.
struct Variants {
    as_is: Vec<RowWeights>,
    swap: Vec<RowWeights>,
    flips: Vec<Flipped>,
}

impl Variants {
    /// What one row says about a pair, which comes with the one of the two that is named first.
    fn row(&self, at: usize, (pair, first): ((usize, usize), usize), top: usize) -> Row {
        let (as_is, swap) = (&self.as_is[at], &self.swap[at]);
        let reordered = self.flips.iter().find(|f| f.flip == Flip::Order);
        let reordered = reordered.map(|f| (f.alone[at].clone(), f.both[at].clone()));
        let choices = Choices::new(as_is, swap, reordered, (pair, first));
        let control = |f: &Flipped| {
            let four = [as_is, swap, &f.alone[at], &f.both[at]];
            Control::new(f.flip.clone(), four_margins(four, pair))
        };
        let controls: Vec<Control> = self.flips.iter().filter_map(control).collect();
        let of_role = controls
            .iter()
            .find(|c| !c.flip.flips_the_answer() && c.distinguishes);
        Row {
            from: as_is.from,
            sees_after: as_is.sees_after,
            all_heads: as_is.of_all_heads(),
            answering_heads: as_is.of_answering_heads(),
            heads: choices.most(top),
            name_head: choices.strongest(&[Preference::Name]),
            place_head: choices.strongest(&[Preference::First, Preference::Nearer]),
            role_head: of_role.and_then(|control| choices.of(control.best.head)),
            controls,
        }
    }
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

/// The two candidates that the answering heads together look at most, in the text's order.
fn most_looked_at(row: &RowWeights) -> (usize, usize) {
    let mean = row.of_answering_heads();
    let mut order: Vec<usize> = (0..mean.weights.len()).collect();
    order.sort_by(|&a, &b| mean.weights[b].total_cmp(&mean.weights[a]));
    (order[0].min(order[1]), order[0].max(order[1]))
}

/// Which of the two is named first.
fn first_of(question: &Question, (a, b): (usize, usize)) -> usize {
    let last = |candidate: usize| question.candidates[candidate].places.last().copied();
    if last(a) <= last(b) { a } else { b }
}

fn four_margins(
    four: [&RowWeights; 4],
    pair: (usize, usize),
) -> impl Iterator<Item = (HeadId, [f64; 4])> {
    let heads = four[0].heads.len();
    (0..heads).map(move |at| {
        let margins = four.map(|row| margin(&row.heads[at].weights, pair));
        (four[0].heads[at].head, margins)
    })
}

/// How many runs of the model a question takes.
fn runs_of(
    model: &Model,
    question: &Question,
    options: &WhoOptions,
    pair: (usize, usize),
) -> Result<usize, Error> {
    let texts = 2 + 2 * flipped(question, pair).len();
    if !model.spec().predicts_next() {
        return Ok(texts);
    }
    let spec = model.spec();
    let listed = options.top.min(spec.layers.len() * spec.heads);
    let heads = vec![HeadId { layer: 0, head: 0 }; listed];
    let interventions = interventions(options, heads.into_iter().map(|head| (head, 0)), pair);
    let asked = Asked::new(
        model,
        question,
        &options.prefix,
        (options.from, &options.means),
    )?;
    Ok(texts + asked.runs() * (1 + interventions.len()))
}

/// What is tried: cuts in the heads `listed`, each to the candidate that it favours, where none was named; cuts in those
/// that were, and in all heads, to each of the pair; and ablations.
fn interventions(
    options: &WhoOptions,
    listed: impl Iterator<Item = (HeadId, usize)>,
    pair: (usize, usize),
) -> Vec<Intervention> {
    let mut tried = Vec::new();
    if options.heads.is_empty() {
        tried.extend(listed.map(|(head, candidate)| Intervention::Cut {
            heads: vec![head],
            candidate,
        }));
    }
    for candidate in [pair.0, pair.1] {
        let one = options.heads.iter().map(|&head| vec![head]);
        let together = (options.heads.len() > 1).then(|| options.heads.clone());
        tried.extend(
            one.chain(together)
                .chain([Vec::new()])
                .map(|heads| Intervention::Cut { heads, candidate }),
        );
    }
    let ablated = |to| Intervention::Ablated {
        heads: options.ablate.clone(),
        to,
    };
    if !options.ablate.is_empty() {
        tried.push(ablated(AblatedTo::Zero));
        let mut ablate = options.ablate.iter();
        if ablate.all(|&head| options.means.get(head).is_some()) {
            tried.push(ablated(AblatedTo::Mean));
        }
    }
    tried
}

fn cause_of(
    model: &Model,
    question: &Question,
    options: &WhoOptions,
    (row, pair): (&Row, (usize, usize)),
    hooks: &dyn Hooks,
) -> Result<CauseReport, Error> {
    if !model.spec().predicts_next() {
        // It says nothing that a cut could change.
        return Ok(CauseReport {
            log_prob: Vec::new(),
            effects: Vec::new(),
        });
    }
    let asked = Asked::new(model, question, &options.prefix, (row.from, &options.means))?;
    let favourite = |choice: &HeadChoice| match margin(&choice.as_is.weights, pair) >= 0.0 {
        true => pair.0,
        false => pair.1,
    };
    let listed = row.heads.iter();
    let listed = listed.map(|choice| (choice.as_is.head, favourite(choice)));
    let (unchanged, effects) = asked.effects(interventions(options, listed, pair), hooks)?;
    Ok(CauseReport {
        log_prob: unchanged.log_prob,
        effects,
    })
}
