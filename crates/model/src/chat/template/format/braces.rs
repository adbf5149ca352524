//! `'{}'.format(x)`.

use super::super::budget::Budget;
use super::super::fault::{Result, fault};
use super::super::given::Given;
use super::super::value::Value;
use super::super::write::{Text, text_of};
use super::layout::{Layout, laid_out, take_number, take_precision};

/// `format.format(…)`.
pub(in super::super) fn braces(budget: &Budget, format: &str, given: &Given) -> Result<Value> {
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
        Some("s") => value = text_of(budget, &value)?,
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
