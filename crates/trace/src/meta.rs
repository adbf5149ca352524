//! What a trace says about the run it comes from: provenance, text, tokens, and how each layer scored.

use lookback_attention::{Mask, Scoring};
use serde::{Deserialize, Serialize};

use crate::InterventionRecord;

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
    /// The text that was read.
    pub text: String,
    /// Token ids, N of them.
    pub tokens: Vec<u32>,
    /// For each token, `[start, end)` in UTF-8 bytes of [`text`](Self::text): whole characters, empty for
    /// tokens that stand for no text (the prefix). Tokens that share one character all carry that character's
    /// span.
    pub spans: Vec<(usize, usize)>,
    /// How many tokens at the start stand before the text.
    pub prefix_tokens: usize,
    /// How each layer's scores are computed; its length is the number of layers.
    pub layers: Vec<LayerMeta>,
    /// What was changed while the model ran.
    pub interventions: InterventionRecord,
    /// How the queries and keys are stored.
    pub qk_dtype: Dtype,
    /// The largest absolute change of any weight that came from rounding queries and keys to f16; none where
    /// they never were rounded.
    pub qk_rounding_max_weight_change: Option<f32>,
}

/// How one layer turns q·k into a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerMeta {
    /// What q·k is multiplied by, most often 1/√d_k.
    pub scale: f32,
    /// Which keys each query may see.
    pub mask: TraceMask,
    /// Where present, a score s becomes `cap · tanh(s / cap)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_cap: Option<f32>,
    /// Where present, one learned logit a head that takes part in the softmax's denominator and belongs to no
    /// key: \[H\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sinks: Option<Vec<f32>>,
    /// Where present, one slope a head: the score of query i and key j loses `slope · |i + offset − j|`: \[H\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alibi: Option<Vec<f32>>,
}

impl LayerMeta {
    /// A layer with this scale and mask, and nothing else done to its scores.
    #[must_use]
    pub fn new(scale: f32, mask: TraceMask) -> Self {
        Self {
            scale,
            mask,
            soft_cap: None,
            sinks: None,
            alibi: None,
        }
    }

    /// The layer's scoring as the attention crate takes it, for all query heads.
    #[must_use]
    pub fn scoring(&self) -> Scoring<'_> {
        let mut scoring = Scoring::default()
            .with_scale(self.scale)
            .with_mask(self.mask.into());
        scoring.soft_cap = self.soft_cap;
        scoring.sinks = self.sinks.as_deref();
        scoring.alibi = self.alibi.as_deref();
        scoring
    }
}

/// Which keys a query may see, as the file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "MaskRecord", into = "MaskRecord")]
pub enum TraceMask {
    /// Every key.
    None,
    /// Key j is visible to query i where j ≤ i + offset.
    Causal {
        /// How far the last visible key lies past the query's own index; 0 for a whole text.
        offset: isize,
    },
    /// Key j is visible to query i where i + offset − window < j ≤ i + offset.
    Window {
        /// How many keys a query sees at most.
        window: usize,
        /// As in [`Causal`](Self::Causal).
        offset: isize,
    },
}

/// A mask as the file writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskRecord {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<isize>,
}

impl TryFrom<MaskRecord> for TraceMask {
    type Error = String;

    fn try_from(record: MaskRecord) -> Result<Self, String> {
        let offset = record.offset.unwrap_or(0);
        match (record.kind.as_str(), record.window) {
            ("none", None) if record.offset.is_none() => Ok(Self::None),
            ("causal", None) => Ok(Self::Causal { offset }),
            ("window", Some(window)) => Ok(Self::Window { window, offset }),
            ("none", _) => Err("a mask of kind `none` has neither window nor offset".into()),
            ("causal", Some(_)) => Err("a mask of kind `causal` has no window".into()),
            ("window", None) => Err("a mask of kind `window` needs its window".into()),
            (kind, _) => Err(format!(
                "unknown mask kind {kind:?}, not causal, none or window"
            )),
        }
    }
}

impl From<TraceMask> for MaskRecord {
    fn from(mask: TraceMask) -> Self {
        let record = |kind: &str, window, offset| Self {
            kind: kind.into(),
            window,
            offset,
        };
        match mask {
            TraceMask::None => record("none", None, None),
            TraceMask::Causal { offset } => record("causal", None, Some(offset)),
            TraceMask::Window { window, offset } => record("window", Some(window), Some(offset)),
        }
    }
}

impl From<TraceMask> for Mask {
    fn from(mask: TraceMask) -> Self {
        match mask {
            TraceMask::None => Mask::None,
            TraceMask::Causal { offset } => Mask::Causal { offset },
            TraceMask::Window { window, offset } => Mask::Window { window, offset },
        }
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
