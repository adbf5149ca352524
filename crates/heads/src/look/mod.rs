//! What the words of interest look back at: one report from one trace, with no model at hand.
//!
//! [`Look::new`] finds what is asked (the words of interest, their candidates, the heads), and
//! [`Look::focus`] answers for one word of interest. Serialised, a [`Look`] is what `lookback look --json`
//! prints; `docs/json/look.md` describes it. Where there are many words of interest, [`Look::foci`] computes some at a
//! time, so that a long text with hundreds of pronouns needs the memory of a few.
//!
//! # What the numbers are
//! - The **weight** of a word on another is the softmax weight summed over the other word's tokens and
//!   averaged over the word's own ([`Trace::word_weights`]). Weights are raw: the sink takes part in them.
//! - The **sink share** is the weight on the prefix, the tokens before the text, and on a model's learned sink.
//!   Heads rest there when they have nothing to look at.
//! - A **share** is a weight with the sink excluded: weight / (1 − sink share). Shares over all words (and the
//!   white space between them) sum to 1.
//! - **All heads together** is the plain mean of their weights, so that a head that puts all its weight on the sink
//!   counts for nothing in the shares.

mod foci;
mod focus;
mod json;
mod report;

pub use foci::Foci;
pub use focus::{AllHeads, CandidateHead, CandidateHeads, Focus, HeadWeights, RankedWord};
pub use report::{Look, LookOptions, Sink, TokenInfo};

#[cfg(doc)]
use lookback_trace::Trace;

#[cfg(test)]
mod tests;
