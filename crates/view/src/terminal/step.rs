//! One step of an explanation.

use lookback_heads::explain::{Check, Excerpt, Explanation, Step};

use super::clean::clean;
use super::flow::{Flow, paragraph};
use super::line::Line;
use super::number::{count, difference};
use super::palette::{HEADING, PLAIN, QUIET, WRONG};
use super::{matrix, row};

/// The step with its number, formula, shapes, words, matrices, row and checks.
pub(super) fn lines(
    explanation: &Explanation,
    index: usize,
    listed: usize,
    width: usize,
) -> Vec<Line> {
    let step = &explanation.steps[index];
    let mut lines = vec![Line::new()];
    lines.extend(heading(step, index + 1, width));
    for shapes in &step.shapes {
        let flow = Flow::new(width, 4, indented(4)).prose(QUIET, &shapes.letters);
        lines.extend(
            flow.prose(QUIET, "here")
                .prose(PLAIN, &shapes.numbers)
                .lines(),
        );
    }
    for sentence in &step.says {
        lines.extend(paragraph(width, 2, PLAIN, &clean(sentence)));
    }
    for excerpt in &step.matrices {
        lines.extend(match shown_before(explanation, index, excerpt) {
            Some(earlier) => again(excerpt, earlier + 1, width),
            None => matrix::lines(explanation, excerpt, width),
        });
    }
    lines.extend(row::lines(explanation, step, listed, width));
    if let Some(departs) = &step.departs {
        let opening = Line::of(QUIET, "  Differs:");
        lines.extend(Flow::new(width, 4, opening).prose(PLAIN, departs).lines());
    }
    for check in &step.checks {
        lines.extend(checked(check, width));
    }
    lines
}

/// The earlier step that showed the same.
fn shown_before(explanation: &Explanation, index: usize, excerpt: &Excerpt) -> Option<usize> {
    explanation.steps[..index]
        .iter()
        .rposition(|step| step.matrices.contains(excerpt))
}

/// In place of a matrix that was shown above.
fn again(excerpt: &Excerpt, number: usize, width: usize) -> Vec<Line> {
    let [rows, columns] = excerpt.shape;
    Flow::new(width, 4, indented(2))
        .prose(HEADING, &excerpt.symbol)
        .prose(
            QUIET,
            &format!("{rows}×{columns}: as shown in step {number}"),
        )
        .lines()
}

fn heading(step: &Step, number: usize, width: usize) -> Vec<Line> {
    let opening = Line::of(HEADING, format!("{number}."));
    let mut lines = Flow::new(width, 4, opening)
        .prose(HEADING, &step.name)
        .lines();
    lines.extend(paragraph(width, 4, PLAIN, &step.formula));
    lines
}

fn checked(check: &Check, width: usize) -> Vec<Line> {
    let (sign, style) = if check.agrees {
        ("✓", QUIET)
    } else {
        ("✗", WRONG)
    };
    let says = format!(
        "{}: {} agree to {}",
        check.what,
        count(check.compared, "number"),
        difference(check.largest_difference)
    );
    let says = if check.agrees {
        says
    } else {
        format!(
            "{}: differs by {}, more than {}",
            check.what,
            difference(check.largest_difference),
            difference(check.allowed)
        )
    };
    Flow::new(width, 4, Line::of(style, format!("  {sign}")))
        .prose(style, &says)
        .lines()
}

/// An empty line so many columns in.
fn indented(columns: usize) -> Line {
    let mut line = Line::new();
    line.pad_to(columns);
    line
}
