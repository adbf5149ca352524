//! Part of a matrix, as aligned numbers.

use lookback_heads::explain::{Excerpt, Explanation};

use super::clean::{cut, name, width as width_of};
use super::flow::Flow;
use super::line::Line;
use super::number::{Format, percent};
use super::palette::{FOCUS, HEADING, PLAIN, QUIET};

/// Columns of a row's name, at most.
const NAME: usize = 12;

/// The matrices that hold weights, by symbol: they are shown as percent.
const WEIGHTS: [&str; 2] = ["W", "softmax(X·Xᵀ)"];

/// Columns between two numbers.
const GAP: usize = 2;

/// Marks the followed token's row, for those who see no colour.
const MARK: &str = "▸";

/// Symbol, shape and meaning, and as many columns of numbers as fit.
pub(super) fn lines(explanation: &Explanation, excerpt: &Excerpt, width: usize) -> Vec<Line> {
    let [rows, columns] = excerpt.shape;
    let mut opening = Line::new();
    opening.pad_to(2);
    let flow = Flow::new(width, 4, opening).prose(HEADING, &excerpt.symbol);
    let mut lines = flow
        .prose(QUIET, &format!("{rows}×{columns}: {}", excerpt.meaning))
        .lines();
    lines.extend(numbers(explanation, excerpt, width));
    lines
}

fn numbers(explanation: &Explanation, excerpt: &Excerpt, width: usize) -> Vec<Line> {
    let format = Format::of(excerpt.values.iter().flatten().copied());
    let show = |value: Option<f64>| match value {
        Some(weight) if WEIGHTS.contains(&excerpt.symbol.as_str()) => percent(weight),
        value => format.show(value),
    };
    let cells: Vec<Vec<String>> = excerpt
        .values
        .iter()
        .map(|row| row.iter().map(|&v| show(v)).collect())
        .collect();
    let names: Vec<String> = excerpt
        .row_labels
        .iter()
        .map(|n| cut(&name(n), if width < 40 { NAME / 3 } else { NAME }))
        .collect();
    let start = 4 + names.iter().map(|n| width_of(n)).max().unwrap_or(0);
    let cell = cells
        .iter()
        .flatten()
        .map(|c| width_of(c))
        .max()
        .unwrap_or(1)
        .max(6);
    // Room for the … at the end.
    let fits = (width.saturating_sub(start + 2 + skipped(excerpt)) / (GAP + cell)).max(1);
    let shown = fits.min(excerpt.columns.len());
    let by_token = excerpt.shape[0] == explanation.tokens.len() && excerpt.symbol != "W_o";
    let more = shown < excerpt.columns.len()
        || excerpt
            .columns
            .last()
            .is_some_and(|&last| last + 1 < excerpt.shape[1]);
    let mut lines = vec![column_names(excerpt, start, cell, shown)];
    let mut previous = None;
    for ((name, &at), row) in names.into_iter().zip(&excerpt.rows).zip(cells) {
        if skips(previous, at) {
            lines.push(dots(start));
        }
        previous = Some(at);
        let followed = by_token && at == explanation.word.token;
        let style = if followed { FOCUS } else { QUIET };
        let mut line = Line::of(
            style,
            if followed {
                format!("  {MARK} ")
            } else {
                "    ".to_owned()
            },
        );
        line.push(style, name);
        line.pad_to(start);
        for (index, (value, &column)) in row
            .into_iter()
            .zip(&excerpt.columns)
            .take(shown)
            .enumerate()
        {
            gap(&mut line, excerpt, index, column);
            right(&mut line, PLAIN, &value, cell);
        }
        if more {
            line.push(QUIET, " …");
        }
        lines.push(line);
    }
    if excerpt
        .rows
        .last()
        .is_some_and(|&last| last + 1 < excerpt.shape[0])
    {
        lines.push(dots(start));
    }
    lines
}

fn column_names(excerpt: &Excerpt, start: usize, cell: usize, shown: usize) -> Line {
    let mut line = Line::new();
    line.pad_to(start);
    for (index, (label, &column)) in excerpt
        .column_labels
        .iter()
        .zip(&excerpt.columns)
        .take(shown)
        .enumerate()
    {
        gap(&mut line, excerpt, index, column);
        right(&mut line, QUIET, &cut(&name(label), cell), cell);
    }
    line
}

/// The space before a column; `…` in it where columns are left out between this and the one before.
fn gap(line: &mut Line, excerpt: &Excerpt, index: usize, column: usize) {
    let left_out = index > 0 && excerpt.columns[index - 1] + 1 < column;
    line.push(QUIET, if left_out { "  …  " } else { "  " });
}

fn right(line: &mut Line, style: anstyle::Style, text: &str, columns: usize) {
    let end = line.width() + columns;
    line.pad_to(end.saturating_sub(width_of(text)));
    line.push(style, text);
}

/// The columns that the … between columns take on top.
fn skipped(excerpt: &Excerpt) -> usize {
    let pairs = excerpt.columns.windows(2);
    3 * pairs.filter(|pair| pair[0] + 1 < pair[1]).count()
}

fn skips(previous: Option<usize>, at: usize) -> bool {
    previous.map_or(at > 0, |previous| at > previous + 1)
}

fn dots(start: usize) -> Line {
    let mut line = Line::new();
    line.pad_to(4.min(start));
    line.push(QUIET, "…");
    line
}
