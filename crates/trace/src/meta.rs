//! What a trace says about the run it comes from: provenance, text, tokens, and how each layer scored.

use std::collections::BTreeMap;

use half::{bf16, f16};
use lookback_attention::Scoring;
use serde::{Deserialize, Serialize};

use crate::InterventionRecord;

/// What a token of a prefix is called whose text nobody knows: traces of earlier versions hold only its id.
pub const PREFIX_NAME: &str = "prefix";

/// What a token after the text is called whose text nobody knows.
pub const SUFFIX_NAME: &str = "suffix";

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
    /// How many tokens at the end follow the text (`[SEP]`).
    pub suffix_tokens: usize,
    /// By what text each token without a span is printed (`<|endoftext|>`), the prefix's and others; none where nobody knows
    /// it. Tokens beyond the list's end have none.
    pub token_texts: Vec<Option<String>>,
    /// The keys' tokens, where they are others than the queries': cross-attention. All of the above are then the queries'.
    pub keys: Option<KeyTokens>,
    /// How each layer's scores are computed, its scale stated; its length is the number of layers that the trace holds. A bias
    /// is one of the layer's tensors ([`Layer::bias`](crate::Layer::bias)).
    pub layers: Vec<Scoring<'static>>,
    /// Which layer of the model each of them is, ascending; where empty, 0, 1, ….
    pub layer_ids: Vec<usize>,
    /// For each of them, which query heads of the model's layer it holds, ascending; where empty, 0, 1, ….
    pub head_ids: Vec<Vec<usize>>,
    /// Layers of the model that have no softmax attention, ascending, and so are not among `layers`.
    pub other_layers: Vec<OtherLayer>,
    /// What was changed while the model ran.
    pub interventions: InterventionRecord,
    /// How the queries and keys are stored.
    pub qk_dtype: Dtype,
    /// The largest absolute change of any weight that came from rounding queries and keys to f16 or bf16; none where
    /// they never were rounded.
    pub qk_rounding_max_weight_change: Option<f32>,
    /// Notes of one's own: keys that begin with `x_`, and any text. They are kept and mean nothing here.
    pub extra: BTreeMap<String, String>,
}

/// The tokens that keys belong to, where queries are other tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyTokens {
    /// The text that was read; empty where there is none.
    pub text: String,
    /// Token ids, M of them.
    pub tokens: Vec<u32>,
    /// As [`Meta::spans`].
    pub spans: Vec<(usize, usize)>,
    /// As [`Meta::token_texts`].
    pub token_texts: Vec<Option<String>>,
}

/// A layer of a model that has no softmax attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherLayer {
    /// Its number in the model, from 0.
    pub layer: usize,
    /// What it is instead: `linear_attention`, `mamba`.
    pub kind: String,
}

impl Meta {
    /// By what text each token of the prefix is printed; empty where there is no prefix, or one of them is not known.
    #[must_use]
    pub fn prefix_texts(&self) -> Vec<&str> {
        let texts = (0..self.prefix_tokens).map(|token| self.token_texts.get(token)?.as_deref());
        texts.collect::<Option<_>>().unwrap_or_default()
    }

    /// What a token stands for: its part of the text, or where it has none, by what text it is printed; none where nobody knows.
    #[must_use]
    pub fn token_text(&self, token: usize) -> Option<&str> {
        token_text(&self.text, &self.spans, &self.token_texts, token)
    }
}

impl KeyTokens {
    /// As [`Meta::token_text`].
    #[must_use]
    pub fn token_text(&self, token: usize) -> Option<&str> {
        token_text(&self.text, &self.spans, &self.token_texts, token)
    }
}

fn token_text<'a>(
    text: &'a str,
    spans: &[(usize, usize)],
    texts: &'a [Option<String>],
    token: usize,
) -> Option<&'a str> {
    match spans.get(token) {
        Some(&(start, end)) if start < end => text.get(start..end),
        _ => texts.get(token)?.as_deref(),
    }
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
    /// 16-bit floating point with the exponents of f32 (bfloat16).
    Bf16,
}

impl Dtype {
    /// Bytes a number.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The name that [`Meta`] and its file use: `f32`, `f16`, `bf16`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The name that safetensors uses.
    pub(crate) const fn in_file(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    /// A number as it comes back from being stored so.
    pub(crate) fn round(self, x: f32) -> f32 {
        match self {
            Self::F32 => x,
            Self::F16 => f16::from_f32(x).to_f32(),
            Self::Bf16 => bf16::from_f32(x).to_f32(),
        }
    }
}
