//! JSON with the keys that it had before they were renamed: `--json-version 1`.
//!
//! Each format has a table of renames, which hold wherever a key occurs in the answer, and what else differs is put back by
//! a function of its own. Formats that are not listed have not changed. `docs/json/README.md` lists what changed.

use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// Which keys JSON has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum JsonVersion {
    /// Those from before the renames
    #[value(name = "1")]
    One,
    /// The current ones
    #[default]
    #[value(name = "2")]
    Current,
}

/// Whether this run was asked for version 1.
static ONE: AtomicBool = AtomicBool::new(false);

impl JsonVersion {
    /// Makes the choice hold for everything that is printed.
    pub(crate) fn apply(self) {
        ONE.store(self == Self::One, Ordering::Relaxed);
    }

    /// What was asked for.
    pub(crate) fn asked() -> Self {
        match ONE.load(Ordering::Relaxed) {
            true => Self::One,
            false => Self::Current,
        }
    }
}

/// A format whose keys were renamed.
struct Renamed {
    /// Its current name, and the old one.
    format: [&'static str; 2],
    /// Each current key with the old one.
    keys: &'static [[&'static str; 2]],
    /// Puts back what is more than a name; keys are the current ones.
    restore: fn(&mut Map<String, Value>),
}

const FORMATS: &[Renamed] = &[
    Renamed {
        format: ["lookback-who/2", "lookback-who/1"],
        keys: &[
            ["answering_heads", "pooled"],
            ["prefers", "keeps_to"],
            ["distinguishes", "tells_apart"],
            ["flip", "turn"],
            ["intervention", "change"],
        ],
        restore: restore_who,
    },
    Renamed {
        format: ["lookback-who-set/2", "lookback-who-set/1"],
        keys: &[["answering_heads", "pooled"]],
        restore: restore_set,
    },
    Renamed {
        format: ["lookback-explain/2", "lookback-walk/1"],
        keys: &[],
        restore: restore_explanation,
    },
    Renamed {
        format: ["lookback-heads/2", "lookback-heads/1"],
        keys: &[["interventions", "changes"]],
        restore: |answer| remove(answer, &["prefix"]),
    },
    Renamed {
        format: ["lookback-attribute/2", "lookback-attribute/1"],
        keys: &[["interventions", "changes"]],
        restore: restore_attribution,
    },
    Renamed {
        format: ["lookback-rollout/2", "lookback-rollout/1"],
        keys: &[["prefix_rollout", "prefix"]],
        restore: |answer| {
            remove(
                answer,
                &["tokens", "prefix_tokens", "prefix", "interventions"],
            );
        },
    },
    Renamed {
        format: ["lookback-trace-info/2", "lookback-trace/1"],
        keys: &[],
        restore: |answer| {
            let interventions = answer.get("interventions");
            let edited = interventions.is_some_and(|what| !what.is_null());
            answer.insert("edited".to_owned(), edited.into());
            remove(answer, &["interventions", "trace_format"]);
        },
    },
];

/// An answer with the keys of version 1; none where its format has not changed since.
pub(crate) fn to_one(mut answer: Value) -> Option<Value> {
    let object = answer.as_object_mut()?;
    let format = object.get("format").and_then(Value::as_str);
    let renamed = FORMATS
        .iter()
        .find(|known| format == Some(known.format[0]))?;
    (renamed.restore)(object);
    object.insert("format".to_owned(), renamed.format[1].into());
    rename(&mut answer, renamed.keys);
    Some(answer)
}

/// Renames keys wherever they occur.
fn rename(value: &mut Value, keys: &[[&str; 2]]) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, keys)),
        Value::Object(object) => {
            for [current, old] in keys {
                if let Some(value) = object.remove(*current) {
                    object.insert((*old).to_owned(), value);
                }
            }
            object.values_mut().for_each(|value| rename(value, keys));
        }
        _ => (),
    }
}

/// Takes keys out that version 1 did not have.
fn remove(object: &mut Map<String, Value>, keys: &[&str]) {
    for &key in keys {
        object.remove(key);
    }
}

/// The objects of a list.
fn each<'a>(
    object: &'a mut Map<String, Value>,
    list: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = object.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// `verdict` held all sentences, the mean over heads a head's place, and `baseline` one list.
fn restore_who(object: &mut Map<String, Value>) {
    if let Some(Value::Array(evidence)) = object.remove("evidence")
        && let Some(Value::Array(verdict)) = object.get_mut("verdict")
    {
        verdict.extend(evidence);
    }
    restore_baseline(object);
    for row in each(object, "rows") {
        row.remove("all_heads");
        if let Some(Value::Object(mean)) = row.get_mut("answering_heads") {
            mean.remove("heads");
            mean.insert("layer".to_owned(), json!(0));
            mean.insert("head".to_owned(), json!(0));
        }
    }
}

fn restore_set(object: &mut Map<String, Value>) {
    for group in each(object, "groups") {
        group.remove("all_heads");
        restore_baseline(group);
    }
}

/// What version 1 called the baseline is what is now one of three.
fn restore_baseline(object: &mut Map<String, Value>) {
    if let Some(Value::Object(mut baseline)) = object.remove("baseline")
        && let Some(old) = baseline.remove("scaled_with_self")
    {
        object.insert("baseline".to_owned(), old);
    }
}

fn restore_explanation(object: &mut Map<String, Value>) {
    if let Some(Value::Object(outcome)) = object.get_mut("outcome") {
        for candidate in each(outcome, "candidates") {
            candidate.remove("similarity_scaled_weight");
        }
    }
}

/// `tokens` were the ids of the two words.
fn restore_attribution(object: &mut Map<String, Value>) {
    let id = |side: &str| object.get(side).map(|token| token["id"].clone());
    let ids: Vec<Value> = ["for", "against"].into_iter().filter_map(id).collect();
    object.insert("tokens".to_owned(), ids.into());
    remove(object, &["prefix_tokens", "prefix"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_did_not_change_stay_as_they_are() {
        for answer in [
            json!({"format": "lookback-look/1", "interventions": 1}),
            json!({"rows": [{"flip": 1}]}),
            json!([1]),
        ] {
            assert_eq!(to_one(answer), None);
        }
    }

    #[test]
    fn keys_are_renamed_wherever_they_occur() {
        let answer = json!({
            "format": "lookback-heads/2", "interventions": "x", "heads": [{"interventions": {"interventions": 1}}],
        });
        let expected = json!({
            "format": "lookback-heads/1", "changes": "x", "heads": [{"changes": {"changes": 1}}],
        });
        assert_eq!(to_one(answer), Some(expected));
    }
}
