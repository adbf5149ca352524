//! Arithmetic, and what Python's operators do to texts and lists.

use super::ast::Operator;
use super::budget::Budget;
use super::fault::{Result, fault};
use super::value::Value;
use super::write::Text;

pub(super) fn apply(budget: &Budget, operator: Operator, a: &Value, b: &Value) -> Result<Value> {
    match (operator, a, b) {
        (Operator::Add, Value::Text(x), Value::Text(y)) => {
            let mut text = Text::new(budget);
            text.push(x)?;
            text.push(y)?;
            Ok(text.finish())
        }
        (Operator::Add, Value::List(x), Value::List(y)) if x.is_tuple == y.is_tuple => {
            let length = x.items.len().saturating_add(y.items.len());
            budget.bytes(length.saturating_mul(size_of::<Value>()))?;
            let items = x.items.iter().chain(&y.items).cloned().collect();
            Value::sequence(budget, items, x.is_tuple)
        }
        (Operator::Multiply, Value::Text(_) | Value::List(_), _) if b.as_int().is_some() => {
            repeated(budget, a, b.as_int().unwrap_or_default())
        }
        (Operator::Multiply, _, Value::Text(_) | Value::List(_)) if a.as_int().is_some() => {
            repeated(budget, b, a.as_int().unwrap_or_default())
        }
        _ => number(operator, a, b),
    }
}

fn repeated(budget: &Budget, value: &Value, times: i64) -> Result<Value> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    match value {
        Value::Text(text) => {
            budget.bytes(text.len().saturating_mul(times))?;
            Ok(Value::Text(text.repeat(times).into()))
        }
        Value::List(list) => {
            let length = list.items.len().saturating_mul(times);
            budget.bytes(length.saturating_mul(size_of::<Value>()))?;
            // An empty list a great many times would still be gone over so many times.
            let times = if length == 0 { 0 } else { times };
            let items = std::iter::repeat_n(&list.items, times);
            Value::sequence(budget, items.flatten().cloned().collect(), list.is_tuple)
        }
        _ => unreachable!("only these are repeated"),
    }
}

fn number(operator: Operator, a: &Value, b: &Value) -> Result<Value> {
    let sign = match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Floor => "//",
        Operator::Remainder => "%",
        Operator::Power => "**",
    };
    if let (Some(x), Some(y)) = (a.as_int(), b.as_int()) {
        let divides = matches!(
            operator,
            Operator::Divide | Operator::Floor | Operator::Remainder
        );
        if y == 0 && divides {
            return fault("it divides by zero");
        }
        return match whole(operator, x, y) {
            Some(value) => Ok(value),
            None => fault(format!("{x} {sign} {y} is too large a number")),
        };
    }
    let (Some(x), Some(y)) = (a.as_float(), b.as_float()) else {
        return fault(format!(
            "{} {sign} {} has no meaning",
            a.described(),
            b.described()
        ));
    };
    let divides = matches!(
        operator,
        Operator::Divide | Operator::Floor | Operator::Remainder
    );
    if y == 0.0 && divides {
        return fault("it divides by zero");
    }
    let remainder = x - y * (x / y).floor();
    Ok(Value::Float(match operator {
        Operator::Add => x + y,
        Operator::Subtract => x - y,
        Operator::Multiply => x * y,
        Operator::Divide => x / y,
        Operator::Floor => (x / y).floor(),
        Operator::Remainder => remainder,
        Operator::Power => x.powf(y),
    }))
}

fn whole(operator: Operator, x: i64, y: i64) -> Option<Value> {
    let number = match operator {
        Operator::Add => x.checked_add(y),
        Operator::Subtract => x.checked_sub(y),
        Operator::Multiply => x.checked_mul(y),
        Operator::Divide => return Some(Value::Float(x as f64 / y as f64)),
        Operator::Floor => {
            let quotient = x.checked_div(y)?;
            let exact = quotient * y == x;
            Some(quotient - i64::from(!exact && (x < 0) != (y < 0)))
        }
        Operator::Remainder => {
            let remainder = x.checked_rem(y)?;
            let moves = remainder != 0 && (remainder < 0) != (y < 0);
            Some(if moves { remainder + y } else { remainder })
        }
        Operator::Power if y < 0 => return Some(Value::Float((x as f64).powf(y as f64))),
        Operator::Power => x.checked_pow(u32::try_from(y).ok()?),
    };
    number.map(Value::Int)
}

/// What a sign before a number makes of it.
pub(super) fn signed(minus: bool, value: &Value) -> Result<Value> {
    let number = match value {
        Value::Float(number) => Some(Value::Float(if minus { -number } else { *number })),
        _ => value
            .as_int()
            .and_then(|number| {
                if minus {
                    number.checked_neg()
                } else {
                    Some(number)
                }
            })
            .map(Value::Int),
    };
    number.map_or_else(|| fault(format!("{} has no sign", value.described())), Ok)
}

/// `value[start:stop:step]`.
pub(super) fn slice(budget: &Budget, value: &Value, parts: [Option<Value>; 3]) -> Result<Value> {
    let number = |part: &Option<Value>| super::given::int("a slice", part.as_ref(), i64::MAX);
    let given = |part: &Option<Value>| !matches!(part, None | Some(Value::None));
    let [start, stop, step] = &parts;
    let step_by = if given(step) { number(step)? } else { 1 };
    if step_by == 0 {
        return fault("a slice goes in steps of 0");
    }
    let characters: Vec<char>;
    let length = match value {
        Value::Text(text) => {
            budget.bytes(text.len().saturating_mul(4))?;
            characters = text.chars().collect();
            characters.len()
        }
        _ => {
            characters = Vec::new();
            value.length(budget)?
        }
    };
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let (lowest, highest) = if step_by > 0 { (0, end) } else { (-1, end - 1) };
    let bound = |part: &Option<Value>, default: i64| -> Result<i64> {
        if !given(part) {
            return Ok(default);
        }
        let at = number(part)?;
        let at = if at < 0 { at.saturating_add(end) } else { at };
        Ok(at.clamp(lowest, highest))
    };
    let forward = step_by > 0;
    let from = bound(start, if forward { 0 } else { end - 1 })?;
    let to = bound(stop, if forward { end } else { -1 })?;
    let mut places = Vec::new();
    let mut at = from;
    budget.bytes(length.saturating_mul(size_of::<usize>()))?;
    while if forward { at < to } else { at > to } {
        places.extend(usize::try_from(at).ok());
        let Some(next) = at.checked_add(step_by) else {
            break;
        };
        at = next;
    }
    if let Value::Text(_) = value {
        let text: String = places.iter().map(|&at| characters[at]).collect();
        return Value::text(budget, &text);
    }
    let items = value.items(budget)?;
    let cut = places.iter().filter_map(|&at| items.get(at)).collect();
    let is_tuple = matches!(value, Value::List(list) if list.is_tuple);
    Value::sequence(budget, cut, is_tuple)
}
