//! Values of the metadata: strings as they are, all else as JSON.

use std::collections::{BTreeMap, HashMap};

use lookback_attention::{KeyRanges, Scoring};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::scoring_record::ScoringRecord;
use crate::{Dtype, Version, quoted};

/// What is written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) by_key: BTreeMap<String, String>,
}

impl Written {
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.by_key.insert(key.to_owned(), value.to_owned());
    }

    pub(super) fn json(&mut self, key: &str, value: &impl Serialize) {
        let json = serde_json::to_string(value);
        self.text(
            key,
            &json.expect("finite numbers, lists and strings are JSON"),
        );
    }
}

/// Takes out a value that must be there.
pub(super) fn take(metadata: &mut HashMap<String, String>, key: &str) -> Result<String, String> {
    let value = metadata.remove(key);
    value.ok_or_else(|| format!("its metadata has no `{key}`"))
}

/// Takes out a value that must be there, as JSON.
pub(super) fn take_json<T: DeserializeOwned>(
    metadata: &mut HashMap<String, String>,
    key: &str,
) -> Result<T, String> {
    parse_json(key, &take(metadata, key)?)
}

/// Takes out a value that may be there, as JSON.
pub(super) fn take_if_there<T: DeserializeOwned>(
    metadata: &mut HashMap<String, String>,
    key: &str,
) -> Result<Option<T>, String> {
    let value = metadata.remove(key);
    value.map(|value| parse_json(key, &value)).transpose()
}

fn parse_json<T: DeserializeOwned>(key: &str, value: &str) -> Result<T, String> {
    serde_json::from_str(value).map_err(|error| format!("`{key}` of its metadata: {error}"))
}

/// Takes out how queries and keys are stored, one of these types.
pub(super) fn take_dtype(
    metadata: &mut HashMap<String, String>,
    known: &[Dtype],
) -> Result<Dtype, String> {
    let dtype = take(metadata, "qk_dtype")?;
    let found = known.iter().find(|known| known.name() == dtype);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|known| known.name()).collect();
        format!(
            "`qk_dtype` is {}, none of {}",
            quoted(&dtype),
            names.join(", ")
        )
    })
}

/// Takes out how each layer's scores are computed.
pub(super) fn take_layers(
    metadata: &mut HashMap<String, String>,
    key_ranges: &[KeyRanges],
    version: Version,
) -> Result<Vec<Scoring<'static>>, String> {
    take_json::<Vec<ScoringRecord>>(metadata, "layers")?
        .into_iter()
        .map(|record| record.scoring(key_ranges, version))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("`layers` of its metadata: {error}"))
}
