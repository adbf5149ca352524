//! `'%s' % x` and `'{}'.format(x)`.

use super::budget::Budget;
use super::fault::{Result, fault};
use super::given::Given;
use super::value::Value;
use super::write::{Text, float};

/// The most digits behind a point.
const PRECISION: usize = 100;

/// How one value is to be written.
#[derive(Debug, Clone, Copy)]
struct Layout {
    fill: char,
    /// `<`, `>`, `^` or `=`.
    align: Option<char>,
    /// `+`, a space, or `-` for none.
    sign: char,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
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
fn take_number(rest: &mut &str) -> Result<Option<usize>> {
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

fn take_precision(rest: &mut &str) -> Result<Option<usize>> {
    let Some(after) = rest.strip_prefix('.') else {
        return Ok(None);
    };
    *rest = after;
    Ok(Some(take_number(rest)?.unwrap_or(0)))
}

/// `format % values`: a tuple's items, or a mapping's values by their keys, or the one value.
pub(super) fn percent(budget: &Budget, format: &str, values: &Value) -> Result<Value> {
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
    if used < items.len() && !matches!(values, Value::Map(_)) {
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

/// `format.format(…)`.
pub(super) fn braces(budget: &Budget, format: &str, given: &Given) -> Result<Value> {
    let mut text = Text::new(budget);
    let mut next = 0;
    let mut rest = format;
    while let Some(start) = rest.find(['{', '}']) {
        text.push(&rest[..start])?;
        let brace = rest.as_bytes()[start] as char;
        rest = &rest[start + 1..];
        if rest.starts_with(brace) {
            text.push_char(brace)?;
            rest = &rest[1..];
            continue;
        }
        let end = rest.find('}').filter(|_| brace == '{');
        let Some(end) = end else {
            return fault("a format has a brace without the other");
        };
        field(&mut text, budget, &rest[..end], given, &mut next)?;
        rest = &rest[end + 1..];
    }
    text.push(rest)?;
    Ok(text.finish())
}

/// `name!r:layout`.
fn field(
    text: &mut Text<'_>,
    budget: &Budget,
    field: &str,
    given: &Given,
    next: &mut usize,
) -> Result<()> {
    let (name, layout) = field.split_once(':').unwrap_or((field, ""));
    let (name, conversion) = match name.split_once('!') {
        Some((name, conversion)) => (name, Some(conversion)),
        None => (name, None),
    };
    let first = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut path) = name.split_at(first);
    let found = if first.is_empty() {
        *next += 1;
        given.positional.get(*next - 1)
    } else if let Ok(place) = first.parse::<usize>() {
        given.positional.get(place)
    } else {
        let mut named = given.named.iter();
        named
            .find(|(known, _)| **known == *first)
            .map(|(_, value)| value)
    };
    let Some(mut value) = found.cloned() else {
        return fault(format!(
            "a format asks for {}, which is not given",
            crate::printable::printable(field)
        ));
    };
    while !path.is_empty() {
        let found;
        if let Some(item) = path.strip_prefix('[') {
            let Some((key, after)) = item.split_once(']') else {
                return fault("a format has [ without ]");
            };
            let key = match key.parse() {
                Ok(number) => Value::Int(number),
                Err(_) => Value::text(budget, key)?,
            };
            found = value.get(budget, &key)?;
            path = after;
        } else {
            let name = &path[1..];
            let end = name.find(['.', '[']).unwrap_or(name.len());
            found = value.attribute(budget, &name[..end])?;
            path = &name[end..];
        }
        value = match found {
            Some(found) => found,
            None => return fault("a format asks for what is undefined"),
        };
    }
    match conversion {
        None => {}
        Some("s") => value = super::write::text_of(budget, &value)?,
        Some("r") => {
            let mut shown = Text::new(budget);
            shown.repr(&value)?;
            value = shown.finish();
        }
        Some(_) => return fault("a format has a conversion that is not known"),
    }
    laid_out(text, budget, &value, layout_of(layout)?)
}

/// `[[fill]align][sign][#][0][width][,][.precision][type]`.
fn layout_of(written: &str) -> Result<Layout> {
    let mut layout = Layout::default();
    let mut rest = written;
    let mut characters = rest.char_indices();
    let (first, second) = (characters.next(), characters.next());
    let is_align = |c: char| "<>^=".contains(c);
    match (first, second) {
        (Some((_, fill)), Some((at, align))) if is_align(align) => {
            layout.fill = fill;
            layout.align = Some(align);
            rest = &rest[at + 1..];
        }
        (Some((_, align)), _) if is_align(align) => {
            layout.align = Some(align);
            rest = &rest[1..];
        }
        _ => {}
    }
    if let Some(sign) = rest.chars().next().filter(|c| "+- ".contains(*c)) {
        layout.sign = sign;
        rest = &rest[1..];
    }
    if let Some(after) = rest.strip_prefix('#') {
        layout.alternate = true;
        rest = after;
    }
    if rest.starts_with('0') && layout.fill == ' ' {
        layout.fill = '0';
        layout.align = layout.align.or(Some('='));
    }
    layout.width = take_number(&mut rest)?.unwrap_or(0);
    if let Some(grouping) = rest.chars().next().filter(|c| ",_".contains(*c)) {
        layout.grouping = Some(grouping);
        rest = &rest[1..];
    }
    layout.precision = take_precision(&mut rest)?;
    let mut kinds = rest.chars();
    layout.kind = kinds.next();
    match kinds.next() {
        None => Ok(layout),
        Some(_) => fault("a format has a layout that is not known"),
    }
}

/// Writes a value in a layout.
fn laid_out(text: &mut Text<'_>, budget: &Budget, value: &Value, layout: Layout) -> Result<()> {
    let (sign, body) = match (value, layout.kind) {
        (Value::Float(number), _) => float_digits(*number, layout)?,
        (Value::Int(number), Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) => {
            float_digits(*number as f64, layout)?
        }
        (Value::Int(number), _) => int_digits(*number, layout)?,
        (Value::Bool(flag), Some(kind)) if kind != 's' => int_digits(i64::from(*flag), layout)?,
        (_, None | Some('s')) => {
            let shown = super::write::text_of(budget, value)?;
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
        if index > 0 && (digits.len() - index) % 3 == 0 {
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
