//! What a model expects to come next, with changes and without.

use lookback_model::{
    Encoding, Hooks, Interventions, KvCache, Logits, Model, Prefill, PrefillOptions, Prefix,
};
use lookback_trace::Cut;
use serde::Serialize;

use crate::Error;
use crate::interventions::NamedInterventions;
use crate::who::cause::log_softmax;

/// What is predicted.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionOptions {
    /// The tokens before the text.
    pub prefix: Prefix,
    /// How the text is continued before the model is asked (`The one who gets high scores is`).
    pub probe: Option<String>,
    /// Continuations whose probability is asked for, each a word or more.
    pub continuations: Vec<String>,
    /// How many of the likeliest next tokens are given.
    pub top: usize,
}

/// What comes next behind a text and its probe, under changes and without them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// KL divergence, in nats, of the next token's distribution from the unchanged one: Σ p·ln(p/q), p unchanged.
    pub kl: f64,
    /// The likeliest next tokens of either, by the larger of the two probabilities.
    pub next: Vec<NextToken>,
    /// Each continuation, as asked.
    pub continuations: Vec<Continuation>,
}

/// A token that may come next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextToken {
    /// Its number in the vocabulary.
    pub token: u32,
    /// What it stands for.
    pub text: String,
    /// Its probability under the changes.
    pub probability: f64,
    /// Its probability without them.
    pub unchanged: f64,
}

/// A continuation and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Continuation {
    /// The continuation.
    pub text: String,
    /// log P under the changes, in nats, summed over its tokens.
    pub log_prob: f64,
    /// The same without them.
    pub unchanged: f64,
}

/// Asks a model what comes next. Edges are named in `text`; the probe's words do not count.
///
/// Text and probe are read once for each of the two; each continuation then reads only its own tokens.
///
/// # Errors
/// The model's, and those of [`NamedInterventions::on`].
pub fn predict(
    model: &Model,
    text: &str,
    changes: &NamedInterventions,
    options: &PredictionOptions,
    hooks: &dyn Hooks,
) -> Result<Prediction, Error> {
    let encode = |text: &str| model.tokenizer().encode(text, &options.prefix);
    let asked = match &options.probe {
        None => text.to_owned(),
        Some(probe) => format!("{} {}", text.trim_end(), probe.trim()),
    };
    let mut tails = Vec::new();
    let prompt = encode(&asked)?;
    for continuation in &options.continuations {
        let before = asked.trim_end();
        let whole = encode(&format!("{before} {}", continuation.trim()))?;
        tails.push(Tail::new(&prompt, whole, before.len()));
    }
    let named = encode(text)?;
    let interventions = in_prompt(&changes.on(model, &named)?, changes, &named, &prompt);
    let with = answer(model, &prompt, &tails, &interventions, hooks)?;
    let without = match changes.is_empty() {
        true => with.clone(),
        false => answer(model, &prompt, &tails, &Interventions::default(), hooks)?,
    };
    let each = options.continuations.iter().zip(&with.tails);
    let kl: f64 = without
        .next
        .iter()
        .zip(&with.next)
        .map(|(&p, &q)| p.exp() * (p - q))
        .sum();
    Ok(Prediction {
        kl: kl.max(0.0),
        next: likeliest(model, &with.next, &without.next, options.top),
        continuations: each
            .zip(&without.tails)
            .map(|((text, &log_prob), &unchanged)| Continuation {
                text: text.clone(),
                log_prob,
                unchanged,
            })
            .collect(),
    })
}

/// The interventions with their edges at the same places of the prompt, whose tokens may be others where the probe
/// joins the text.
fn in_prompt(
    found: &Interventions,
    changes: &NamedInterventions,
    named: &Encoding,
    prompt: &Encoding,
) -> Interventions {
    let places: Vec<Vec<usize>> = (0..named.ids.len())
        .map(|token| match named.spans[token] {
            (start, end) if start < end => {
                let overlaps = |&at: &usize| {
                    let (s, e) = prompt.spans[at];
                    s < end && e > start
                };
                (0..prompt.ids.len()).filter(overlaps).collect()
            }
            _ => vec![token],
        })
        .collect();
    let mut moved = Interventions::default();
    changes.ablate.iter().for_each(|&head| moved.ablate(head));
    let cuts = found.record().cut;
    moved.cut(cuts.iter().flat_map(|&Cut { layer, head, i, j }| {
        let keys = &places[j];
        let rows = places[i].iter();
        rows.flat_map(move |&i| keys.iter().map(move |&j| Cut { layer, head, i, j }))
    }));
    moved
}

/// A continuation as the tokens that are read after those of the prompt.
struct Tail {
    /// Tokens of the whole that are read again or for the first time.
    ids: Vec<u32>,
    /// Where they begin: the prompt's tokens before it are the same.
    start: usize,
    /// The first token of the continuation itself, among `ids`; at least 1.
    first: usize,
}

impl Tail {
    fn new(prompt: &Encoding, whole: Encoding, end: usize) -> Self {
        let same = prompt
            .ids
            .iter()
            .zip(&whole.ids)
            .take_while(|(a, b)| a == b)
            .count();
        let first = whole.spans.iter().position(|&(_, e)| e > end + 1);
        let first = first.unwrap_or(whole.ids.len()).max(1);
        // The last token before it is read again: what follows it is asked.
        let start = same.min(first).max(1) - 1;
        Self {
            first: first - start,
            ids: whole.ids[start..].to_vec(),
            start,
        }
    }
}

#[derive(Clone)]
struct Answer {
    /// Log-probabilities of the next token: \[vocabulary\].
    next: Vec<f64>,
    /// log P of each continuation.
    tails: Vec<f64>,
}

fn answer(
    model: &Model,
    prompt: &Encoding,
    tails: &[Tail],
    changes: &Interventions,
    hooks: &dyn Hooks,
) -> Result<Answer, Error> {
    let options = PrefillOptions {
        cache: !tails.is_empty(),
        logits: Logits::Last,
        ..PrefillOptions::default()
    };
    let Prefill { logits, cache, .. } =
        model.prefill_with(&prompt.ids, &options, &changes.and(hooks))?;
    let mut answer = Answer {
        next: log_softmax(logits.row(0)),
        tails: vec![0.0; tails.len()],
    };
    if let Some(mut cache) = cache {
        // Those that begin last first: what they overwrite nobody reads any more.
        let mut order: Vec<usize> = (0..tails.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(tails[at].start));
        for at in order {
            answer.tails[at] = log_prob(model, &tails[at], &mut cache, changes)?;
        }
    }
    Ok(answer)
}

fn log_prob(
    model: &Model,
    tail: &Tail,
    cache: &mut KvCache,
    changes: &Interventions,
) -> Result<f64, Error> {
    cache.truncate(tail.start);
    let logits = model.extend_with(&tail.ids, &Logits::All, cache, changes)?;
    let before = logits.outer_iter().skip(tail.first - 1);
    let each = before.zip(&tail.ids[tail.first..]);
    Ok(each.map(|(row, &id)| log_softmax(row)[id as usize]).sum())
}

fn likeliest(model: &Model, with: &[f64], without: &[f64], top: usize) -> Vec<NextToken> {
    let larger = |id: usize| with[id].max(without[id]);
    let mut order: Vec<usize> = (0..with.len()).collect();
    let top = top.min(order.len());
    if top < order.len() {
        order.select_nth_unstable_by(top, |&a, &b| larger(b).total_cmp(&larger(a)));
    }
    order.truncate(top);
    order.sort_by(|&a, &b| larger(b).total_cmp(&larger(a)).then(a.cmp(&b)));
    let token = |id: usize| NextToken {
        token: id as u32,
        text: model.tokenizer().decode(&[id as u32], false),
        probability: with[id].exp(),
        unchanged: without[id].exp(),
    };
    order.into_iter().map(token).collect()
}
