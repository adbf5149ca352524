//! Jinja2's filters, but for those that make HTML.

mod numbers;
mod sequences;
mod texts;

use super::budget::Budget;
use super::fault::{Result, fault};
use super::given::{Given, path};
use super::value::{Items, Value};
use super::{json, predicates, write};

/// Applies the filter `name`.
pub(super) fn apply(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let filters = [texts::filter, sequences::filter, numbers::filter];
    if let Some(filter) = filters.iter().find_map(|filter| filter(name)) {
        return filter(budget, name, value, given);
    }
    match name {
        "default" | "d" => {
            let [default, also_false] = given.bind(name, ["default_value", "boolean"])?;
            let missing = match value {
                Value::Undefined(_) => true,
                _ => also_false.is_some_and(|flag| flag.is_true()) && !value.is_true(),
            };
            match missing {
                false => Ok(value.clone()),
                true => default.map_or_else(|| Value::text(budget, ""), Ok),
            }
        }
        "string" | "safe" => {
            given.none(name)?;
            write::text_of(budget, value)
        }
        "pprint" => {
            let mut text = write::Text::new(budget);
            text.repr(value)?;
            Ok(text.finish())
        }
        "tojson" => json::tojson(budget, value, given),
        "attr" => {
            let attribute = given.one(name, "name")?;
            let found = value.attribute(budget, attribute.as_text().unwrap_or_default())?;
            Ok(found.unwrap_or_else(|| Value::undefined("")))
        }
        "length" | "count" => {
            given.none(name)?;
            let length = value.length(budget)?;
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        "map" => map(budget, value, given),
        "select" => chosen(budget, name, value, given, false, true),
        "reject" => chosen(budget, name, value, given, false, false),
        "selectattr" => chosen(budget, name, value, given, true, true),
        "rejectattr" => chosen(budget, name, value, given, true, false),
        _ => {
            let name = crate::printable::printable(name);
            fault(format!("the filter {name} is not known"))
        }
    }
}

/// The items that `map` and its like go over: none where there is nothing, whatever it is.
fn items(budget: &Budget, value: &Value) -> Result<Items> {
    match value.is_true() {
        true => value.items(budget),
        false => Value::undefined("").items(budget),
    }
}

/// A filter, or an attribute, of each item.
fn map(budget: &Budget, value: &Value, mut given: Given) -> Result<Value> {
    let mut mapped = Vec::new();
    let by_attribute = given.named.iter().any(|(name, _)| &**name == "attribute");
    if by_attribute {
        let [attribute, default] = given.bind("map", ["attribute", "default"])?;
        let attribute = attribute.unwrap_or(Value::None);
        for item in items(budget, value)?.iter() {
            let found = path(budget, &item, &attribute)?;
            mapped.push(match (&found, &default) {
                (Value::Undefined(_), Some(default)) => default.clone(),
                _ => found,
            });
        }
        return Value::list(budget, mapped);
    }
    if given.positional.is_empty() {
        return fault("map needs the name of a filter");
    }
    let name = super::given::text("map", &given.positional.remove(0))?;
    for item in items(budget, value)?.iter() {
        given.read(budget)?;
        let arguments = Given {
            positional: given.positional.clone(),
            named: given.named.clone(),
        };
        mapped.push(budget.deeper(|| apply(budget, &name, &item, arguments))?);
    }
    Value::list(budget, mapped)
}

/// The items for which a test holds, or does not.
fn chosen(
    budget: &Budget,
    name: &str,
    value: &Value,
    mut given: Given,
    by_attribute: bool,
    wanted: bool,
) -> Result<Value> {
    let attribute = match by_attribute {
        true if given.positional.is_empty() => return fault(format!("{name} needs a name")),
        true => Some(given.positional.remove(0)),
        false => None,
    };
    let test = match given.positional.is_empty() {
        true => None,
        false => Some(super::given::text(name, &given.positional.remove(0))?),
    };
    let mut kept = Vec::new();
    for item in items(budget, value)?.iter() {
        given.read(budget)?;
        let tested = match &attribute {
            None => item.clone(),
            Some(attribute) => path(budget, &item, attribute)?,
        };
        let holds = match &test {
            None => tested.is_true(),
            Some(test) => predicates::apply(budget, test, &tested, &given.positional)?,
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    Value::list(budget, kept)
}
