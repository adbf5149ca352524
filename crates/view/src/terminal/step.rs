//! One step of a walk.

use lookback_heads::explain::{Check, Step, Walk};

use super::clean::clean;
use super::flow::{Flow, paragraph};
use super::line::Line;
use super::number::difference;
use super::palette::{HEADING, PLAIN, QUIET, WRONG};
use super::{matrix, row};

/// The step with its number, formula, shapes, words, matrices, row and checks.
pub(super) fn lines(walk: &Walk, index: usize, listed: usize, width: usize) -> Vec<Line> {
    let step = &walk.steps[index];
    let mut lines = vec![Line::new()];
    lines.extend(heading(step, index + 1, width));
    for shapes in &step.shapes {
        let flow = Flow::new(width, 4, indented(4)).prose(QUIET, &shapes.letters);
        lines.extend(flow.prose(PLAIN, &format!("  {}", shapes.numbers)).lines());
    }
    for sentence in &step.says {
        lines.extend(paragraph(width, 2, PLAIN, &clean(sentence)));
    }
    for excerpt in &step.matrices {
        lines.extend(matrix::lines(walk, excerpt, width));
    }
    lines.extend(row::lines(walk, step, listed, width));
    if let Some(departs) = &step.departs {
        let opening = Line::of(QUIET, "  ≠ notes:");
        lines.extend(Flow::new(width, 4, opening).prose(PLAIN, departs).lines());
    }
    for check in &step.checks {
        lines.extend(checked(check, width));
    }
    lines
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
        "{}: {} {} agree to {}",
        check.what,
        check.compared,
        if check.compared == 1 {
            "number"
        } else {
            "numbers"
        },
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
