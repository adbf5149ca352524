//! Filters of lists and mappings.

use super::super::budget::Budget;
use super::super::compare::{equal, sorted};
use super::super::fault::{Result, fault};
use super::super::given::{Filter, Given, count, flag, path};
use super::super::methods::lowered;
use super::super::value::Value;
use super::super::write::Text;

pub(super) fn filter(name: &str) -> Option<Filter> {
    Some(match name {
        "list" => list,
        "join" => join,
        "first" => first,
        "last" => last,
        "reverse" => reverse,
        "items" => items,
        "dictsort" => dict_sort,
        "sort" => sort,
        "unique" => unique,
        "min" | "max" => extreme,
        "batch" => batch,
        "slice" => slice,
        "groupby" => group_by,
        _ => return None,
    })
}

fn collected(budget: &Budget, value: &Value) -> Result<Vec<Value>> {
    let items = value.items(budget)?;
    budget.bytes(items.len().saturating_mul(size_of::<Value>()))?;
    Ok(items.iter().collect())
}

fn list(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    Value::list(budget, collected(budget, value)?)
}

fn join(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [separator, attribute] = given.bind(name, ["d", "attribute"])?;
    let mut text = Text::new(budget);
    for (index, item) in value.items(budget)?.iter().enumerate() {
        budget.steps(1)?;
        if let (Some(separator), true) = (&separator, index > 0) {
            text.value(separator)?;
        }
        match &attribute {
            None => text.value(&item)?,
            Some(attribute) => text.value(&path(budget, &item, attribute)?)?,
        }
    }
    Ok(text.finish())
}

fn first(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    let found = value.items(budget)?.get(0);
    Ok(found.unwrap_or_else(|| Value::undefined("the first of nothing")))
}

fn last(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    let items = value.items(budget)?;
    let found = items.len().checked_sub(1).and_then(|at| items.get(at));
    Ok(found.unwrap_or_else(|| Value::undefined("the last of nothing")))
}

fn reverse(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    if let Value::Text(text) = value {
        budget.walk(text.len())?;
        return Value::text(budget, &text.chars().rev().collect::<String>());
    }
    let mut items = collected(budget, value)?;
    items.reverse();
    Value::list(budget, items)
}

fn items(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    match value {
        Value::Undefined(_) => Value::list(budget, Vec::new()),
        _ => pairs(budget, name, value),
    }
}

fn pairs(budget: &Budget, name: &str, value: &Value) -> Result<Value> {
    let Value::Map(map) = value else {
        return fault(format!(
            "{name} takes a mapping and has {}",
            value.described()
        ));
    };
    let pair =
        |(key, value): &(Value, Value)| Value::tuple(budget, vec![key.clone(), value.clone()]);
    Value::list(budget, map.entries.iter().map(pair).collect::<Result<_>>()?)
}

/// What items are ordered by: an attribute, or several; texts without regard to case where that is not asked for.
fn keys(
    budget: &Budget,
    items: &[Value],
    attribute: Option<&Value>,
    case_sensitive: bool,
) -> Result<Vec<Value>> {
    let key = |item: &Value| -> Result<Value> {
        let folded = |value: Value| match (&value, case_sensitive) {
            (Value::Text(text), false) => lowered(budget, text),
            _ => Ok(value),
        };
        match attribute {
            None | Some(Value::None) => folded(item.clone()),
            Some(Value::Text(names)) if names.contains(',') => {
                let mut parts = Vec::new();
                for name in names.split(',') {
                    parts.push(folded(path(
                        budget,
                        item,
                        &Value::text(budget, name.trim())?,
                    )?)?);
                }
                Value::list(budget, parts)
            }
            Some(attribute) => folded(path(budget, item, attribute)?),
        }
    };
    budget.bytes(size_of_val(items))?;
    items.iter().map(key).collect()
}

fn in_order(budget: &Budget, items: &[Value], keys: &[Value], reverse: bool) -> Result<Vec<Value>> {
    let places = sorted(budget, keys, reverse)?;
    Ok(places.into_iter().map(|at| items[at].clone()).collect())
}

fn sort(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [reverse, case, attribute] =
        given.bind(name, ["reverse", "case_sensitive", "attribute"])?;
    let items = collected(budget, value)?;
    let keys = keys(
        budget,
        &items,
        attribute.as_ref(),
        flag(case.as_ref(), false),
    )?;
    let reverse = flag(reverse.as_ref(), false);
    Value::list(budget, in_order(budget, &items, &keys, reverse)?)
}

fn dict_sort(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [case, by, reverse] = given.bind(name, ["case_sensitive", "by", "reverse"])?;
    let place = match by.as_ref().map(Value::as_text) {
        None | Some(Some("key")) => 0,
        Some(Some("value")) => 1,
        Some(_) => return fault("dictsort sorts by key or by value"),
    };
    let pairs = collected(budget, &pairs(budget, name, value)?)?;
    let place = Value::Int(place);
    let keys = keys(budget, &pairs, Some(&place), flag(case.as_ref(), false))?;
    let reverse = flag(reverse.as_ref(), false);
    Value::list(budget, in_order(budget, &pairs, &keys, reverse)?)
}

fn unique(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [case, attribute] = given.bind(name, ["case_sensitive", "attribute"])?;
    let items = collected(budget, value)?;
    let keys = keys(
        budget,
        &items,
        attribute.as_ref(),
        flag(case.as_ref(), false),
    )?;
    let (mut kept, mut seen): (Vec<Value>, Vec<&Value>) = (Vec::new(), Vec::new());
    'items: for (item, key) in items.into_iter().zip(&keys) {
        for other in &seen {
            budget.steps(1)?;
            if equal(budget, key, other)? {
                continue 'items;
            }
        }
        seen.push(key);
        kept.push(item);
    }
    Value::list(budget, kept)
}

fn extreme(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [case, attribute] = given.bind(name, ["case_sensitive", "attribute"])?;
    let items = collected(budget, value)?;
    let keys = keys(
        budget,
        &items,
        attribute.as_ref(),
        flag(case.as_ref(), false),
    )?;
    let places = sorted(budget, &keys, name == "max")?;
    let found = places.first().map(|&at| items[at].clone());
    Ok(found.unwrap_or_else(|| Value::undefined("an extreme of nothing")))
}

fn batch(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [size, fill] = given.bind(name, ["linecount", "fill_with"])?;
    let size = count(name, size.as_ref(), 0)?.max(1);
    let items = collected(budget, value)?;
    let mut batches = Vec::new();
    for part in items.chunks(size) {
        let mut part = part.to_vec();
        if let Some(fill) = fill.as_ref().filter(|fill| !matches!(fill, Value::None)) {
            let missing = size - part.len();
            budget.bytes(missing.saturating_mul(size_of::<Value>()))?;
            part.extend(std::iter::repeat_n(fill, missing).cloned());
        }
        batches.push(Value::list(budget, part)?);
    }
    Value::list(budget, batches)
}

fn slice(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [slices, fill] = given.bind(name, ["slices", "fill_with"])?;
    let slices = count(name, slices.as_ref(), 1)?.max(1);
    budget.bytes(slices.saturating_mul(size_of::<Value>()))?;
    let items = collected(budget, value)?;
    let (each, longer) = (items.len() / slices, items.len() % slices);
    let mut cut = Vec::new();
    let mut start = 0;
    for index in 0..slices {
        let end = start + each + usize::from(index < longer);
        let mut part = items[start..end].to_vec();
        let fill = fill.as_ref().filter(|fill| !matches!(fill, Value::None));
        if let Some(fill) = fill.filter(|_| index >= longer) {
            part.push(fill.clone());
        }
        cut.push(Value::list(budget, part)?);
        start = end;
    }
    Value::list(budget, cut)
}

/// Pairs of a value of the attribute and the items that have it, in the values' order.
fn group_by(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [attribute, default, case] =
        given.bind(name, ["attribute", "default", "case_sensitive"])?;
    let Some(attribute) = attribute else {
        return fault("groupby needs an attribute");
    };
    let items = collected(budget, value)?;
    let mut keys = keys(budget, &items, Some(&attribute), flag(case.as_ref(), false))?;
    for key in &mut keys {
        if let (Value::Undefined(_), Some(default)) = (&*key, &default) {
            *key = default.clone();
        }
    }
    let mut groups: Vec<(usize, Vec<Value>)> = Vec::new();
    for at in sorted(budget, &keys, false)? {
        match groups.last_mut() {
            Some((first, group)) if equal(budget, &keys[*first], &keys[at])? => {
                group.push(items[at].clone());
            }
            _ => groups.push((at, vec![items[at].clone()])),
        }
    }
    let mut pairs = Vec::new();
    for (first, group) in groups {
        let mut key = path(budget, &items[first], &attribute)?;
        if let (Value::Undefined(_), Some(default)) = (&key, &default) {
            key = default.clone();
        }
        let group = Value::list(budget, group)?;
        pairs.push(Value::tuple(budget, vec![key, group])?);
    }
    Value::list(budget, pairs)
}
