//! How one value is written: padded, with a sign, in so many digits.

use super::super::budget::Budget;
use super::super::fault::{Result, fault};
use super::super::value::Value;
use super::super::write::{Text, float, text_of};

/// The most digits behind a point.
const PRECISION: usize = 100;

/// How one value is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) fill: char,
    /// `<`, `>`, `^` or `=`.
    pub(super) align: Option<char>,
    /// `+`, a space, or `-` for none.
    pub(super) sign: char,
    pub(super) alternate: bool,
    pub(super) width: usize,
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            fill: ' ',
            align: None,
            sign: '-',
            alternate: false,
            width: 0,
            grouping: None,
            precision: None,
            kind: None,
        }
    }
}

/// Reads a number off the front.
pub(super) fn take_number(rest: &mut &str) -> Result<Option<usize>> {
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = after;
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse().map_or_else(
        |_| fault("a format asks for too large a width"),
        |number| Ok(Some(number)),
    )
}

pub(super) fn take_precision(rest: &mut &str) -> Result<Option<usize>> {
    let Some(after) = rest.strip_prefix('.') else {
        return Ok(None);
    };
    *rest = after;
    Ok(Some(take_number(rest)?.unwrap_or(0)))
}

/// Writes a value in a layout.
pub(super) fn laid_out(
    text: &mut Text<'_>,
    budget: &Budget,
    value: &Value,
    layout: Layout,
) -> Result<()> {
    let (sign, body) = match (value, layout.kind) {
        (Value::Float(number), _) => float_digits(*number, layout)?,
        (Value::Int(number), Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) => {
            float_digits(*number as f64, layout)?
        }
        (Value::Int(number), _) => int_digits(*number, layout)?,
        (Value::Bool(flag), Some(kind)) if kind != 's' => int_digits(i64::from(*flag), layout)?,
        (_, None | Some('s')) => {
            let shown = text_of(budget, value)?;
            let shown = shown.as_text().unwrap_or_default();
            let most = layout.precision.unwrap_or(usize::MAX);
            budget.walk(shown.len())?;
            let end = shown
                .char_indices()
                .nth(most)
                .map_or(shown.len(), |(at, _)| at);
            return padded(text, "", &shown[..end], '<', layout);
        }
        (_, Some(kind)) => {
            return fault(format!(
                "the format {} does not write {}",
                kind.escape_default(),
                value.described()
            ));
        }
    };
    padded(text, &sign, &body, '>', layout)
}

fn padded(
    text: &mut Text<'_>,
    sign: &str,
    body: &str,
    default: char,
    layout: Layout,
) -> Result<()> {
    let length = sign.chars().count() + body.chars().count();
    let padding = layout.width.saturating_sub(length);
    let (before, between, after) = match layout.align.unwrap_or(default) {
        '<' => (0, 0, padding),
        '^' => (padding / 2, 0, padding - padding / 2),
        '=' => (0, padding, 0),
        _ => (padding, 0, 0),
    };
    text.fill(layout.fill, before)?;
    text.push(sign)?;
    text.fill(layout.fill, between)?;
    text.push(body)?;
    text.fill(layout.fill, after)
}

fn sign_of(negative: bool, layout: Layout) -> String {
    match (negative, layout.sign) {
        (true, _) => "-".to_owned(),
        (false, '-') => String::new(),
        (false, sign) => sign.to_string(),
    }
}

fn int_digits(number: i64, layout: Layout) -> Result<(String, String)> {
    let mut sign = sign_of(number < 0, layout);
    let size = number.unsigned_abs();
    let (prefix, digits) = match layout.kind {
        None | Some('d' | 'n') => ("", grouped(&size.to_string(), layout.grouping)),
        Some('x') => ("0x", format!("{size:x}")),
        Some('X') => ("0X", format!("{size:X}")),
        Some('o') => ("0o", format!("{size:o}")),
        Some('b') => ("0b", format!("{size:b}")),
        Some('c') => {
            let c = u32::try_from(size).ok().and_then(char::from_u32);
            return Ok((String::new(), c.unwrap_or('\u{fffd}').to_string()));
        }
        Some(kind) => {
            return fault(format!(
                "the format {} does not write whole numbers",
                kind.escape_default()
            ));
        }
    };
    if layout.alternate {
        sign += prefix;
    }
    Ok((sign, digits))
}

/// Digits in groups of three.
fn grouped(digits: &str, separator: Option<char>) -> String {
    let Some(separator) = separator else {
        return digits.to_owned();
    };
    let mut result = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            result.push(separator);
        }
        result.push(digit);
    }
    result
}

fn float_digits(number: f64, layout: Layout) -> Result<(String, String)> {
    let sign = sign_of(number.is_sign_negative() && !number.is_nan(), layout);
    let size = number.abs();
    let precision = layout.precision.unwrap_or(6);
    if precision > PRECISION {
        return fault(format!(
            "a format asks for {precision} digits; more than {PRECISION} are not written"
        ));
    }
    if !size.is_finite() {
        return Ok((sign, float(size)));
    }
    let body = match layout.kind {
        None if layout.precision.is_none() => float(size),
        Some('f' | 'F') => format!("{size:.precision$}"),
        Some('%') => format!("{:.precision$}%", size * 100.0),
        Some('e' | 'E') => scientific(size, precision),
        None | Some('g' | 'G' | 'n') => general(size, precision.max(1), layout.kind.is_none()),
        Some(kind) => {
            return fault(format!(
                "the format {} does not write numbers with a point",
                kind.escape_default()
            ));
        }
    };
    let body = match layout.kind {
        Some('E' | 'G') => body.to_uppercase(),
        _ => body,
    };
    let whole = body
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(body.len());
    Ok((
        sign,
        grouped(&body[..whole], layout.grouping) + &body[whole..],
    ))
}

/// `1.5e+20`: at least two digits of exponent.
fn scientific(size: f64, precision: usize) -> String {
    let written = format!("{size:.precision$e}");
    let (digits, exponent) = written.split_once('e').expect("this notation has an e");
    let exponent: i32 = exponent.parse().expect("a short number");
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// So many digits that count, without zeros at the end. Without a kind, Python keeps one digit behind the point.
fn general(size: f64, digits: usize, keeps_point: bool) -> String {
    let written = format!("{:.*e}", digits - 1, size);
    let exponent = written.split_once('e').map(|(_, exponent)| exponent);
    let exponent: i32 = exponent.and_then(|text| text.parse().ok()).unwrap_or(0);
    let count = i32::try_from(digits).unwrap_or(i32::MAX);
    let limit = count - i32::from(keeps_point);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..limit.max(1)).contains(&exponent) && exponent < count {
        let behind = usize::try_from(count - 1 - exponent).unwrap_or(0);
        let plain = trimmed(&format!("{size:.behind$}"));
        return match keeps_point && !plain.contains('.') {
            true => plain + ".0",
            false => plain,
        };
    }
    let written = scientific(size, digits - 1);
    let (mantissa, exponent) = written.split_once('e').expect("this notation has an e");
    format!("{}e{exponent}", trimmed(mantissa))
}
