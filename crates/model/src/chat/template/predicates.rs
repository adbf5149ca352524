//! Jinja2's tests: what stands behind `is`.

use std::cmp::Ordering;

use super::budget::Budget;
use super::compare::{contains, equal, order};
use super::fault::{Result, fault};
use super::value::Value;
use super::write::text_of;

/// Whether the test `name` holds for a value.
pub(super) fn apply(budget: &Budget, name: &str, value: &Value, given: &[Value]) -> Result<bool> {
    let other = || match given.first() {
        Some(other) => Ok(other),
        None => fault(format!("the test {name} needs an argument")),
    };
    Ok(match name {
        "defined" => !matches!(value, Value::Undefined(_)),
        "undefined" => matches!(value, Value::Undefined(_)),
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "string" => matches!(value, Value::Text(_)),
        "number" => matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)),
        "integer" => matches!(value, Value::Int(_)),
        "float" => matches!(value, Value::Float(_)),
        "mapping" => matches!(value, Value::Map(_)),
        "sequence" => matches!(
            value,
            Value::List(_) | Value::Map(_) | Value::Text(_) | Value::Range(_)
        ),
        "iterable" => matches!(
            value,
            Value::List(_) | Value::Map(_) | Value::Text(_) | Value::Range(_) | Value::Undefined(_)
        ),
        "callable" => matches!(value, Value::Macro(_) | Value::Function(_) | Value::Loop(_)),
        "escaped" => false,
        "odd" => remainder(value, 2)? == 1,
        "even" => remainder(value, 2)? == 0,
        "divisibleby" => match other()?.as_int() {
            Some(number) if number != 0 => remainder(value, number)? == 0,
            _ => return fault("divisibleby takes a whole number other than 0"),
        },
        "lower" | "upper" => {
            let text = text_of(budget, value)?;
            let text = text.as_text().unwrap_or_default();
            budget.walk(text.len())?;
            match name {
                "lower" => has_case(text, char::is_lowercase, char::is_uppercase),
                _ => has_case(text, char::is_uppercase, char::is_lowercase),
            }
        }
        "sameas" => equal(budget, value, other()?)? && value.kind() == other()?.kind(),
        "in" => contains(budget, other()?, value)?,
        "eq" | "equalto" | "==" => equal(budget, value, other()?)?,
        "ne" | "!=" => !equal(budget, value, other()?)?,
        "lt" | "lessthan" | "<" => order(budget, value, other()?)? == Ordering::Less,
        "le" | "<=" => order(budget, value, other()?)? != Ordering::Greater,
        "gt" | "greaterthan" | ">" => order(budget, value, other()?)? == Ordering::Greater,
        "ge" | ">=" => order(budget, value, other()?)? != Ordering::Less,
        _ => {
            let name = crate::printable::printable(name);
            return fault(format!("the test {name} is not known"));
        }
    })
}

/// The rest that Python's `%` leaves.
fn remainder(value: &Value, by: i64) -> Result<i64> {
    match value.as_int() {
        Some(number) => Ok(number.checked_rem_euclid(by).unwrap_or(0)),
        None => fault(format!(
            "{} is divided, which is no whole number",
            value.described()
        )),
    }
}

/// Python's rule: letters of this case, and none of the other.
pub(super) fn has_case(text: &str, is: fn(char) -> bool, is_not: fn(char) -> bool) -> bool {
    text.chars().any(is) && !text.chars().any(is_not)
}
