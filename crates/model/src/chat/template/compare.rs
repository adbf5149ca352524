//! Comparing values, paid by the weight of the lighter one.

use std::cmp::Ordering;
use std::rc::Rc;

use super::budget::Budget;
use super::fault::{Result, fault};
use super::value::Value;

/// Python's `==`.
pub(super) fn equal(budget: &Budget, a: &Value, b: &Value) -> Result<bool> {
    match (a, b) {
        (Value::List(x), Value::List(y)) if Rc::ptr_eq(x, y) => return Ok(true),
        (Value::Map(x), Value::Map(y)) if Rc::ptr_eq(x, y) => return Ok(true),
        (Value::Text(x), Value::Text(y)) if x.len() != y.len() => return Ok(false),
        _ => budget.steps(a.weight().min(b.weight()))?,
    }
    equal_paid(budget, a, b)
}

fn equal_paid(budget: &Budget, a: &Value, b: &Value) -> Result<bool> {
    Ok(match (a, b) {
        (Value::None, Value::None) | (Value::Undefined(_), Value::Undefined(_)) => true,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            if a.is_tuple != b.is_tuple || a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (x, y) in a.items.iter().zip(&b.items) {
                if !equal(budget, x, y)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(other)) => {
            if a.entries.len() != other.entries.len() {
                return Ok(false);
            }
            for (key, value) in &a.entries {
                match b.get(budget, key)? {
                    Some(found) if equal(budget, value, &found)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Range(a), Value::Range(b)) => {
            a.length == b.length && (a.length == 0 || (a.start, a.step) == (b.start, b.step))
        }
        (Value::Namespace(a), Value::Namespace(b)) => a == b,
        (Value::Macro(a), Value::Macro(b)) => a == b,
        (Value::Loop(a), Value::Loop(b)) => a == b,
        (Value::Function(a), Value::Function(b)) => a == b,
        _ => match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) => a == b,
            _ => matches!((a.as_float(), b.as_float()), (Some(a), Some(b)) if a == b),
        },
    })
}

/// Python's order, for what has one.
pub(super) fn order(budget: &Budget, a: &Value, b: &Value) -> Result<Ordering> {
    budget.steps(a.weight().min(b.weight()))?;
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::List(x), Value::List(y)) if x.is_tuple == y.is_tuple => {
            for (x, y) in x.items.iter().zip(&y.items) {
                if !equal(budget, x, y)? {
                    return order(budget, x, y);
                }
            }
            Ok(x.items.len().cmp(&y.items.len()))
        }
        _ => match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) => Ok(a.cmp(&b)),
            _ => match (a.as_float(), b.as_float()) {
                (Some(a), Some(b)) => Ok(a.partial_cmp(&b).unwrap_or(Ordering::Equal)),
                _ => fault(format!(
                    "{} and {} have no order",
                    a.described(),
                    b.described()
                )),
            },
        },
    }
}

/// Python's `in`.
pub(super) fn contains(budget: &Budget, container: &Value, value: &Value) -> Result<bool> {
    match (container, value) {
        (Value::Text(text), Value::Text(part)) => {
            budget.walk(text.len().saturating_add(part.len()))?;
            Ok(text.contains(&**part))
        }
        (Value::Text(_), Value::Undefined(_)) => fault(format!(
            "{} cannot be looked for in a text",
            value.described()
        )),
        (Value::Text(_), _) => fault(format!("{} cannot be in a text", value.kind())),
        (Value::Map(_), _) => Ok(container.get(budget, value)?.is_some()),
        (Value::Range(range), _) => {
            let number = value.as_int();
            let ahead = number.and_then(|number| number.checked_sub(range.start));
            Ok(ahead.is_some_and(|ahead| {
                ahead % range.step == 0
                    && usize::try_from(ahead / range.step).is_ok_and(|at| at < range.length)
            }))
        }
        _ => {
            for item in container.items(budget)?.iter() {
                if equal(budget, &item, value)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Sorts by `keys`, in Python's order, stably; gives the places in the new order. The library's sort may panic where
/// an order is inconsistent, as that of NaN is, and cannot be stopped: this one merges, and fails with its first fault.
pub(super) fn sorted(budget: &Budget, keys: &[Value], reverse: bool) -> Result<Vec<usize>> {
    budget.bytes(keys.len().saturating_mul(2 * size_of::<usize>()))?;
    let mut places: Vec<usize> = (0..keys.len()).collect();
    let mut merged = Vec::with_capacity(places.len());
    let mut run = 1;
    while run < places.len() {
        merged.clear();
        for pair in places.chunks(2 * run) {
            let (mut left, mut right) = pair.split_at(run.min(pair.len()));
            while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
                let order = order(budget, &keys[a], &keys[b])?;
                let order = if reverse { order.reverse() } else { order };
                if order == Ordering::Greater {
                    merged.push(b);
                    right = &right[1..];
                } else {
                    merged.push(a);
                    left = &left[1..];
                }
            }
            merged.extend(left);
            merged.extend(right);
        }
        std::mem::swap(&mut places, &mut merged);
        run *= 2;
    }
    Ok(places)
}
