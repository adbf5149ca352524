//! The filter `tojson` as `transformers` sets it up: Python's `json.dumps`, with no character escaped for HTML.

use std::rc::Rc;

use super::budget::Budget;
use super::compare::sorted;
use super::fault::{Result, fault};
use super::given::{self, Given};
use super::value::Value;
use super::write::{Text, float};

/// The widest indent.
const INDENT: usize = 64;

/// How JSON is written.
struct Style {
    ascii: bool,
    /// The text before each level's items, once a level.
    indent: Option<String>,
    between: Rc<str>,
    after_key: Rc<str>,
    sorts: bool,
}

pub(super) fn tojson(budget: &Budget, value: &Value, given: Given) -> Result<Value> {
    let parameters = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ascii, indent, separators, sort_keys] = given.bind("tojson", parameters)?;
    let indent = match indent {
        None | Some(Value::None) => None,
        Some(Value::Text(indent)) => Some(indent.chars().take(INDENT).collect()),
        Some(number) => {
            let width = given::count("tojson's indent", Some(&number), 0)?;
            Some(" ".repeat(width.min(INDENT)))
        }
    };
    let mut style = Style {
        ascii: given::flag(ascii.as_ref(), false),
        between: if indent.is_some() {
            ",".into()
        } else {
            ", ".into()
        },
        after_key: ": ".into(),
        indent,
        sorts: given::flag(sort_keys.as_ref(), false),
    };
    match separators {
        None | Some(Value::None) => {}
        Some(Value::List(pair)) => match pair.items.as_slice() {
            [Value::Text(between), Value::Text(after_key)] => {
                style.between = between.clone();
                style.after_key = after_key.clone();
            }
            _ => return fault("tojson's separators are not two texts"),
        },
        Some(_) => return fault("tojson's separators are not two texts"),
    }
    let mut text = Text::new(budget);
    write(&mut text, budget, value, &style, 0)?;
    Ok(text.finish())
}

fn write(
    text: &mut Text<'_>,
    budget: &Budget,
    value: &Value,
    style: &Style,
    level: usize,
) -> Result<()> {
    budget.steps(1)?;
    match value {
        Value::None => text.push("null"),
        Value::Bool(true) => text.push("true"),
        Value::Bool(false) => text.push("false"),
        Value::Int(number) => text.push(&number.to_string()),
        Value::Float(number) => text.push(&json_float(*number)),
        Value::Text(string) => quoted(text, string, style),
        Value::List(list) => {
            if list.items.is_empty() {
                return text.push("[]");
            }
            text.push("[")?;
            for (index, item) in list.items.iter().enumerate() {
                separate(text, style, level + 1, index)?;
                write(text, budget, item, style, level + 1)?;
            }
            line(text, style, level)?;
            text.push("]")
        }
        Value::Map(map) => {
            if map.entries.is_empty() {
                return text.push("{}");
            }
            text.push("{")?;
            let mut places: Vec<usize> = (0..map.entries.len()).collect();
            if style.sorts {
                let keys: Vec<Value> = map.entries.iter().map(|(key, _)| key.clone()).collect();
                places = sorted(budget, &keys, false)?;
            }
            for (index, &place) in places.iter().enumerate() {
                let (key, value) = &map.entries[place];
                separate(text, style, level + 1, index)?;
                match key {
                    Value::Text(key) => quoted(text, key, style)?,
                    _ => {
                        let mut shown = Text::new(budget);
                        write(&mut shown, budget, key, style, level)?;
                        quoted(text, &shown.into_string(), style)?;
                    }
                }
                text.push(&style.after_key)?;
                write(text, budget, value, style, level + 1)?;
            }
            line(text, style, level)?;
            text.push("}")
        }
        _ => fault(format!("{} cannot be written as JSON", value.described())),
    }
}

fn json_float(number: f64) -> String {
    match number {
        _ if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => float(number),
    }
}

/// The text before an item.
fn separate(text: &mut Text<'_>, style: &Style, level: usize, index: usize) -> Result<()> {
    if index > 0 {
        text.push(&style.between)?;
    }
    line(text, style, level)
}

fn line(text: &mut Text<'_>, style: &Style, level: usize) -> Result<()> {
    let Some(indent) = &style.indent else {
        return Ok(());
    };
    text.push("\n")?;
    for _ in 0..level {
        text.push(indent)?;
    }
    Ok(())
}

fn quoted(text: &mut Text<'_>, string: &str, style: &Style) -> Result<()> {
    text.push("\"")?;
    for c in string.chars() {
        match c {
            '"' => text.push("\\\"")?,
            '\\' => text.push("\\\\")?,
            '\n' => text.push("\\n")?,
            '\r' => text.push("\\r")?,
            '\t' => text.push("\\t")?,
            '\u{8}' => text.push("\\b")?,
            '\u{c}' => text.push("\\f")?,
            c if (c as u32) < 0x20 => text.push(&format!("\\u{:04x}", c as u32))?,
            c if style.ascii && !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.push(&format!("\\u{unit:04x}"))?;
                }
            }
            c => text.push_char(c)?,
        }
    }
    text.push("\"")
}
