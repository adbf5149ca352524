//! Filters of numbers.

use super::super::ast::Operator;
use super::super::budget::Budget;
use super::super::fault::{Result, fault};
use super::super::given::{Filter, Given, int, path};
use super::super::operators;
use super::super::value::Value;

pub(super) fn filter(name: &str) -> Option<Filter> {
    Some(match name {
        "abs" => abs,
        "int" => to_int,
        "float" => to_float,
        "round" => round,
        "sum" => sum,
        _ => return None,
    })
}

fn abs(_: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    match value {
        Value::Float(number) => Ok(Value::Float(number.abs())),
        _ => match value.as_int().and_then(i64::checked_abs) {
            Some(number) => Ok(Value::Int(number)),
            None => fault(format!(
                "{name} takes a number and has {}",
                value.described()
            )),
        },
    }
}

fn to_int(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [default, base] = given.bind(name, ["default", "base"])?;
    let base = int(name, base.as_ref(), 10)?;
    let number = match value {
        Value::Text(text) => {
            budget.walk(text.len())?;
            let text = text.trim().replace('_', "");
            let whole = match (base, text.get(..2)) {
                (16, Some("0x" | "0X")) | (2, Some("0b" | "0B")) | (8, Some("0o" | "0O")) => {
                    &text[2..]
                }
                _ => &text,
            };
            let base = u32::try_from(base).unwrap_or(10).clamp(2, 36);
            let whole = i64::from_str_radix(whole, base).ok();
            whole.or_else(|| text.parse().ok().and_then(truncated))
        }
        Value::Float(number) => truncated(*number),
        _ => value.as_int(),
    };
    let default = default.unwrap_or(Value::Int(0));
    Ok(number.map_or(default, Value::Int))
}

fn truncated(number: f64) -> Option<i64> {
    let whole = number.trunc();
    (whole.abs() < i64::MAX as f64).then_some(whole as i64)
}

fn to_float(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [default] = given.bind(name, ["default"])?;
    let number = match value {
        Value::Text(text) => {
            budget.walk(text.len())?;
            text.trim().replace('_', "").parse().ok()
        }
        _ => value.as_float(),
    };
    let default = default.unwrap_or(Value::Float(0.0));
    Ok(number.map_or(default, Value::Float))
}

fn round(_: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [precision, method] = given.bind(name, ["precision", "method"])?;
    let precision = int(name, precision.as_ref(), 0)?.clamp(-300, 300);
    let Some(number) = value.as_float() else {
        return fault(format!(
            "{name} takes a number and has {}",
            value.described()
        ));
    };
    let scale = 10_f64.powi(precision as i32);
    let scaled = number * scale;
    let rounded = match method.as_ref().map(|method| method.as_text()) {
        None | Some(Some("common")) => scaled.round_ties_even(),
        Some(Some("ceil")) => scaled.ceil(),
        Some(Some("floor")) => scaled.floor(),
        Some(_) => return fault("round's method is common, ceil or floor"),
    };
    let whole = matches!(value, Value::Int(_)) && precision >= 0 && method.is_none();
    Ok(match whole {
        true => value.clone(),
        false if scaled.is_finite() => Value::Float(rounded / scale),
        false => Value::Float(number),
    })
}

fn sum(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [attribute, start] = given.bind(name, ["attribute", "start"])?;
    let attribute = attribute.filter(|attribute| !matches!(attribute, Value::None));
    let mut total = start.unwrap_or(Value::Int(0));
    for item in value.items(budget)?.iter() {
        budget.steps(1)?;
        let item = match &attribute {
            None => item,
            Some(attribute) => path(budget, &item, attribute)?,
        };
        total = operators::apply(budget, Operator::Add, &total, &item)?;
    }
    Ok(total)
}
