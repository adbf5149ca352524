//! A configuration of which every key must be accounted for.
//!
//! Reading a key takes it out. What is left at the end is refused by name, unless it is null:
//! a key that nobody looked at might change the mathematics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::Error;
use crate::printable::printable;

/// The keys of a configuration that have not been looked at yet.
pub(crate) struct Settings {
    /// For messages: the file, or the file and the object in it.
    source: String,
    /// The path of the enclosing objects, put before a key in messages.
    prefix: String,
    values: BTreeMap<String, Value>,
    accepted: Rc<Accepted>,
}

/// Unknown keys that are passed over.
#[derive(Default)]
struct Accepted {
    /// As messages have them.
    names: Vec<String>,
    /// Those that were met, with their values.
    met: RefCell<Vec<(String, String)>>,
}

/// Sizes beyond this cannot belong to a model that fits in memory; it keeps products of two
/// from overflowing.
const LARGEST_SIZE: u64 = u32::MAX as u64;

/// Far beyond any model; a specification is made before its tensors are looked for.
const MOST_LAYERS: usize = 10_000;

impl Settings {
    pub(crate) fn new(
        source: impl Into<String>,
        prefix: impl Into<String>,
        values: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        Self {
            source: source.into(),
            prefix: prefix.into(),
            values: values.into_iter().collect(),
            accepted: Rc::default(),
        }
    }

    /// Lets unknown keys of these names pass.
    pub(crate) fn accepting(self, names: &[String]) -> Self {
        let accepted = Accepted {
            names: names.to_vec(),
            met: RefCell::default(),
        };
        Self {
            accepted: Rc::new(accepted),
            ..self
        }
    }

    /// Names of the unknown keys that were passed over.
    pub(crate) fn accepted(&self) -> Vec<String> {
        let met = self.accepted.met.borrow();
        met.iter().map(|(key, _)| key.clone()).collect()
    }

    /// Notes of the unknown keys that were passed over.
    pub(crate) fn passed(&self) -> Vec<String> {
        let met = self.accepted.met.borrow();
        let passed = met.iter().map(|(key, value)| {
            format!(
                "{} = {} is unknown and passed over, as asked: if it matters, these are not the numbers of this model",
                printable(key),
                printable(value)
            )
        });
        passed.collect()
    }

    /// [`Settings::passed`], and notes of names that were given for none.
    pub(crate) fn notes(&self) -> Vec<String> {
        let met = self.accepted.met.borrow();
        let names = self.accepted.names.iter();
        let unmet = names.filter(|name| !met.iter().any(|(key, _)| key == *name));
        let unmet = unmet.map(|name| {
            let name = printable(name);
            format!(
                "--accept-key {name}: {} has no unknown key of this name",
                self.source
            )
        });
        self.passed().into_iter().chain(unmet).collect()
    }

    /// The path of the enclosing objects, as messages put it before a key.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a key is there, be it null, and has not been taken out.
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Takes a value out; null counts as absent.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.values.remove(key).filter(|value| !value.is_null())
    }

    /// A value that is left where it is.
    pub(crate) fn peek(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// A finite number, if it is there.
    pub(crate) fn number(&mut self, key: &str) -> Result<Option<f32>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_f64().map(|value| value as f32) {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.invalid(key, &value, "a number")),
        }
    }

    /// A size of at least 1, if it is there.
    pub(crate) fn size(&mut self, key: &str) -> Result<Option<usize>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(size @ 1..=LARGEST_SIZE) => Ok(Some(size as usize)),
            _ => Err(self.invalid(key, &value, "a whole number from 1 to 2³² − 1")),
        }
    }

    /// A size that must be there.
    pub(crate) fn required_size(&mut self, key: &str) -> Result<usize, Error> {
        self.size(key)?.ok_or_else(|| self.missing(key))
    }

    /// A number of layers, which must be there.
    pub(crate) fn required_layers(&mut self, key: &str) -> Result<usize, Error> {
        let layers = self.required_size(key)?;
        match layers > MOST_LAYERS {
            true => Err(self.invalid(key, &layers.into(), &format!("at most {MOST_LAYERS}"))),
            false => Ok(layers),
        }
    }

    /// A positive number, if it is there.
    pub(crate) fn positive(&mut self, key: &str) -> Result<Option<f32>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_f64().map(|value| value as f32) {
            Some(number) if number > 0.0 && number.is_finite() => Ok(Some(number)),
            _ => Err(self.invalid(key, &value, "a positive number")),
        }
    }

    /// A positive number that must be there.
    pub(crate) fn required_positive(&mut self, key: &str) -> Result<f32, Error> {
        self.positive(key)?.ok_or_else(|| self.missing(key))
    }

    /// A truth value, if it is there.
    pub(crate) fn bool(&mut self, key: &str) -> Result<Option<bool>, Error> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_bool() {
            Some(truth) => Ok(Some(truth)),
            None => Err(self.invalid(key, &value, "true or false")),
        }
    }

    /// A text, if it is there.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(self.invalid(key, &value, "a text")),
        }
    }

    /// An object of settings of its own, if it is there.
    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Settings>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(values)) => {
                let prefix = format!("{}{key}.", self.prefix);
                Ok(Some(Settings {
                    accepted: Rc::clone(&self.accepted),
                    ..Settings::new(self.source.clone(), prefix, values)
                }))
            }
            Some(value) => Err(self.invalid(key, &value, "an object")),
        }
    }

    /// Refuses `key` unless it is absent or the one value that leaves the mathematics as it is
    /// implemented.
    pub(crate) fn only(&mut self, key: &str, neutral: &Value) -> Result<(), Error> {
        match self.take(key) {
            None => Ok(()),
            Some(value) if same(&value, neutral) => Ok(()),
            Some(value) => Err(self.unsupported(key, &value, &neutral.to_string())),
        }
    }

    /// Keys that do not change what is computed.
    pub(crate) fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.values.remove(*key);
        }
    }

    /// Keys with these beginnings do not change what is computed.
    pub(crate) fn ignore_beginning(&mut self, beginnings: &[&str]) {
        self.values.retain(|key, _| {
            !beginnings
                .iter()
                .any(|beginning| key.starts_with(beginning))
        });
    }

    /// Refuses what nobody has looked at, unless it is to be passed over.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        while let Some((key, value)) = self.values.pop_first() {
            if value.is_null() {
                continue;
            }
            let key = format!("{}{key}", self.prefix);
            if !self.accepted.names.contains(&key) {
                return Err(Error::UnknownSetting {
                    source_name: self.source.clone(),
                    key,
                    value: value.to_string(),
                });
            }
            self.accepted
                .met
                .borrow_mut()
                .push((key, value.to_string()));
        }
        Ok(())
    }

    pub(crate) fn missing(&self, key: &str) -> Error {
        Error::MissingSetting {
            source_name: self.source.clone(),
            key: format!("{}{key}", self.prefix),
        }
    }

    pub(crate) fn invalid(&self, key: &str, value: &Value, expected: &str) -> Error {
        Error::InvalidSetting {
            source_name: self.source.clone(),
            key: format!("{}{key}", self.prefix),
            value: value.to_string(),
            expected: expected.to_owned(),
        }
    }

    pub(crate) fn unsupported(&self, key: &str, value: &Value, supported: &str) -> Error {
        Error::UnsupportedSetting {
            source_name: self.source.clone(),
            key: format!("{}{key}", self.prefix),
            value: value.to_string(),
            supported: supported.to_owned(),
        }
    }
}

/// Equality that takes 1 and 1.0 for the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
