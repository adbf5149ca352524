//! Filters of texts.

use super::super::budget::Budget;
use super::super::fault::{Result, fault};
use super::super::format;
use super::super::given::{Filter, Given, count, flag, text};
use super::super::methods;
use super::super::value::Value;
use super::super::write::{Text, text_of};

pub(super) fn filter(name: &str) -> Option<Filter> {
    Some(match name {
        "upper" | "lower" | "capitalize" => as_method,
        "title" => title,
        "trim" => trim,
        "replace" => replace,
        "indent" => indent,
        "center" => center,
        "truncate" => truncate,
        "wordcount" => word_count,
        "format" => formatted,
        "escape" | "e" | "forceescape" => escape,
        _ => return None,
    })
}

/// What Python has a method for.
fn as_method(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let text = text_of(budget, value)?;
    methods::text(budget, name, text.as_text().unwrap_or_default(), given)
}

/// Unlike the method, words end at white space, hyphens and opening brackets alone.
fn title(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    let value = text_of(budget, value)?;
    let body = value.as_text().unwrap_or_default();
    budget.bytes(body.len().saturating_mul(3))?;
    let mut result = String::with_capacity(body.len());
    let mut begins = true;
    for c in body.chars() {
        match begins {
            true => result.extend(c.to_uppercase()),
            false => result.extend(c.to_lowercase()),
        }
        begins = c.is_whitespace() || "-({[<".contains(c);
    }
    Ok(Value::Text(result.into()))
}

fn trim(budget: &Budget, _: &str, value: &Value, given: Given) -> Result<Value> {
    as_method(budget, "strip", value, given)
}

fn center(budget: &Budget, name: &str, value: &Value, mut given: Given) -> Result<Value> {
    if given.positional.is_empty() && given.named.is_empty() {
        given.positional.push(Value::Int(80));
    }
    as_method(budget, name, value, given)
}

fn replace(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [old, new, times] = given.bind(name, ["old", "new", "count"])?;
    let (Some(old), Some(new)) = (old, new) else {
        return fault("replace needs what to replace, and by what");
    };
    let mut positional = vec![text_of(budget, &old)?, text_of(budget, &new)?];
    positional.extend(times.filter(|times| !matches!(times, Value::None)));
    let named = Vec::new();
    as_method(budget, name, value, Given { positional, named })
}

fn indent(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [width, first, blank] = given.bind(name, ["width", "first", "blank"])?;
    let value = text_of(budget, value)?;
    let body = value.as_text().unwrap_or_default();
    let indentation = match &width {
        Some(Value::Text(text)) => Value::Text(text.clone()),
        width => {
            let mut text = Text::new(budget);
            text.fill(' ', count(name, width.as_ref(), 4)?)?;
            text.finish()
        }
    };
    let indentation = indentation.as_text().unwrap_or_default();
    let mut text = Text::new(budget);
    for (index, line) in body.split('\n').enumerate() {
        if index > 0 {
            text.push("\n")?;
        }
        let wanted = if index == 0 {
            flag(first.as_ref(), false)
        } else {
            !line.is_empty() || flag(blank.as_ref(), false)
        };
        if wanted {
            text.push(indentation)?;
        }
        text.push(line)?;
    }
    Ok(text.finish())
}

fn truncate(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let [length, kill_words, end, leeway] =
        given.bind(name, ["length", "killwords", "end", "leeway"])?;
    let length = count(name, length.as_ref(), 255)?;
    let leeway = count(name, leeway.as_ref(), 5)?;
    let end = match &end {
        None => "...".into(),
        Some(end) => text(name, end)?,
    };
    let value = text_of(budget, value)?;
    let body = value.as_text().unwrap_or_default();
    budget.walk(body.len())?;
    let characters = body.chars().count();
    if characters <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let room = length.saturating_sub(end.chars().count());
    let cut = body
        .char_indices()
        .nth(room)
        .map_or(body.len(), |(at, _)| at);
    let mut kept = &body[..cut];
    if !flag(kill_words.as_ref(), false) {
        kept = kept.rfind(' ').map_or(kept, |at| &kept[..at]);
    }
    let mut text = Text::new(budget);
    text.push(kept)?;
    text.push(&end)?;
    Ok(text.finish())
}

fn word_count(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    let value = text_of(budget, value)?;
    let body = value.as_text().unwrap_or_default();
    budget.walk(body.len())?;
    let words = body.split(|c: char| !c.is_alphanumeric() && c != '_');
    let count = words.filter(|word| !word.is_empty()).count();
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn formatted(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    let format = text(name, value)?;
    let values = if given.named.is_empty() {
        Value::tuple(budget, given.positional)?
    } else if given.positional.is_empty() {
        let named = given.named.into_iter();
        Value::map(
            budget,
            named
                .map(|(name, value)| (Value::Text(name), value))
                .collect(),
        )?
    } else {
        return fault("format takes values by place or by name, not both");
    };
    format::percent(budget, &format, &values)
}

fn escape(budget: &Budget, name: &str, value: &Value, given: Given) -> Result<Value> {
    given.none(name)?;
    let value = text_of(budget, value)?;
    let mut text = Text::new(budget);
    for c in value.as_text().unwrap_or_default().chars() {
        match c {
            '&' => text.push("&amp;")?,
            '<' => text.push("&lt;")?,
            '>' => text.push("&gt;")?,
            '\'' => text.push("&#39;")?,
            '"' => text.push("&#34;")?,
            c => text.push_char(c)?,
        }
    }
    Ok(text.finish())
}
