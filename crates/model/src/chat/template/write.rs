//! Values as text: Python's `str` and `repr`.

use super::budget::Budget;
use super::fault::{Result, fault};
use super::value::{Function, Value};

/// A text in the making, every byte of which is paid for.
#[derive(Debug)]
pub(super) struct Text<'b> {
    budget: &'b Budget,
    text: String,
    /// The most bytes, where it is the output.
    most: usize,
}

impl<'b> Text<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        Self::with_limit(budget, usize::MAX)
    }

    /// A text of at most `most` bytes.
    pub(super) fn with_limit(budget: &'b Budget, most: usize) -> Self {
        Self {
            budget,
            text: String::new(),
            most,
        }
    }

    pub(super) fn push(&mut self, text: &str) -> Result<()> {
        if text.len() > self.most - self.text.len() {
            return fault(format!(
                "it writes more than {} bytes, far more than the model's context holds",
                self.most
            ));
        }
        self.budget.bytes(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub(super) fn push_char(&mut self, c: char) -> Result<()> {
        self.push(c.encode_utf8(&mut [0; 4]))
    }

    /// `c` so many times.
    pub(super) fn fill(&mut self, c: char, times: usize) -> Result<()> {
        self.budget.bytes(times.saturating_mul(c.len_utf8()))?;
        self.text.extend(std::iter::repeat_n(c, times));
        Ok(())
    }

    pub(super) fn finish(self) -> Value {
        Value::Text(self.text.into())
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    /// Writes a value as `str` does.
    pub(super) fn value(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Undefined(_) => Ok(()),
            Value::Text(text) => self.push(text),
            _ => self.repr(value),
        }
    }

    /// Writes a value as `repr` does.
    pub(super) fn repr(&mut self, value: &Value) -> Result<()> {
        self.budget.steps(1)?;
        match value {
            Value::Undefined(_) => self.push("Undefined"),
            Value::None => self.push("None"),
            Value::Bool(true) => self.push("True"),
            Value::Bool(false) => self.push("False"),
            Value::Int(number) => self.push(&number.to_string()),
            Value::Float(number) => self.push(&float(*number)),
            Value::Text(text) => self.quoted(text),
            Value::List(list) => {
                let (open, close) = match list.is_tuple {
                    true => ("(", ")"),
                    false => ("[", "]"),
                };
                self.push(open)?;
                for (index, item) in list.items.iter().enumerate() {
                    if index > 0 {
                        self.push(", ")?;
                    }
                    self.repr(item)?;
                }
                if list.is_tuple && list.items.len() == 1 {
                    self.push(",")?;
                }
                self.push(close)
            }
            Value::Map(map) => {
                self.push("{")?;
                for (index, (key, value)) in map.entries.iter().enumerate() {
                    if index > 0 {
                        self.push(", ")?;
                    }
                    self.repr(key)?;
                    self.push(": ")?;
                    self.repr(value)?;
                }
                self.push("}")
            }
            Value::Range(range) => {
                let length = i64::try_from(range.length).unwrap_or(i64::MAX);
                let stop = range
                    .start
                    .saturating_add(range.step.saturating_mul(length));
                match range.step {
                    1 => self.push(&format!("range({}, {stop})", range.start)),
                    step => self.push(&format!("range({}, {stop}, {step})", range.start)),
                }
            }
            Value::Namespace(_) => self.push("<Namespace>"),
            Value::Macro(_) => self.push("<Macro>"),
            Value::Loop(_) => self.push("<LoopContext>"),
            Value::Function(function) => self.push(match function {
                Function::Range => "<class 'range'>",
                Function::Dict => "<class 'dict'>",
                Function::Namespace => "<class 'jinja2.utils.Namespace'>",
                Function::RaiseException | Function::StrftimeNow => "<function>",
            }),
        }
    }

    fn quoted(&mut self, text: &str) -> Result<()> {
        let quote = match text.contains('\'') && !text.contains('"') {
            true => '"',
            false => '\'',
        };
        self.push_char(quote)?;
        for c in text.chars() {
            match c {
                '\n' => self.push("\\n")?,
                '\r' => self.push("\\r")?,
                '\t' => self.push("\\t")?,
                '\\' => self.push("\\\\")?,
                c if c == quote => {
                    self.push("\\")?;
                    self.push_char(c)?;
                }
                c if c.is_control() && (c as u32) < 0x100 => {
                    self.push(&format!("\\x{:02x}", c as u32))?;
                }
                c => self.push_char(c)?,
            }
        }
        self.push_char(quote)
    }
}

/// A value's text.
pub(super) fn text_of(budget: &Budget, value: &Value) -> Result<Value> {
    if let Value::Text(_) = value {
        return Ok(value.clone());
    }
    let mut text = Text::new(budget);
    text.value(value)?;
    Ok(text.finish())
}

/// A number as Python's `repr` writes it: the shortest digits, in scientific notation where it is very large or small.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("this notation has an e");
    let exponent: i32 = exponent.parse().expect("a short number");
    if (-4..16).contains(&exponent) || number == 0.0 {
        let plain = format!("{number}");
        return if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
