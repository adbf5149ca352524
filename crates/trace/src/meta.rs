//! What a trace says about the run it comes from: provenance, text, tokens, and how each layer scored.

use lookback_attention::Scoring;
use serde::{Deserialize, Serialize};

use crate::InterventionRecord;

/// What a token of a prefix is called whose text nobody knows: traces of earlier versions hold only its id.
pub const PREFIX_NAME: &str = "prefix";

/// Name of the file format that this crate reads and writes.
pub const FORMAT: &str = "lookback-trace/1";

/// Everything that a trace holds beside its tensors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meta {
    /// Name of the model, as a person would write it (`smollm2-135m`).
    pub model: String,
    /// SHA-256 of the checkpoint's file in lower-case hexadecimal, where one was taken.
    pub model_sha256: Option<String>,
    /// Name and version of the library that ran the model (`lookback 0.1.0`).
    pub library: String,
    /// The text that was read, without the prefix.
    pub text: String,
    /// Token ids, N of them.
    pub tokens: Vec<u32>,
    /// For each token, `[start, end)` in UTF-8 bytes of [`text`](Self::text): whole characters, empty for
    /// tokens that stand for no text (the prefix). Tokens that share one character all carry that character's
    /// span.
    pub spans: Vec<(usize, usize)>,
    /// How many tokens at the start are the prefix.
    pub prefix_tokens: usize,
    /// By what text each of those tokens is printed (`<|endoftext|>`); empty where nobody knows.
    pub prefix_texts: Vec<String>,
    /// How each layer's scores are computed, its scale stated; its length is the number of layers.
    pub layers: Vec<Scoring<'static>>,
    /// What was changed while the model ran.
    pub interventions: InterventionRecord,
    /// How the queries and keys are stored.
    pub qk_dtype: Dtype,
    /// The largest absolute change of any weight that came from rounding queries and keys to f16; none where
    /// they never were rounded.
    pub qk_rounding_max_weight_change: Option<f32>,
}

/// How the numbers of queries and keys are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floating point.
    #[default]
    F32,
    /// 16-bit floating point (IEEE 754 binary16).
    F16,
}

impl Dtype {
    /// Bytes a number.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// The name that [`Meta`] and its file use: `f32`, `f16`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// The name that safetensors uses.
    pub(crate) const fn in_file(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
        }
    }
}
