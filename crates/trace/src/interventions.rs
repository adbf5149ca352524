//! What was changed in a model while it ran.

use serde::{Deserialize, Serialize};

/// The changes under which a trace came about.
///
/// Cut edges have weight 0, and the row's LSE was computed without them. Ablated and scaled heads are a record:
/// the head's output was changed after its weights were computed, so its weights are what they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterventionRecord {
    /// Edges cut before the softmax.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<Cut>,
    /// Heads whose output was set to zero.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ablated: Vec<HeadId>,
    /// Heads whose output was set to a constant, their mean over other texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean_ablated: Vec<HeadId>,
    /// Rows that came from another run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patched: Vec<Patched>,
    /// Heads whose output was multiplied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<Scaled>,
}

/// The edge from query `i` to key `j` of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Layer, from 0.
    pub layer: usize,
    /// Query head, from 0.
    pub head: usize,
    /// Index of the query's token.
    pub i: usize,
    /// Index of the key's token.
    pub j: usize,
}

/// One head of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
#[serde(deny_unknown_fields)]
pub struct HeadId {
    /// Layer, from 0.
    pub layer: usize,
    /// Query head, from 0.
    pub head: usize,
}

/// A head whose output was multiplied by a factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaled {
    /// Layer, from 0.
    pub layer: usize,
    /// Query head, from 0.
    pub head: usize,
    /// What the head's output was multiplied by.
    pub factor: f32,
}

/// Rows of one head that came from another run.
///
/// Patched queries and keys are those that the trace holds, so that its weights follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patched {
    /// Layer, from 0.
    pub layer: usize,
    /// Head, from 0: a query head for `q` and `z`, a key/value head for `k` and `v`.
    pub head: usize,
    /// Which of the head's numbers.
    pub site: Site,
    /// Index of the first token.
    pub first: usize,
    /// How many tokens.
    pub rows: usize,
}

/// Which of a head's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// The head's output, before W_o.
    Z,
}

impl InterventionRecord {
    /// Whether nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cut.is_empty()
            && self.ablated.is_empty()
            && self.mean_ablated.is_empty()
            && self.patched.is_empty()
            && self.scaled.is_empty()
    }
}
