//! The heads that look most at each candidate, as a table.

use lookback_heads::look::{CandidateHead, CandidateHeads};
use lookback_heads::{Focus, head};

use super::bar::bar;
use super::clean::{clean, cut};
use super::flow::{Flow, paragraph};
use super::line::Line;
use super::number::{percent, plural};
use super::palette::{BAR, CANDIDATE, CANDIDATE_BAR, HEADING, PLAIN, QUIET};
use super::table::{Align, table};

/// How many candidates have rows of their own.
const MOST: usize = 4;

/// Columns of a full bar in the table: 100%.
const BAR_COLUMNS: usize = 8;

/// Heading, table and what is left out; or that there is no candidate.
pub(super) fn lines(focus: &Focus, width: usize) -> Vec<Line> {
    if focus.candidates.is_empty() && focus.all_heads.ranked.len() < 2 {
        // The word sees nothing but itself.
        return Vec::new();
    }
    let mut lines = vec![Line::new()];
    if focus.candidates.is_empty() {
        let none = format!(
            "Nothing before “{}” is a candidate for what it refers to: a capitalised word, or one named with --candidates.",
            clean(&focus.label)
        );
        lines.extend(paragraph(width, 0, QUIET, &none));
        return lines;
    }
    let grid = Grid::new(focus, width);
    let heading = Flow::new(width, 2, Line::of(HEADING, "Heads"))
        .prose(HEADING, "that look most at")
        .prose(
            HEADING,
            if focus.candidates.len() == 1 {
                "it"
            } else {
                "each candidate"
            },
        )
        .prose(QUIET, "· weight, the sink included");
    lines.extend(heading.lines());
    lines.extend(grid.lines(focus));
    let left = focus.candidates.len() - grid.candidates.len();
    if left > 0 {
        let are = plural(left, "candidate is", "candidates are");
        let more = format!(
            "{left} more {are} not drawn: choose with --candidates, or see all with --json."
        );
        lines.extend(paragraph(width, 2, QUIET, &more));
    }
    lines
}

/// What fits.
struct Grid<'a> {
    candidates: &'a [CandidateHeads],
    /// Columns of a candidate's name.
    name: usize,
    indent: usize,
    bars: bool,
    /// Whether the sink has a column: not where nothing is excluded, nor where there is no room.
    sink: bool,
}

/// Columns of a weight, `100.0%`, with the one before it and the gap after it.
const WEIGHT: usize = 8;

/// Columns of a head's name, `L29H10`, or `all 270`.
const HEAD: usize = 7;

impl<'a> Grid<'a> {
    fn new(focus: &'a Focus, width: usize) -> Self {
        let (name, indent) = match width {
            ..28 => (4, 0),
            28..60 => (6, 2),
            _ => (10, 2),
        };
        let room = width.saturating_sub(indent + name + 1 + HEAD);
        let sink = focus.all_heads.sink_share > 0.0 && room >= 2 * WEIGHT;
        let room = room - if sink { WEIGHT } else { 0 };
        let each = WEIGHT.max(name + 2);
        let fits = (room / each).clamp(1, MOST);
        let candidates = &focus.candidates[..focus.candidates.len().min(fits)];
        Self {
            candidates,
            name,
            indent,
            bars: candidates.len() * (each + BAR_COLUMNS + 1) <= room,
            sink,
        }
    }

    fn lines(&self, focus: &Focus) -> Vec<Line> {
        let mut rows = vec![self.header(), self.all_heads(focus)];
        for (index, candidate) in self.candidates.iter().enumerate() {
            for (place, head) in candidate.heads.iter().enumerate() {
                let name = if place == 0 {
                    self.short(candidate)
                } else {
                    String::new()
                };
                rows.push(self.row(Line::of(CANDIDATE, name), head, index));
            }
        }
        let mut aligns = vec![Align::Left, Align::Left];
        for _ in self.candidates {
            aligns.push(Align::Right);
            if self.bars {
                aligns.push(Align::Left);
            }
        }
        aligns.push(Align::Right);
        // A bar is close to its number; the gap is the narrower one, and cells bring the rest.
        table(rows, &aligns, self.indent, 1)
    }

    fn short(&self, candidate: &CandidateHeads) -> String {
        cut(&clean(&candidate.candidate.text), self.name)
    }

    fn header(&self) -> Vec<Line> {
        let mut cells = vec![Line::of(QUIET, "at"), Line::of(QUIET, "head")];
        for candidate in self.candidates {
            cells.push(padded(Line::of(CANDIDATE, self.short(candidate))));
            if self.bars {
                cells.push(Line::new());
            }
        }
        self.sink(cells, Line::of(QUIET, "sink"))
    }

    /// The mean over all heads.
    fn all_heads(&self, focus: &Focus) -> Vec<Line> {
        let mean = format!("all {}", focus.all_heads.heads);
        let mut cells = vec![Line::of(QUIET, "mean"), Line::of(QUIET, mean)];
        for candidate in self.candidates {
            self.weight(&mut cells, candidate.weight, false);
        }
        self.sink(
            cells,
            Line::of(PLAIN, percent(focus.all_heads.sink_share.into())),
        )
    }

    fn row(&self, name: Line, head: &CandidateHead, of: usize) -> Vec<Line> {
        let mut cells = vec![name, Line::of(PLAIN, head::name(head.head))];
        for (index, &weight) in head.weights.iter().enumerate().take(self.candidates.len()) {
            self.weight(&mut cells, weight, index == of);
        }
        self.sink(cells, Line::of(PLAIN, percent(head.sink_share.into())))
    }

    fn sink(&self, mut cells: Vec<Line>, cell: Line) -> Vec<Line> {
        if self.sink {
            cells.push(padded(cell));
        }
        cells
    }

    /// A weight, with its bar where there is room.
    fn weight(&self, cells: &mut Vec<Line>, weight: f32, most: bool) {
        let style = if most { HEADING } else { PLAIN };
        cells.push(padded(Line::of(style, percent(weight.into()))));
        if self.bars {
            let style = if most { CANDIDATE_BAR } else { BAR };
            let mut bar = Line::of(style, bar(weight.into(), BAR_COLUMNS));
            bar.pad_to(BAR_COLUMNS);
            cells.push(bar);
        }
    }
}

/// A cell with one column more before it.
fn padded(cell: Line) -> Line {
    let mut padded = Line::new();
    padded.pad_to(1);
    padded.append(cell);
    padded
}
