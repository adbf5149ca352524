//! Scores of all heads, a cell each: layers to the right, heads downwards.

use lookback_trace::HeadId;

use super::canvas::{Anchor, COLUMN, Canvas, FONT, width};
use super::shades::{self, SHADES, Shades, number, percent};
use super::style::Theme;
use crate::Error;
use crate::labels;

/// One score of every head.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadScores {
    /// What it is called.
    pub name: String,
    /// What its numbers are: `mean weight`, `nats`.
    pub unit: String,
    /// Whether they are parts of a whole, which are written as percent.
    pub part: bool,
    /// One number a head; NaN for none.
    pub values: Vec<(HeadId, f64)>,
}

/// How they are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsOptions {
    /// The first line of the drawing: of what model, on what text.
    pub title: String,
    /// For dark or light paper.
    pub theme: Theme,
}

/// Space around and between.
const GAP: f32 = 16.0;

/// A cell's side at most.
const CELL: f32 = 60.0;

/// Draws each score as a table of cells with its own scale bar: one beside the other in pairs, or over the whole width
/// where there is only one.
///
/// Scores of which some are negative are coloured from red over white (0) to blue, others from dark blue (0) to yellow.
///
/// # Errors
/// [`Error::NoScores`] without scores, or without heads.
pub fn heads(scores: &[HeadScores], options: &HeadsOptions) -> Result<String, Error> {
    if scores.is_empty() || scores.iter().any(|score| score.values.is_empty()) {
        return Err(Error::NoScores);
    }
    let across = scores.len().min(2);
    let room = (COLUMN - GAP) / across as f32 - GAP;
    let mut canvas = Canvas::new(options.theme);
    let (_, ink, _) = canvas.theme.colors();
    let title = labels::elided(&options.title, 60);
    canvas.text((GAP, 1.4 * FONT), Anchor::Start, ink, &title);
    let mut top = 2.4 * FONT;
    for pair in scores.chunks(across) {
        let mut height = 0.0_f32;
        for (at, score) in pair.iter().enumerate() {
            let left = GAP + at as f32 * (room + GAP);
            height = height.max(Panel::new(score, (left, top), room).draw(&mut canvas));
        }
        top += height + GAP;
    }
    Ok(canvas.finish(&options.title, top))
}

/// One score's table of cells.
struct Panel<'a> {
    score: &'a HeadScores,
    /// Left and top of all of it.
    at: (f32, f32),
    /// Left and top of its cells.
    cells: (f32, f32),
    /// A cell's side.
    side: f32,
    layers: usize,
    heads: usize,
    shades: Shades,
    /// The values of the first shade and of the last.
    ends: (f64, f64),
}

impl<'a> Panel<'a> {
    fn new(score: &'a HeadScores, at: (f32, f32), room: f32) -> Self {
        let ids = score.values.iter().map(|(id, _)| id);
        let layers = ids.clone().map(|id| id.layer + 1).max().unwrap_or(1);
        let heads = ids.map(|id| id.head + 1).max().unwrap_or(1);
        let known = score
            .values
            .iter()
            .map(|(_, v)| *v)
            .filter(|v| v.is_finite());
        let (least, most) = known.fold((0.0_f64, 0.0_f64), |(l, m), v| (l.min(v), m.max(v)));
        let size = most.max(-least);
        let (shades, ends) = if least < 0.0 {
            (Shades::RedBlue, (-size, size))
        } else {
            (Shades::Viridis, (0.0, most))
        };
        let names = FONT + GAP + width("00");
        Self {
            score,
            at,
            cells: (at.0 + names, at.1 + 1.4 * FONT),
            side: ((room - names) / layers as f32).min(CELL),
            layers,
            heads,
            shades,
            ends,
        }
    }

    /// Draws it, and gives its height.
    fn draw(&self, canvas: &mut Canvas) -> f32 {
        let (_, ink, lesser) = canvas.theme.colors();
        let name = labels::elided(&self.score.name, 24);
        canvas.text(
            (self.cells.0, self.at.1 + 0.9 * FONT),
            Anchor::Start,
            ink,
            &name,
        );
        let beside = self.cells.0 + width(&name) + GAP;
        canvas.text(
            (beside, self.at.1 + 0.9 * FONT),
            Anchor::Start,
            lesser,
            &self.score.unit,
        );
        for (id, value) in &self.score.values {
            if value.is_finite() {
                self.cell(canvas, *id, *value);
            }
        }
        let below = self.axes(canvas);
        self.scale_bar(canvas, below) - self.at.1
    }

    fn cell(&self, canvas: &mut Canvas, id: HeadId, value: f64) {
        let (least, most) = self.ends;
        let part = if most > least {
            (value - least) / (most - least)
        } else {
            0.0
        };
        let fill = self
            .shades
            .color((part * (SHADES - 1) as f64).round() as usize);
        let shown = match self.score.part {
            true => format!("{:.2}%", 100.0 * value),
            false => format!("{value:.4}"),
        };
        let x = self.cells.0 + id.layer as f32 * self.side;
        let y = self.cells.1 + id.head as f32 * self.side;
        canvas.raw(format_args!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{side:.2}" height="{side:.2}" fill="{fill}" shape-rendering="crispEdges"><title>L{}H{}: {shown}</title></rect>"#,
            id.layer,
            id.head,
            side = self.side,
        ));
    }

    /// Numbers of layers and heads as far apart as they fit; gives where they end.
    fn axes(&self, canvas: &mut Canvas) -> f32 {
        let (_, _, lesser) = canvas.theme.colors();
        let bottom = self.cells.1 + self.heads as f32 * self.side;
        let step = |room: f32| {
            [1, 2, 5, 10, 20, 50]
                .into_iter()
                .find(|&s| s as f32 * self.side >= room)
                .unwrap_or(100)
        };
        for layer in (0..self.layers).step_by(step(width("00") + 0.5 * GAP)) {
            let x = self.cells.0 + (layer as f32 + 0.5) * self.side;
            canvas.text(
                (x, bottom + FONT),
                Anchor::Middle,
                lesser,
                &layer.to_string(),
            );
        }
        for head in (0..self.heads).step_by(step(FONT)) {
            let y = self.cells.1 + (head as f32 + 0.5) * self.side + 0.35 * FONT;
            canvas.text(
                (self.cells.0 - GAP / 2.0, y),
                Anchor::End,
                lesser,
                &head.to_string(),
            );
        }
        let middle = (self.cells.1 + bottom) / 2.0 + width("head") / 2.0;
        canvas.text_up((self.at.0 + 0.8 * FONT, middle), lesser, "head");
        canvas.text(
            (self.cells.0 - GAP / 2.0, bottom + FONT),
            Anchor::End,
            lesser,
            "layer",
        );
        bottom + 1.4 * FONT
    }

    /// The bar under the cells with the values of its ends and its middle; gives where it ends.
    fn scale_bar(&self, canvas: &mut Canvas, top: f32) -> f32 {
        let (_, ink, _) = canvas.theme.colors();
        let (left, length) = (self.cells.0, self.layers as f32 * self.side);
        shades::bar(canvas, self.shades, [left, top, length, GAP]);
        for (at, anchor) in [
            (0.0, Anchor::Start),
            (0.5, Anchor::Middle),
            (1.0, Anchor::End),
        ] {
            let value = self.ends.0 + f64::from(at) * (self.ends.1 - self.ends.0);
            if at == 0.5 && length < 3.0 * width("0.000") {
                continue;
            }
            let x = left + at * length;
            let value = match self.score.part {
                true => percent(value as f32),
                false => number(value as f32),
            };
            canvas.text((x, top + GAP + FONT), anchor, ink, &value);
        }
        top + GAP + 1.5 * FONT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &str, of: impl Fn(usize, usize) -> f64) -> HeadScores {
        let ids = (0..3).flat_map(|layer| (0..2).map(move |head| HeadId { layer, head }));
        HeadScores {
            name: name.to_owned(),
            unit: "mean weight".to_owned(),
            part: name == "sink",
            values: ids.map(|id| (id, of(id.layer, id.head))).collect(),
        }
    }

    fn options() -> HeadsOptions {
        HeadsOptions {
            title: "6 heads of a model".to_owned(),
            theme: Theme::Light,
        }
    }

    #[test]
    fn every_head_is_a_cell_in_the_colour_of_its_score() {
        let drawing = heads(
            &[score("sink", |l, h| (l * 2 + h) as f64 / 5.0)],
            &options(),
        )
        .unwrap();
        for title in ["L0H0: 0.00%", "L0H1: 20.00%", "L2H1: 100.00%"] {
            assert!(drawing.contains(title), "{title}");
        }
        let cell = |title: &str| drawing.lines().find(|line| line.contains(title)).unwrap();
        assert!(cell("L0H0:").contains(&Shades::Viridis.color(0)));
        assert!(cell("L2H1:").contains(&Shades::Viridis.color(SHADES - 1)));
        // The scale bar's ends; its middle has no room beside them.
        assert!(
            drawing.contains(">100%<") && !drawing.contains(">50%<") && drawing.contains(">sink<")
        );
    }

    #[test]
    fn negative_scores_are_as_far_from_white_as_positive_ones() {
        let drawing = heads(&[score("copying", |l, _| l as f64 - 0.5)], &options()).unwrap();
        let cell = |title: &str| drawing.lines().find(|line| line.contains(title)).unwrap();
        assert!(cell("L2H0: 1.5").contains(&Shades::RedBlue.color(SHADES - 1)));
        assert!(cell("L0H0: -0.5").contains(&Shades::RedBlue.color(85)));
        assert!(drawing.contains(">−1.5<") && drawing.contains(">0<") && drawing.contains(">1.5<"));
    }

    #[test]
    fn a_head_without_a_score_has_no_cell() {
        let drawing = heads(
            &[score("x", |l, _| if l == 1 { f64::NAN } else { 1.0 })],
            &options(),
        )
        .unwrap();
        assert!(!drawing.contains("L1H0") && drawing.contains("L2H0"));
        assert!(heads(&[], &options()).is_err());
    }
}
