//! What changes in the model's answer when an edge is cut or a head ablated.

use lookback_model::{
    Encoding, Hooks, Interventions, Logits, Model, Prefill, PrefillOptions, Prefix, Sequence,
};
use lookback_trace::{Cut, HeadId};
use ndarray::ArrayView1;
use serde::Serialize;

use super::question::{Question, tokens_of};
use super::read::{From, rows_of};
use crate::Error;
use crate::mean_output::MeanOutputs;

/// What was done to the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Intervention {
    /// The edges from the row to every place of one candidate were cut.
    Cut {
        /// In these heads; empty for all.
        heads: Vec<HeadId>,
        /// Which candidate.
        candidate: usize,
    },
    /// These heads wrote the same at every token.
    Ablated {
        /// The heads.
        heads: Vec<HeadId>,
        /// What they wrote.
        to: AblatedTo,
    },
}

/// What an ablated head writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AblatedTo {
    /// Nothing.
    Zero,
    /// Its mean output over a reference set (Wang et al. 2022).
    Mean,
}

/// What the model says of a question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Log-probabilities of every next token after the text, in nats: \[vocabulary\].
    next: Vec<f64>,
    /// log P of each candidate's name behind text and probe, in nats, summed over its tokens; empty without a probe.
    pub log_prob: Vec<f64>,
}

/// What one intervention did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// What was done.
    pub intervention: Intervention,
    /// KL divergence, in nats, of the next-token distribution after the text from the unchanged one:
    /// Σ p·ln(p/q), p unchanged.
    pub kl: f64,
    /// How much log P of each candidate's name changed, in nats; empty without a probe.
    pub log_prob_change: Vec<f64>,
}

impl Effect {
    /// The divergence as it is written: with four decimals, and as a power of ten where these would show nothing.
    #[must_use]
    pub fn kl_in_short(&self) -> String {
        match self.kl {
            kl if kl > 0.0 && kl < 5e-5 => format!("{kl:.0e}"),
            kl => format!("{kl:.4}"),
        }
    }
}

/// A model asked about one question, with and without interventions.
pub struct Asked<'a> {
    model: &'a Model,
    question: &'a Question,
    from: From,
    /// What ablated heads write; nothing where it is empty.
    means: &'a MeanOutputs,
    /// One text a candidate (text, probe and name) with a probe, else the text alone.
    texts: Vec<(Encoding, usize)>,
}

impl<'a> Asked<'a> {
    /// Encodes what is asked. Cuts are made in the rows of `from`; heads that are ablated to their mean have it in
    /// `means`.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn new(
        model: &'a Model,
        question: &'a Question,
        prefix: &Prefix,
        (from, means): (From, &'a MeanOutputs),
    ) -> Result<Self, Error> {
        let asked = question.with_probe();
        let encode = |text: &str| model.tokenizer().encode(text, prefix);
        let mut texts = Vec::new();
        if question.probe.is_some() {
            for candidate in &question.candidates {
                let encoding = encode(&format!("{asked} {}", candidate.name))?;
                let name = tokens_of(&encoding, (asked.len() + 1, usize::MAX)).start;
                texts.push((encoding, name));
            }
        } else {
            let encoding = encode(&asked)?;
            let end = encoding.ids.len();
            texts.push((encoding, end));
        }
        Ok(Self {
            model,
            question,
            from,
            means,
            texts,
        })
    }

    /// How many runs of the model an answer takes.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.texts.len()
    }

    /// The unchanged answer, and what each intervention does to it. All runs are packed, so that weights are read once for many.
    ///
    /// # Errors
    /// The model's.
    pub fn effects(
        &self,
        interventions: Vec<Intervention>,
        hooks: &dyn Hooks,
    ) -> Result<(Answer, Vec<Effect>), Error> {
        let mut changes: Vec<Vec<Interventions>> = vec![self.changes(None)];
        changes.extend(interventions.iter().map(|what| self.changes(Some(what))));
        let mut answers = self.answers(&changes, hooks)?.into_iter();
        let unchanged = answers.next().unwrap_or_default();
        let effects = interventions.into_iter().zip(answers);
        let effects = effects
            .map(|(intervention, answer)| effect(intervention, &unchanged, &answer))
            .collect();
        Ok((unchanged, effects))
    }

    /// What an intervention is in each of the texts.
    fn changes(&self, what: Option<&Intervention>) -> Vec<Interventions> {
        let change = |(encoding, _): &(Encoding, usize)| match what {
            Some(what) => self.interventions(what, encoding),
            None => Interventions::default(),
        };
        self.texts.iter().map(change).collect()
    }

    /// The answer under each of several changes, which are given text by text.
    fn answers(
        &self,
        changes: &[Vec<Interventions>],
        hooks: &dyn Hooks,
    ) -> Result<Vec<Answer>, Error> {
        let changed: Vec<_> = changes
            .iter()
            .flatten()
            .map(|changes| changes.and(hooks))
            .collect();
        let texts = self.texts.iter().cycle().zip(&changed);
        let sequences: Vec<Sequence> = texts
            .map(|((encoding, name), hooks)| Sequence {
                tokens: &encoding.ids,
                logits: Logits::At(self.asked_rows(encoding, *name)),
                hooks,
            })
            .collect();
        let read = self
            .model
            .prefill_many(&sequences, &PrefillOptions::default())?;
        let answers = read.chunks(self.texts.len());
        Ok(answers.map(|read| self.answer(read)).collect())
    }

    fn answer(&self, read: &[Prefill]) -> Answer {
        let mut answer = Answer::default();
        for ((encoding, name), Prefill { logits, .. }) in self.texts.iter().zip(read) {
            answer.next = log_softmax(logits.row(0));
            if self.question.probe.is_some() {
                let of_name = logits.outer_iter().skip(1).zip(&encoding.ids[*name..]);
                let log_prob = of_name.map(|(row, &id)| log_softmax(row)[id as usize]);
                answer.log_prob.push(log_prob.sum());
            }
        }
        answer
    }

    /// The last row of the question, and the token before each of the name's.
    fn asked_rows(&self, encoding: &Encoding, name: usize) -> Vec<usize> {
        let mut at = vec![rows_of(encoding, self.question, From::Last).start];
        at.extend((name..encoding.ids.len()).map(|token| token - 1));
        at
    }

    fn interventions(&self, what: &Intervention, encoding: &Encoding) -> Interventions {
        let mut interventions = Interventions::default();
        match what {
            Intervention::Ablated { heads, to } => {
                let none = MeanOutputs::default();
                let means = match to {
                    AblatedTo::Zero => &none,
                    AblatedTo::Mean => self.means,
                };
                means.ablate(heads, encoding.prefix_tokens, &mut interventions);
            }
            Intervention::Cut { heads, candidate } => {
                let spec = self.model.spec();
                let heads: Vec<HeadId> = match heads.as_slice() {
                    [] => crate::head::all(spec.layers.len(), spec.heads).collect(),
                    some => some.to_vec(),
                };
                let rows = rows_of(encoding, self.question, self.from);
                let places = &self.question.candidates[*candidate].places;
                let keys: Vec<usize> = places
                    .iter()
                    .flat_map(|&p| tokens_of(encoding, p))
                    .collect();
                interventions.cut(heads.iter().flat_map(|&HeadId { layer, head }| {
                    let keys = &keys;
                    rows.clone()
                        .flat_map(move |i| keys.iter().map(move |&j| Cut { layer, head, i, j }))
                }));
            }
        }
        interventions
    }
}

fn effect(intervention: Intervention, unchanged: &Answer, answer: &Answer) -> Effect {
    let pairs = unchanged.next.iter().zip(&answer.next);
    let kl: f64 = pairs.map(|(&p, &q)| p.exp() * (p - q)).sum();
    let changes = answer.log_prob.iter().zip(&unchanged.log_prob);
    Effect {
        intervention,
        kl: kl.max(0.0),
        log_prob_change: changes.map(|(new, old)| new - old).collect(),
    }
}

/// Log-probabilities of one row of logits, in f64.
pub(crate) fn log_softmax(logits: ArrayView1<f32>) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - max).exp()).sum();
    let log_sum = f64::from(max) + sum.ln();
    logits.iter().map(|&l| f64::from(l) - log_sum).collect()
}
