//! The followed token's row in one step, one line a token.

use lookback_heads::explain::{Column, Step, Walk};

use super::bar::bar;
use super::clean::{cut, name};
use super::flow::paragraph;
use super::line::Line;
use super::number::{Format, percent};
use super::palette::{BAR, CANDIDATE, CANDIDATE_BAR, FOCUS, PLAIN, QUIET};
use super::table::{Align, table};

/// Columns of a token's name, at most.
const NAME: usize = 14;

/// Columns of the longest bar.
const BAR_COLUMNS: usize = 20;

/// What the row is of, and its columns.
pub(super) fn lines(walk: &Walk, step: &Step, listed: usize, width: usize) -> Vec<Line> {
    let Some(last) = step.row.last() else {
        return Vec::new();
    };
    let tokens = chosen(walk, last, listed.max(1));
    let left = last.values.len() - tokens.len();
    let which = match left {
        0 => String::new(),
        left => format!(", {left} tokens left out"),
    };
    let of = name(&walk.tokens[walk.word.token]);
    let mut lines = paragraph(
        width,
        2,
        QUIET,
        &format!("The row of “{of}”, one line a token{which}:"),
    );
    let formats: Vec<Format> = step
        .row
        .iter()
        .map(|c| Format::of(c.values.iter().copied()))
        .collect();
    let mut rows = vec![header(step)];
    rows.extend(
        tokens
            .iter()
            .map(|&token| token_row(walk, step, &formats, token)),
    );
    let mut aligns = vec![Align::Right, Align::Left];
    aligns.extend(step.row.iter().map(|_| Align::Right));
    aligns.push(Align::Left);
    lines.extend(table(rows, &aligns, 2, 2));
    lines
}

fn header(step: &Step) -> Vec<Line> {
    let mut cells = vec![Line::of(QUIET, "j"), Line::of(QUIET, "token")];
    cells.extend(
        step.row
            .iter()
            .map(|column| Line::of(QUIET, column.name.clone())),
    );
    cells
}

fn token_row(walk: &Walk, step: &Step, formats: &[Format], token: usize) -> Vec<Line> {
    let is_candidate = walk
        .outcome
        .candidates
        .iter()
        .any(|c| c.tokens.contains(&token));
    let style = match token {
        _ if token == walk.word.token => FOCUS,
        _ if is_candidate => CANDIDATE,
        _ => PLAIN,
    };
    let mut cells = vec![
        Line::of(QUIET, token.to_string()),
        Line::of(style, cut(&name(&walk.tokens[token]), NAME)),
    ];
    for (column, format) in step.row.iter().zip(formats) {
        let value = column.values.get(token).copied().flatten();
        let text = match value {
            Some(weight) if column.id == "weight" => percent(weight),
            value => format.show(value),
        };
        cells.push(Line::of(PLAIN, text));
    }
    if let Some(part) = part(step, token) {
        let style = if is_candidate { CANDIDATE_BAR } else { BAR };
        cells.push(Line::of(style, bar(part, BAR_COLUMNS)));
    }
    cells
}

/// The last column's value as a part of its greatest, where its values are weights or lengths.
fn part(step: &Step, token: usize) -> Option<f64> {
    let column = step
        .row
        .last()
        .filter(|c| matches!(c.id, "weight" | "contribution"))?;
    let values = || column.values.iter().flatten().copied();
    let greatest = values().fold(f64::MIN_POSITIVE, f64::max);
    column
        .values
        .get(token)
        .copied()
        .flatten()
        .map(|value| value / greatest)
}

/// Which tokens are listed, in order: the followed one, the next (which the mask hides), the candidates', and those
/// with the greatest values in the last column.
fn chosen(walk: &Walk, last: &Column, listed: usize) -> Vec<usize> {
    let followed = walk.word.token;
    let count = last.values.len();
    let candidates = walk
        .outcome
        .candidates
        .iter()
        .flat_map(|c| c.tokens.iter().copied());
    let mut order: Vec<usize> = (0..count).collect();
    let value = |token: usize| last.values[token].unwrap_or(f64::NEG_INFINITY);
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    // What is hidden or comes after says nothing more.
    order.retain(|&token| token <= followed);
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
