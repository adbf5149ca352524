//! What each head does: words, candidates, scores, and self-attention explained step by step.
//!
//! [`Look`] answers, from a [`Trace`](lookback_trace::Trace) alone, what a word looks at over all heads and head by head,
//! and which heads look most at each candidate for what it refers to. [`explain`] takes a model and one of its heads, and
//! explains self-attention step by step on a real text, in the order of `docs/notes.md`.
//!
//! - [`token_attention`]: what any word or token gives and receives, over any choice of heads;
//! - [`interest`]: which words are asked about (the pronouns, unless named: [`WordName`]); [`default_head`]: which head is
//!   shown where none is chosen;
//! - [`candidates`](mod@candidates): the names a word may refer to;
//! - [`head`]: heads by name;
//! - [`lists`]: the English word lists behind both;
//! - [`who`]: which name a word refers to, with controls and causes, for one text or a set;
//! - [`profile`], [`probes`], [`mod@retrieval`], [`mod@copying`]: scores of every head, on a text, on random repeated
//!   tokens, on needles in other texts, and from its weights alone; [`model_scores`]: the last three together;
//! - [`mod@rollout`]: how much of each token is left after all layers;
//! - [`mod@importance`]: what the model loses without a head; [`edges`]: edges by name; [`interventions`]: what is done to a
//!   run; [`mean_output`]: what heads write on average, to ablate them to that; [`prediction`]: what the model then
//!   expects to come next;
//! - [`logits`]: what each head adds to the difference of two tokens' logits.
//!
//! ```
//! use lookback_heads::{Look, LookOptions};
//! # let trace = lookback_heads::example::Example::default().trace();
//! let look = Look::new(&trace, &LookOptions::default())?;
//! let focus = look.focus(0)?;
//! println!(
//!     "{}: {:.0}% of the weight of {} heads rests on the prefix",
//!     focus.label,
//!     100.0 * focus.all_heads.sink_share,
//!     focus.all_heads.heads,
//! );
//! # Ok::<(), lookback_heads::Error>(())
//! ```

pub mod candidates;
pub mod copying;
mod default_head;
pub mod edges;
pub mod edit_distance;
mod error;
pub mod example;
pub mod explain;
pub mod fill;
pub mod head;
pub mod importance;
mod interest;
pub mod interventions;
pub mod lists;
pub mod logits;
pub mod look;
pub mod mean_output;
pub mod model_scores;
pub mod prediction;
pub mod probes;
pub mod profile;
mod random;
pub mod retrieval;
pub mod rollout;
mod select;
mod similarity;
mod sink;
mod text;
pub mod token_attention;
mod token_text;
pub mod trace_kinds;
mod visible;
pub mod who;

pub use candidates::{Candidate, candidates};
pub use default_head::{DefaultHead, default_head};
pub use error::Error;
pub use interest::interest;
pub use look::{Focus, Look, LookOptions};
pub use select::{Occurrence, WordName, label, label_of};
pub use similarity::Similarity;
pub use token_text::token_text;

/// The example of the crate's README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
