//! Python's methods of texts, lists and mappings.

use std::rc::Rc;

use super::budget::Budget;
use super::compare::equal;
use super::fault::{Result, fault};
use super::format;
use super::given::{self, Given};
use super::predicates::has_case;
use super::value::Value;
use super::write::Text;

/// The methods of mappings, which take precedence over their keys.
pub(super) const OF_MAPS: [&str; 5] = ["get", "items", "keys", "values", "copy"];

/// Calls a mapping's method.
pub(super) fn map(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let Value::Map(entries) = value else {
        return unknown(name, value);
    };
    let entries = entries.entries.iter();
    match name {
        "get" => {
            let [key, default] = given.bind(name, ["key", "default"])?;
            let key = key.map_or_else(|| fault("get needs a key"), Ok)?;
            let found = value.get(budget, &key)?;
            Ok(found.or(default).unwrap_or(Value::None))
        }
        "items" => {
            given.none(name)?;
            let pair = |(key, value): &(Value, Value)| {
                Value::tuple(budget, vec![key.clone(), value.clone()])
            };
            Value::list(budget, entries.map(pair).collect::<Result<_>>()?)
        }
        "keys" => {
            given.none(name)?;
            Value::list(budget, entries.map(|(key, _)| key.clone()).collect())
        }
        "values" => {
            given.none(name)?;
            Value::list(budget, entries.map(|(_, value)| value.clone()).collect())
        }
        "copy" => {
            given.none(name)?;
            Ok(value.clone())
        }
        _ => unknown(name, value),
    }
}

/// Calls a list's method.
pub(super) fn list(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let wanted = match name {
        "count" | "index" => given.one(name, "value")?,
        "append" | "extend" | "insert" | "pop" | "remove" | "clear" | "sort" | "reverse" => {
            return fault(format!(
                "{name} would change a list, which templates must not"
            ));
        }
        _ => return unknown(name, value),
    };
    let mut count = 0;
    for (index, item) in value.items(budget)?.iter().enumerate() {
        if equal(budget, &item, &wanted)? {
            if name == "index" {
                return Ok(Value::Int(index as i64));
            }
            count += 1;
        }
    }
    match name {
        "index" => fault("index looks for what the list does not have"),
        _ => Ok(Value::Int(count)),
    }
}

pub(super) fn unknown<T>(name: &str, value: &Value) -> Result<T> {
    let name = crate::printable::printable(name);
    fault(format!("{} has no method {name}", value.described()))
}

/// Calls a text's method.
pub(super) fn text(budget: &Budget, name: &str, text: &str, given: Given) -> Result<Value> {
    // Most go over the whole text once.
    budget.walk(text.len())?;
    match name {
        "upper" | "lower" | "casefold" | "capitalize" | "title" | "swapcase" => {
            given.none(name)?;
            cased(budget, name, text)
        }
        "strip" | "lstrip" | "rstrip" => strip(budget, name, text, given),
        "split" | "rsplit" => split(budget, name, text, given),
        "splitlines" => split_lines(budget, text, given),
        "startswith" | "endswith" => affix(budget, name, text, given),
        "removeprefix" | "removesuffix" => {
            let part = given::text(name, &given.one(name, "prefix")?)?;
            let rest = match name {
                "removeprefix" => text.strip_prefix(&*part),
                _ => text.strip_suffix(&*part),
            };
            Value::text(budget, rest.unwrap_or(text))
        }
        "find" | "rfind" | "index" | "rindex" | "count" => search(budget, name, text, given),
        "replace" => replace(budget, text, given),
        "partition" | "rpartition" => partition(budget, name, text, given),
        "join" => {
            let items = given.one(name, "iterable")?;
            let mut joined = Text::new(budget);
            for (index, item) in items.items(budget)?.iter().enumerate() {
                if index > 0 {
                    joined.push(text)?;
                }
                joined.push(&given::text(name, &item)?)?;
            }
            Ok(joined.finish())
        }
        "center" | "ljust" | "rjust" | "zfill" => padded(budget, name, text, given),
        "format" => format::braces(budget, text, &given),
        _ => match is(name, text) {
            Some(holds) => {
                given.none(name)?;
                Ok(Value::Bool(holds))
            }
            None => unknown(name, &Value::Text("".into())),
        },
    }
}

/// `isupper` and its like; none where there is no such method.
fn is(name: &str, text: &str) -> Option<bool> {
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    Some(match name {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
        "isspace" => all(char::is_whitespace),
        "islower" => has_case(text, char::is_lowercase, char::is_uppercase),
        "isupper" => has_case(text, char::is_uppercase, char::is_lowercase),
        _ => return None,
    })
}

/// A text in lower case.
pub(super) fn lowered(budget: &Budget, text: &str) -> Result<Value> {
    cased(budget, "lower", text)
}

fn cased(budget: &Budget, name: &str, text: &str) -> Result<Value> {
    // A letter's other case has at most three letters.
    budget.bytes(text.len().saturating_mul(3))?;
    let mut result = String::with_capacity(text.len());
    let mut in_word = false;
    for (index, c) in text.chars().enumerate() {
        let upper = match name {
            "upper" => true,
            "capitalize" => index == 0,
            "title" => !in_word,
            "swapcase" => c.is_lowercase(),
            _ => false,
        };
        in_word = c.is_lowercase() || c.is_uppercase();
        match upper {
            true => result.extend(c.to_uppercase()),
            false => result.extend(c.to_lowercase()),
        }
    }
    Ok(Value::Text(result.into()))
}

fn strip(budget: &Budget, name: &str, text: &str, given: Given) -> Result<Value> {
    let [chars] = given.bind(name, ["chars"])?;
    let chars: Option<Vec<char>> = match &chars {
        None | Some(Value::None) => None,
        Some(chars) => Some(given::text(name, chars)?.chars().collect()),
    };
    budget.steps(
        chars
            .as_ref()
            .map_or(0, |chars| chars.len() as u64 * text.len() as u64 / 32),
    )?;
    let cut = |c: char| match &chars {
        None => c.is_whitespace(),
        Some(chars) => chars.contains(&c),
    };
    let rest = match name {
        "lstrip" => text.trim_start_matches(cut),
        "rstrip" => text.trim_end_matches(cut),
        _ => text.trim_matches(cut),
    };
    Value::text(budget, rest)
}

fn parts(budget: &Budget, parts: Vec<&str>) -> Result<Value> {
    let part = |part: &str| Value::text(budget, part);
    Value::list(budget, parts.into_iter().map(part).collect::<Result<_>>()?)
}

fn split(budget: &Budget, name: &str, text: &str, given: Given) -> Result<Value> {
    let [separator, most] = given.bind(name, ["sep", "maxsplit"])?;
    let most = given::int(name, most.as_ref(), -1)?;
    let most = usize::try_from(most)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    // Each letter may become a part.
    budget.bytes(text.len().saturating_mul(size_of::<&str>()))?;
    let separator = match &separator {
        None | Some(Value::None) => {
            let mut found = Vec::new();
            let mut rest = text.trim();
            while !rest.is_empty() {
                let cut = match (found.len() + 1 < most, name) {
                    (false, _) => None,
                    (true, "rsplit") => rest.rfind(char::is_whitespace),
                    (true, _) => rest.find(char::is_whitespace),
                };
                let Some(cut) = cut else {
                    found.push(rest);
                    break;
                };
                if name == "rsplit" {
                    let width = rest[cut..].chars().next().map_or(1, char::len_utf8);
                    found.push(&rest[cut + width..]);
                    rest = rest[..cut].trim_end();
                } else {
                    found.push(&rest[..cut]);
                    rest = rest[cut..].trim_start();
                }
            }
            if name == "rsplit" {
                found.reverse();
            }
            return parts(budget, found);
        }
        Some(separator) => given::text(name, separator)?,
    };
    if separator.is_empty() {
        return fault(format!("{name} by an empty text"));
    }
    let found = match name {
        "rsplit" => {
            let mut found: Vec<&str> = text.rsplitn(most, &*separator).collect();
            found.reverse();
            found
        }
        _ => text.splitn(most, &*separator).collect(),
    };
    parts(budget, found)
}

fn split_lines(budget: &Budget, text: &str, given: Given) -> Result<Value> {
    let [keep] = given.bind("splitlines", ["keepends"])?;
    let keep = given::flag(keep.as_ref(), false);
    budget.bytes(text.len().saturating_mul(size_of::<&str>()))?;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        lines.push(match keep {
            true => line,
            false => line
                .strip_suffix('\n')
                .map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)),
        });
    }
    parts(budget, lines)
}

fn affix(budget: &Budget, name: &str, text: &str, given: Given) -> Result<Value> {
    let affix = given.one(name, "prefix")?;
    let holds = |affix: &Value| -> Result<bool> {
        let affix = given::text(name, affix)?;
        Ok(match name {
            "startswith" => text.starts_with(&*affix),
            _ => text.ends_with(&*affix),
        })
    };
    if let Value::List(list) = &affix {
        budget.steps(list.items.len() as u64)?;
        for affix in &list.items {
            if holds(affix)? {
                return Ok(Value::Bool(true));
            }
        }
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(holds(&affix)?))
}

fn search(budget: &Budget, name: &str, text: &str, given: Given) -> Result<Value> {
    let [part, start, end] = given.bind(name, ["sub", "start", "end"])?;
    let Some(part) = part else {
        return fault(format!("{name} needs a text"));
    };
    let part = given::text(name, &part)?;
    budget.walk(text.len().saturating_add(part.len()))?;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let place = |value: Option<&Value>, default: i64| -> Result<usize> {
        let at = given::int(name, value, default)?;
        let at = if at < 0 {
            at.saturating_add(length)
        } else {
            at
        };
        let at = usize::try_from(at.clamp(0, length)).unwrap_or(0);
        Ok(text.char_indices().nth(at).map_or(text.len(), |(at, _)| at))
    };
    let (start, end) = (place(start.as_ref(), 0)?, place(end.as_ref(), length)?);
    let within = text.get(start..end).unwrap_or_default();
    if name == "count" {
        let count = match part.is_empty() {
            true => within.chars().count() + 1,
            false => within.matches(&*part).count(),
        };
        return Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    }
    let found = match name {
        "rfind" | "rindex" => within.rfind(&*part),
        _ => within.find(&*part),
    };
    match found {
        Some(at) => {
            let characters = text[..start + at].chars().count();
            Ok(Value::Int(i64::try_from(characters).unwrap_or(i64::MAX)))
        }
        None if name.ends_with("find") => Ok(Value::Int(-1)),
        None => fault(format!("{name} looks for what the text does not have")),
    }
}

fn replace(budget: &Budget, text: &str, given: Given) -> Result<Value> {
    let [old, new, times] = given.bind("replace", ["old", "new", "count"])?;
    let (Some(old), Some(new)) = (old, new) else {
        return fault("replace needs what to replace, and by what");
    };
    let (old, new): (Rc<str>, Rc<str>) =
        (given::text("replace", &old)?, given::text("replace", &new)?);
    let times = given::int("replace", times.as_ref(), -1)?;
    let times = usize::try_from(times).unwrap_or(usize::MAX);
    budget.walk(text.len().saturating_add(old.len()))?;
    let found = match old.is_empty() {
        true => text.chars().count() + 1,
        false => text.matches(&*old).count(),
    };
    let longer = new.len().saturating_sub(old.len());
    let size = found
        .min(times)
        .saturating_mul(longer)
        .saturating_add(text.len());
    budget.bytes(size)?;
    Ok(Value::Text(text.replacen(&*old, &new, times).into()))
}

fn partition(budget: &Budget, name: &str, text: &str, given: Given) -> Result<Value> {
    let separator = given::text(name, &given.one(name, "sep")?)?;
    if separator.is_empty() {
        return fault(format!("{name} by an empty text"));
    }
    let cut = match name {
        "partition" => text.split_once(&*separator),
        _ => text.rsplit_once(&*separator),
    };
    let parts = match (cut, name) {
        (Some((before, after)), _) => [before, &separator, after],
        (None, "partition") => [text, "", ""],
        (None, _) => ["", "", text],
    };
    let parts = parts.into_iter().map(|part| Value::text(budget, part));
    Value::tuple(budget, parts.collect::<Result<_>>()?)
}

fn padded(budget: &Budget, name: &str, text: &str, given: Given) -> Result<Value> {
    let [width, fill] = given.bind(name, ["width", "fillchar"])?;
    let width = given::count(name, width.as_ref(), 0)?;
    let fill = match &fill {
        None if name == "zfill" => '0',
        None => ' ',
        Some(fill) => given::text(name, fill)?.chars().next().unwrap_or(' '),
    };
    let missing = width.saturating_sub(text.chars().count());
    let (sign, body) = match text.chars().next() {
        Some('+' | '-') if name == "zfill" => text.split_at(1),
        _ => ("", text),
    };
    // Python's halves: the odd one stands behind, but for texts of an odd width.
    let before = match name {
        "center" => missing / 2 + (missing & width & 1),
        "ljust" => 0,
        _ => missing,
    };
    let mut padded = Text::new(budget);
    padded.push(sign)?;
    padded.fill(fill, before)?;
    padded.push(body)?;
    padded.fill(fill, missing - before)?;
    Ok(padded.finish())
}
