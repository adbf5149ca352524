//! The answer to one question, described in `docs/json/who.md`: change both together.

use serde::Serialize;

use super::cause::Effect;
use super::control::Control;
use super::preference::HeadChoice;
use super::question::Question;
use super::read::{From, MeanWeights};
use crate::Similarity;

/// Name of the serialised form.
pub(super) const FORMAT: &str = "lookback-who/2";

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Who {
    /// `lookback-who/2`.
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
    /// Similarity of the raw embeddings, from the word on each candidate.
    pub baseline: Similarity,
    /// A verdict, its reason and a caveat, in this order.
    pub verdict: Vec<String>,
    /// What they rest on, a sentence or two each.
    pub evidence: Vec<String>,
}

/// What is read from one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which row.
    pub from: From,
    /// Whether it sees tokens behind its own.
    #[serde(skip)]
    pub sees_after: bool,
    /// The mean over all heads.
    pub all_heads: MeanWeights,
    /// The mean over the heads that answer: of a language model all of them, of the `pronoun` model the pointer's.
    pub answering_heads: MeanWeights,
    /// The heads that favour one of the pair most, in the text as it is and with the names swapped.
    pub heads: Vec<HeadChoice>,
    /// The head that prefers one name most, by the smaller of its two margins.
    pub name_head: Option<HeadChoice>,
    /// The head that prefers the first or the nearer of the two most, likewise.
    pub place_head: Option<HeadChoice>,
    /// The head that most prefers what is said of someone, in all four texts and beyond chance; none where the clauses
    /// cannot be put in the other order, or no head does.
    pub role_head: Option<HeadChoice>,
    /// What the choice follows, one for each way to flip the text.
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
