//! `'%s' % x`.

use super::super::budget::Budget;
use super::super::fault::{Result, fault};
use super::super::value::Value;
use super::super::write::Text;
use super::layout::{Layout, laid_out, take_number, take_precision};

/// `format % values`: a tuple's items, or a mapping's values by their keys, or the one value.
pub(in super::super) fn percent(budget: &Budget, format: &str, values: &Value) -> Result<Value> {
    let mut text = Text::new(budget);
    let (single, mut used) = (std::slice::from_ref(values), 0);
    let items = match values {
        Value::List(list) if list.is_tuple => list.items.as_slice(),
        _ => single,
    };
    let mut rest = format;
    while let Some(start) = rest.find('%') {
        text.push(&rest[..start])?;
        rest = &rest[start + 1..];
        let mut named = None;
        if let Some(after) = rest.strip_prefix('(') {
            let Some((key, after)) = after.split_once(')') else {
                return fault("a format has ( without )");
            };
            named = Some(values.get(budget, &Value::text(budget, key)?)?);
            rest = after;
        }
        let mut layout = Layout::default();
        let (mut left, mut zeros) = (false, false);
        while let Some(flag) = rest.chars().next().filter(|c| "-+ 0#".contains(*c)) {
            match flag {
                '-' => left = true,
                '0' => zeros = true,
                '#' => layout.alternate = true,
                sign if layout.sign != '+' => layout.sign = sign,
                _ => {}
            }
            rest = &rest[1..];
        }
        layout.width = take_number(&mut rest)?.unwrap_or(0);
        layout.precision = take_precision(&mut rest)?;
        rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
        let Some(kind) = rest.chars().next() else {
            return fault("a format ends behind %");
        };
        rest = &rest[kind.len_utf8()..];
        if kind == '%' {
            text.push("%")?;
            continue;
        }
        let value = match named {
            Some(value) => value,
            None => {
                used += 1;
                items.get(used - 1).cloned()
            }
        };
        let Some(value) = value else {
            return fault("a format has more places than there are values");
        };
        layout.align = Some(if left { '<' } else { '>' });
        if zeros && !left && !matches!(kind, 's' | 'r' | 'a' | 'c') {
            layout.align = Some('=');
            layout.fill = '0';
        }
        percent_value(&mut text, budget, &value, layout, kind)?;
    }
    text.push(rest)?;
    let may_be_left = matches!(values, Value::Map(_) | Value::Undefined(_))
        || matches!(values, Value::List(list) if !list.is_tuple);
    if used < items.len() && !may_be_left {
        return fault("a format has fewer places than there are values");
    }
    Ok(text.finish())
}

fn percent_value(
    text: &mut Text<'_>,
    budget: &Budget,
    value: &Value,
    mut layout: Layout,
    kind: char,
) -> Result<()> {
    let mut shown = Text::new(budget);
    match kind {
        's' => shown.value(value)?,
        'r' | 'a' => shown.repr(value)?,
        'c' => match value.as_int().and_then(|code| u32::try_from(code).ok()) {
            Some(code) => shown.push_char(char::from_u32(code).unwrap_or('\u{fffd}'))?,
            None => shown.value(value)?,
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let whole = match value {
                Value::Float(number) => Some(number.trunc() as i64),
                _ => value.as_int(),
            };
            let Some(whole) = whole else {
                return fault(format!(
                    "%{kind} writes numbers and has {}",
                    value.described()
                ));
            };
            layout.kind = Some(if "iu".contains(kind) { 'd' } else { kind });
            layout.precision = None;
            return laid_out(text, budget, &Value::Int(whole), layout);
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let Some(number) = value.as_float() else {
                return fault(format!(
                    "%{kind} writes numbers and has {}",
                    value.described()
                ));
            };
            layout.kind = Some(kind);
            return laid_out(text, budget, &Value::Float(number), layout);
        }
        _ => {
            return fault(format!(
                "the format %{} is not known",
                kind.escape_default()
            ));
        }
    }
    layout.kind = None;
    laid_out(text, budget, &shown.finish(), layout)
}
