//! The followed token's row in one step, one line a token.

use lookback_heads::explain::{Column, Explanation, Step};

use super::bar::bar;
use super::clean::{cut, name, width as width_of};
use super::flow::paragraph;
use super::line::Line;
use super::number::{Format, count, percent};
use super::palette::{BAR, CANDIDATE, CANDIDATE_BAR, FOCUS, PLAIN, QUIET};
use super::table::{Align, table};

/// Columns of a token's name, at most.
const NAME: usize = 14;

/// And at least, where several columns of numbers are shown.
const SHORTEST: usize = 4;

/// Columns before a row, and between its cells.
const INDENT: usize = 2;
const GAP: usize = 2;

/// Columns of a full bar: 100%.
const BAR_COLUMNS: usize = 20;

/// What the row is of, and its columns.
pub(super) fn lines(
    explanation: &Explanation,
    step: &Step,
    listed: usize,
    width: usize,
) -> Vec<Line> {
    let Some(last) = step.row.last() else {
        return Vec::new();
    };
    let tokens = chosen(explanation, last, listed.max(1));
    let left = last.values.len() - tokens.len();
    let which = match left {
        0 => String::new(),
        left => format!(", {} left out", count(left, "token")),
    };
    let of = name(&explanation.tokens[explanation.word.token]);
    let mut lines = paragraph(
        width,
        2,
        QUIET,
        &format!("The row of “{of}”, one line a token{which}:"),
    );
    let numbers: Vec<Vec<String>> = step.row.iter().map(|c| numbers(c, &tokens)).collect();
    let room = Room::new(&numbers, &tokens, width);
    let mut rows = vec![vec![
        Line::of(QUIET, "j"),
        Line::of(QUIET, cut("token", room.name)),
    ]];
    rows.extend(
        tokens
            .iter()
            .map(|&token| token_cells(explanation, token, room.name)),
    );
    for column in &numbers[room.first..] {
        for (index, (row, number)) in rows.iter_mut().zip(column).enumerate() {
            let style = if index == 0 { QUIET } else { PLAIN };
            row.push(Line::of(style, number.clone()));
        }
    }
    for (row, &token) in rows[1..].iter_mut().zip(&tokens) {
        row.extend(token_bar(explanation, step, token));
    }
    let mut aligns = vec![Align::Right, Align::Left];
    aligns.extend(numbers[room.first..].iter().map(|_| Align::Right));
    lines.extend(table(rows, &aligns, INDENT, GAP));
    lines
}

/// A column's name and its values at these tokens.
fn numbers(column: &Column, tokens: &[usize]) -> Vec<String> {
    let format = Format::of(column.values.iter().copied());
    let show = |&token: &usize| match column.values.get(token).copied().flatten() {
        Some(weight) if column.id == "weight" => percent(weight),
        value => format.show(value),
    };
    std::iter::once(column.name.clone())
        .chain(tokens.iter().map(show))
        .collect()
}

/// What fits in a line, so that no number is cut.
struct Room {
    /// Columns for a token's name.
    name: usize,
    /// The first of the row's columns that is shown: the last ones are what the step is about.
    first: usize,
}

impl Room {
    fn new(numbers: &[Vec<String>], tokens: &[usize], width: usize) -> Self {
        let index = tokens.last().map_or(1, |token| token.to_string().len());
        let before = INDENT + index + GAP;
        let widths: Vec<usize> = numbers
            .iter()
            .map(|column| GAP + column.iter().map(|text| width_of(text)).max().unwrap_or(0))
            .collect();
        let of = |first: usize| before + widths[first..].iter().sum::<usize>();
        let last = numbers.len().saturating_sub(1);
        let first = (0..last)
            .find(|&first| of(first) + SHORTEST <= width)
            .unwrap_or(last);
        Self {
            name: width.saturating_sub(of(first)).clamp(1, NAME),
            first,
        }
    }
}

fn is_candidate(explanation: &Explanation, token: usize) -> bool {
    explanation
        .outcome
        .candidates
        .iter()
        .any(|c| c.tokens.contains(&token))
}

/// A token's number and name.
fn token_cells(explanation: &Explanation, token: usize, columns: usize) -> Vec<Line> {
    let style = match token {
        _ if token == explanation.word.token => FOCUS,
        _ if is_candidate(explanation, token) => CANDIDATE,
        _ => PLAIN,
    };
    vec![
        Line::of(QUIET, token.to_string()),
        Line::of(style, cut(&name(&explanation.tokens[token]), columns)),
    ]
}

fn token_bar(explanation: &Explanation, step: &Step, token: usize) -> Option<Line> {
    let part = part(step, token)?;
    let style = if is_candidate(explanation, token) {
        CANDIDATE_BAR
    } else {
        BAR
    };
    Some(Line::of(style, bar(part, BAR_COLUMNS)))
}

/// The part of the whole that the last column's value is: a weight itself, or of contributions the part of their sum.
fn part(step: &Step, token: usize) -> Option<f64> {
    let column = step
        .row
        .last()
        .filter(|c| matches!(c.id, "weight" | "contribution"))?;
    let whole = match column.id {
        "weight" => 1.0,
        _ => column.values.iter().flatten().sum::<f64>(),
    };
    let value = column.values.get(token).copied().flatten()?;
    Some(value / whole.max(f64::MIN_POSITIVE))
}

/// Which tokens are listed, in order: the followed one, the next (which the mask hides), the candidates', and those
/// with the greatest values in the last column.
fn chosen(explanation: &Explanation, last: &Column, listed: usize) -> Vec<usize> {
    let followed = explanation.word.token;
    let count = last.values.len();
    let candidates = explanation
        .outcome
        .candidates
        .iter()
        .flat_map(|c| c.tokens.iter().copied());
    let mut order: Vec<usize> = (0..count).collect();
    let value = |token: usize| last.values[token].unwrap_or(f64::NEG_INFINITY);
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    // What the mask hides says nothing more.
    let masked = explanation.step("mask").and_then(|step| step.row.last());
    let seen = |token: usize| masked.is_none_or(|masked| masked.values[token].is_some());
    order.retain(|&token| seen(token));
    let mut chosen = vec![followed];
    for token in [followed + 1]
        .into_iter()
        .chain(order.first().copied())
        .chain(candidates)
        .chain(order.clone())
    {
        if chosen.len() < listed && token < count && !chosen.contains(&token) {
            chosen.push(token);
        }
    }
    chosen.sort_unstable();
    chosen
}
