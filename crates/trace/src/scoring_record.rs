//! How a layer's [`Scoring`] is written in a file.

use std::borrow::Cow;
use std::collections::HashMap;

use lookback_attention::{KeyRanges, Mask, Scoring};
use serde::{Deserialize, Serialize};

use crate::{Version, quoted};

/// A layer's entry in the metadata's list `layers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScoringRecord {
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
    radius: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ranges: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<isize>,
}

/// One range of keys for each query, as the file writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangesRecord {
    starts: Vec<u32>,
    ends: Vec<u32>,
}

/// The masks of a trace's layers as a file writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskRecords {
    /// One a layer.
    pub masks: Vec<MaskRecord>,
    /// The ranges that masks of kind `ranges` name by their place here; each stands there once.
    pub key_ranges: Vec<RangesRecord>,
}

impl MaskRecords {
    /// The records of these masks, which a trace has.
    #[must_use]
    pub fn new<'a>(masks: impl IntoIterator<Item = &'a Mask>) -> Self {
        let mut records = Self::default();
        let mut places: HashMap<&KeyRanges, usize> = HashMap::new();
        for mask in masks {
            let mut record = MaskRecord {
                kind: kind(mask).into(),
                window: None,
                radius: None,
                ranges: None,
                offset: Some(mask.offset()),
            };
            match mask {
                Mask::Window { window, .. } => record.window = Some(*window),
                Mask::SymmetricWindow { radius, .. } => record.radius = Some(*radius),
                Mask::Ranges { ranges, .. } => {
                    let place = *places.entry(ranges).or_insert_with(|| {
                        records.key_ranges.push(RangesRecord::new(ranges));
                        records.key_ranges.len() - 1
                    });
                    (record.ranges, record.offset) = (Some(place), None);
                }
                Mask::None => record.offset = None,
                Mask::Causal { .. } | Mask::StrictlyBefore { .. } => {}
            }
            records.masks.push(record);
        }
        records
    }
}

/// A mask's kind, as the file names it.
fn kind(mask: &Mask) -> &'static str {
    match mask {
        Mask::None => "none",
        Mask::Causal { .. } => "causal",
        Mask::StrictlyBefore { .. } => "strictly_before",
        Mask::Window { .. } => "window",
        Mask::SymmetricWindow { .. } => "symmetric_window",
        Mask::Ranges { .. } => "ranges",
    }
}

impl RangesRecord {
    fn new(ranges: &KeyRanges) -> Self {
        let place = |key: usize| u32::try_from(key).expect("ranges are of 32-bit places");
        Self {
            starts: ranges.iter().map(|range| place(range.start)).collect(),
            ends: ranges.iter().map(|range| place(range.end)).collect(),
        }
    }

    /// The ranges, or what is wrong with them.
    pub(crate) fn ranges(self) -> Result<KeyRanges, String> {
        let (starts, ends) = (self.starts.len(), self.ends.len());
        if starts != ends {
            return Err(format!("{starts} starts and {ends} ends"));
        }
        let pairs = self.starts.into_iter().zip(self.ends);
        let ranges = pairs.map(|(start, end)| start as usize..end as usize);
        KeyRanges::new(ranges).map_err(|error| error.to_string())
    }
}

/// Refuses a scoring that no version of the format has words for.
pub(crate) fn validate(scoring: &Scoring) -> Result<(), String> {
    if scoring.bias.is_some() {
        return Err("a bias in its scoring; it belongs to the layer's tensors".into());
    }
    if scoring.key_lengths.is_some() {
        return Err("key lengths, which a trace holds as a mask of ranges".into());
    }
    if scoring.scale.is_none() {
        return Err("no scale".into());
    }
    match scoring.mask {
        Mask::StrictlyBefore { .. } => {
            Err("a mask of kind StrictlyBefore, which a trace cannot hold".into())
        }
        Mask::Ranges { offset, .. } if offset != 0 => Err(format!(
            "a mask of ranges of which the first is not query 0's but that of query {offset}: leave those before it out"
        )),
        _ => Ok(()),
    }
}

impl ScoringRecord {
    /// The record of a scoring that is [`validate`]d, whose mask has this one.
    pub(crate) fn new(scoring: &Scoring, mask: MaskRecord) -> Self {
        let list = |values: &Option<Cow<[f32]>>| values.as_deref().map(<[f32]>::to_vec);
        Self {
            scale: scoring.scale.unwrap_or(f32::NAN),
            mask,
            soft_cap: scoring.soft_cap,
            sinks: list(&scoring.sinks),
            alibi: list(&scoring.alibi),
        }
    }

    /// The scoring that is recorded in a file of this version, or what is wrong with it.
    pub(crate) fn scoring(
        self,
        key_ranges: &[KeyRanges],
        version: Version,
    ) -> Result<Scoring<'static>, String> {
        let mask = self.mask.mask(key_ranges)?;
        if version == Version::One
            && matches!(mask, Mask::SymmetricWindow { .. } | Mask::Ranges { .. })
        {
            return Err(format!(
                "unknown mask kind {:?}, not causal, none or window",
                kind(&mask)
            ));
        }
        let mut scoring = Scoring::new(self.scale, mask);
        scoring.soft_cap = self.soft_cap;
        scoring.sinks = self.sinks.map(Into::into);
        scoring.alibi = self.alibi.map(Into::into);
        Ok(scoring)
    }
}

impl MaskRecord {
    fn mask(self, key_ranges: &[KeyRanges]) -> Result<Mask, String> {
        let offset = self.offset.unwrap_or(0);
        let given = (self.window, self.radius, self.ranges);
        let mask = match (self.kind.as_str(), given) {
            ("none", (None, None, None)) if self.offset.is_none() => Mask::None,
            ("causal", (None, None, None)) => Mask::Causal { offset },
            ("window", (Some(window), None, None)) => Mask::Window { window, offset },
            ("symmetric_window", (None, Some(radius), None)) => {
                Mask::SymmetricWindow { radius, offset }
            }
            ("ranges", (None, None, Some(at))) if self.offset.is_none() => {
                let ranges = key_ranges.get(at).cloned().ok_or_else(|| {
                    format!(
                        "a mask of `ranges` {at}, and `key_ranges` has {} entries",
                        key_ranges.len()
                    )
                })?;
                Mask::Ranges { ranges, offset }
            }
            (kind @ ("none" | "causal" | "window" | "symmetric_window" | "ranges"), _) => {
                let needs = match kind {
                    "none" => "nothing else",
                    "causal" => "no window or other part but an offset",
                    "window" => "its `window`, an offset and nothing else",
                    "symmetric_window" => "its `radius`, an offset and nothing else",
                    _ => "the number of its `ranges` and nothing else",
                };
                return Err(format!("a mask of kind `{kind}` has {needs}"));
            }
            (kind, _) => {
                return Err(format!(
                    "unknown mask kind {}, not causal, none, window, symmetric_window or ranges",
                    quoted(kind)
                ));
            }
        };
        Ok(mask)
    }
}
