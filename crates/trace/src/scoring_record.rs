//! How a layer's [`Scoring`] is written in a file.

use std::borrow::Cow;

use lookback_attention::{Mask, Scoring};
use serde::{Deserialize, Serialize};

use crate::quoted;

/// A layer's entry in the metadata's list `layers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoringRecord {
    scale: f32,
    mask: MaskRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    soft_cap: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sinks: Option<Vec<f32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alibi: Option<Vec<f32>>,
}

/// A mask as the file writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRecord {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<isize>,
}

impl ScoringRecord {
    /// The record of a scoring.
    ///
    /// # Errors
    /// What the format has no words for: a bias, key lengths, a missing scale, a mask that is not causal, none or window.
    pub fn new(scoring: &Scoring) -> Result<Self, String> {
        if scoring.bias.is_some() || scoring.key_lengths.is_some() {
            return Err("a bias or key lengths, which a trace cannot hold".into());
        }
        let list = |values: &Option<Cow<[f32]>>| values.as_deref().map(<[f32]>::to_vec);
        Ok(Self {
            scale: scoring.scale.ok_or("no scale")?,
            mask: MaskRecord::new(scoring.mask)?,
            soft_cap: scoring.soft_cap,
            sinks: list(&scoring.sinks),
            alibi: list(&scoring.alibi),
        })
    }

    /// The scoring that is recorded, or what is wrong with it.
    pub(crate) fn scoring(self) -> Result<Scoring<'static>, String> {
        let mut scoring = Scoring::new(self.scale, self.mask.mask()?);
        scoring.soft_cap = self.soft_cap;
        scoring.sinks = self.sinks.map(Into::into);
        scoring.alibi = self.alibi.map(Into::into);
        Ok(scoring)
    }
}

impl MaskRecord {
    /// The record of a mask.
    ///
    /// # Errors
    /// Where the format has no words for it. A [`Trace`](crate::Trace) has no such masks.
    pub fn new(mask: Mask) -> Result<Self, String> {
        let record = |kind: &str, window, offset| {
            Ok(Self {
                kind: kind.into(),
                window,
                offset,
            })
        };
        match mask {
            Mask::None => record("none", None, None),
            Mask::Causal { offset } => record("causal", None, Some(offset)),
            Mask::Window { window, offset } => record("window", Some(window), Some(offset)),
            Mask::StrictlyBefore { .. } => {
                Err("a mask of kind StrictlyBefore, which a trace cannot hold".into())
            }
        }
    }

    fn mask(self) -> Result<Mask, String> {
        let offset = self.offset.unwrap_or(0);
        match (self.kind.as_str(), self.window) {
            ("none", None) if self.offset.is_none() => Ok(Mask::None),
            ("causal", None) => Ok(Mask::Causal { offset }),
            ("window", Some(window)) => Ok(Mask::Window { window, offset }),
            ("none", _) => Err("a mask of kind `none` has neither window nor offset".into()),
            ("causal", Some(_)) => Err("a mask of kind `causal` has no window".into()),
            ("window", None) => Err("a mask of kind `window` needs its window".into()),
            (kind, _) => Err(format!(
                "unknown mask kind {}, not causal, none or window",
                quoted(kind)
            )),
        }
    }
}
