//! A whole set of questions with known answers, and what the best head's accuracy is worth.

use std::ops::ControlFlow;

use lookback_model::{Hooks, Model, Prefix};
use lookback_trace::HeadId;
use serde::Serialize;

use super::read::{
    CandidateWeights, From, RowWeights, embedding_similarity, lead, prefix_text, read,
};
use super::set::{Item, Set, Skipped};
use super::significance::{Margins, SignFlip, accuracy};
use super::variants::swapped;
use crate::{Error, Similarity};

/// Name of the serialised form.
const FORMAT: &str = "lookback-who-set/2";

/// How a set is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateOptions {
    /// What comes before each text.
    pub prefix: Prefix,
    /// The row that is read.
    pub from: From,
    /// What all random draws follow from.
    pub seed: u64,
    /// How many random draws a test makes.
    pub draws: usize,
    /// Name of the model as a person would write it.
    pub model_name: String,
}

/// What the heads of a model make of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetReport {
    /// `lookback-who-set/2`.
    pub format: &'static str,
    /// Name of the model.
    pub model: String,
    /// Text of the prefix tokens.
    pub prefix: String,
    /// The row that was read.
    pub from: From,
    /// The seed of all draws.
    pub seed: u64,
    /// The groups, in the file's order.
    pub groups: Vec<Group>,
    /// Lines of the file that hold no question.
    pub skipped: Vec<Skipped>,
}

/// One group of questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// How many questions.
    pub n: usize,
    /// Of how many templates.
    pub templates: usize,
    /// Every head, in order.
    pub heads: Vec<HeadAccuracy>,
    /// The head of the greatest accuracy.
    pub best: BestHead,
    /// The sign-flip test over templates, of the best head among all.
    #[serde(flatten)]
    pub test: SignFlip,
    /// The same with every sentence flipped for itself, which takes variants for independent.
    pub by_sentence: SignFlip,
    /// The head that looks most consistently at the *other* candidate, and the test of that.
    pub opposite: Opposite,
    /// Similarity of the raw embeddings alone.
    pub baseline: BaselineAccuracy,
    /// The mean weights of all heads.
    pub all_heads: Accuracy,
    /// The mean weights of the heads that answer: of a language model all of them, of the `pronoun` model the pointer's.
    pub answering_heads: Accuracy,
}

/// What similarity of the raw embeddings alone is right in; see [`Similarity`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BaselineAccuracy {
    /// softmax(x_i·x_j) over the tokens before the word.
    pub similarity: Accuracy,
    /// softmax(x_i·x_j/√d) over them.
    pub scaled: Accuracy,
    /// softmax(x_i·x_j/√d) over them and the word itself.
    pub scaled_with_self: Accuracy,
}

/// One head's accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeadAccuracy {
    /// Which head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Share of questions in which the intended candidate got more weight than any other; a tie counts one half.
    pub accuracy: f64,
    /// Mean of weight on the intended candidate − weight on the best other.
    pub mean_diff: f64,
    /// Share of questions in which the candidate nearest to the word got more weight than any other; a
    /// tie counts one half. Near 1 or 0: the head prefers the nearer or the farther one, whoever is meant.
    pub nearer: f64,
    /// Share of pairs of questions, of one template and with the same names in each other's places, in which the same
    /// name got most; none where the group has no such pair. Near 1: the head prefers a name, near 0: a place.
    pub same_name: Option<f64>,
}

/// The best head, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BestHead {
    /// The head.
    #[serde(flatten)]
    pub head: HeadAccuracy,
    /// The 95% interval of its accuracy by bootstrap over templates. It was chosen as the best, so that this is too
    /// good: [`leave_one_template_out`](Self::leave_one_template_out) is not.
    pub ci95: (f64, f64),
    /// Accuracy where the best head is chosen on the other templates; none with one template.
    pub leave_one_template_out: Option<f64>,
}

/// The head that is wrong most consistently.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Opposite {
    /// The head.
    #[serde(flatten)]
    pub head: HeadAccuracy,
    /// p of its being wrong so often, as in [`SignFlip::null_p`].
    pub null_p: f64,
}

/// An accuracy and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracy {
    /// Share of questions answered as intended; a tie counts one half.
    pub accuracy: f64,
    /// The 95% interval by bootstrap over templates.
    pub ci95: (f64, f64),
    /// Mean of weight on the intended candidate − weight on the best other.
    pub mean_diff: f64,
}

/// The margins of one question: every head's, of the mean over heads, the baseline's.
struct Asked {
    heads: Vec<f64>,
    /// Every head's margin for the nearest candidate.
    nearest: Vec<f64>,
    /// The candidate that each head gives most.
    favourites: Vec<usize>,
    all_heads: f64,
    answering_heads: f64,
    similarity: f64,
    scaled: f64,
    scaled_with_self: f64,
}

/// Asks every question of a set. `progress` hears of each question done, and may stop.
///
/// # Errors
/// The model's, and [`lookback_model::Error::Cancelled`] where `hooks` or `progress` stop it.
pub fn evaluate(
    model: &Model,
    set: &Set,
    options: &EvaluateOptions,
    hooks: &dyn Hooks,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<SetReport, Error> {
    let mut ids = Vec::new();
    let mut asked = Vec::with_capacity(set.items.len());
    for (done, item) in set.items.iter().enumerate() {
        if progress(done, set.items.len()).is_break() {
            return Err(lookback_model::Error::Cancelled { layer: 0 }.into());
        }
        let rows = read(
            model,
            &item.question,
            &options.prefix,
            &[options.from],
            hooks,
        )?;
        ids = rows[0].heads.iter().map(|h| h.head).collect();
        asked.push(margins(
            item,
            &rows[0],
            &embedding_similarity(model, &item.question, &options.prefix)?,
        ));
    }
    let mut names: Vec<&str> = Vec::new();
    for item in &set.items {
        if !names.contains(&item.group.as_str()) {
            names.push(&item.group);
        }
    }
    let groups = names.into_iter().map(|name| {
        let of_group = set
            .items
            .iter()
            .zip(&asked)
            .filter(|(item, _)| item.group == name);
        group(name, &of_group.collect::<Vec<_>>(), &ids, options)
    });
    Ok(SetReport {
        format: FORMAT,
        model: options.model_name.clone(),
        prefix: prefix_text(model, &options.prefix)?,
        from: options.from,
        seed: options.seed,
        groups: groups.collect(),
        skipped: set.skipped.clone(),
    })
}

fn margins(item: &Item, row: &RowWeights, baseline: &Similarity) -> Asked {
    let candidates = &item.question.candidates;
    let nearest = (0..candidates.len())
        .max_by_key(|&c| candidates[c].places.last())
        .unwrap_or(0);
    let margins = |of: usize| row.heads.iter().map(|h| lead(&h.weights, of)).collect();
    Asked {
        heads: margins(item.answer),
        nearest: margins(nearest),
        favourites: row.heads.iter().map(CandidateWeights::favourite).collect(),
        all_heads: lead(&row.of_all_heads().weights, item.answer),
        answering_heads: lead(&row.of_answering_heads().weights, item.answer),
        similarity: lead(&baseline.similarity, item.answer),
        scaled: lead(&baseline.scaled, item.answer),
        scaled_with_self: lead(&baseline.scaled_with_self, item.answer),
    }
}

/// Pairs of questions of one template whose candidates are the same names in another order in the text, and whose
/// texts are the same but for that.
fn swaps(asked: &[(&Item, &Asked)]) -> Vec<(usize, usize)> {
    let is_swap = |x: &Item, y: &Item| {
        x.template == y.template
            && x.question.candidates.len() == 2
            && swapped(&x.question, (0, 1)).text == y.question.text
    };
    let pairs = (0..asked.len()).flat_map(|x| (x + 1..asked.len()).map(move |y| (x, y)));
    pairs
        .filter(|&(x, y)| is_swap(asked[x].0, asked[y].0))
        .collect()
}

fn same_name(asked: &[(&Item, &Asked)], swaps: &[(usize, usize)], head: usize) -> Option<f64> {
    let favourite = |question: usize| {
        let (item, asked) = asked[question];
        item.question.candidates[asked.favourites[head]]
            .name
            .to_lowercase()
    };
    let same = swaps.iter().filter(|&&(x, y)| favourite(x) == favourite(y));
    (!swaps.is_empty()).then(|| same.count() as f64 / swaps.len() as f64)
}

fn group(
    name: &str,
    asked: &[(&Item, &Asked)],
    ids: &[HeadId],
    options: &EvaluateOptions,
) -> Group {
    let templates: Vec<String> = asked
        .iter()
        .map(|(item, _)| item.template.clone())
        .collect();
    let by_head = |sign: f64| -> Vec<Vec<f64>> {
        (0..ids.len())
            .map(|h| asked.iter().map(|(_, a)| sign * a.heads[h]).collect())
            .collect()
    };
    let margins = Margins::new(by_head(1.0), &templates);
    let (accuracies, means) = (margins.accuracies(), margins.means());
    let nearer = |h: usize| accuracy(&asked.iter().map(|(_, a)| a.nearest[h]).collect::<Vec<_>>());
    let swaps = swaps(asked);
    let heads: Vec<HeadAccuracy> = (0..ids.len())
        .map(|h| HeadAccuracy {
            head: ids[h],
            accuracy: accuracies[h],
            mean_diff: means[h],
            nearer: nearer(h),
            same_name: same_name(asked, &swaps, h),
        })
        .collect();
    let best = margins.best().unwrap_or(0);
    let opposite = Margins::new(by_head(-1.0), &templates);
    let (seed, draws) = (options.seed, options.draws);
    let alone = |of: fn(&Asked) -> f64| {
        let margins: Vec<f64> = asked.iter().map(|(_, a)| of(a)).collect();
        Accuracy {
            accuracy: accuracy(&margins),
            mean_diff: margins.iter().sum::<f64>() / margins.len().max(1) as f64,
            ci95: Margins::new(vec![margins], &templates).interval(0, seed, draws),
        }
    };
    Group {
        group: name.to_owned(),
        n: asked.len(),
        templates: margins.templates(),
        best: BestHead {
            head: heads[best],
            ci95: margins.interval(best, seed, draws),
            leave_one_template_out: margins.leave_one_template_out(),
        },
        test: margins.sign_flip(seed, draws),
        by_sentence: margins.by_sentence().sign_flip(seed, draws),
        opposite: Opposite {
            head: heads[opposite.best().unwrap_or(0)],
            null_p: opposite.sign_flip(seed, draws).null_p,
        },
        baseline: BaselineAccuracy {
            similarity: alone(|a| a.similarity),
            scaled: alone(|a| a.scaled),
            scaled_with_self: alone(|a| a.scaled_with_self),
        },
        all_heads: alone(|a| a.all_heads),
        answering_heads: alone(|a| a.answering_heads),
        heads,
    }
}
