//! One head's map.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

use lookback_heads::head;
use lookback_trace::{HeadId, Mask, Trace};
use ndarray::Array2;

use super::canvas::{Anchor, COLUMN, Canvas, FONT, width};
use super::shades::{self, SHADES, Shades, percent};
use super::style::{LOG_DECADES, Scale, Theme};
use crate::Error;
use crate::labels;
use crate::pooled::{Area, Pool, peak, pooled, visible};

/// What is drawn, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapOptions {
    /// Which queries.
    pub rows: Range<usize>,
    /// Which keys.
    pub cols: Range<usize>,
    /// How the weights of a cell become one number, where not every weight has a cell.
    pub pool: Pool,
    /// How a weight becomes a colour.
    pub scale: Scale,
    /// For dark or light paper.
    pub theme: Theme,
}

/// Cells along the longer side at most: four to a millimetre.
const MOST_CELLS: usize = 256;

/// Tokens along a side whose names still fit.
const MOST_NAMES: usize = 30;

/// Columns of a name.
const NAME_COLUMNS: usize = 14;

/// Space around and between.
const GAP: f32 = 16.0;

/// Draws the weights of `rows` on `cols` of one head: queries downwards, keys to the right.
///
/// # Errors
/// [`Error::Nothing`], [`Error::Cancelled`] once `cancel` is set, and [`Error::Trace`].
pub fn map(
    trace: &Trace,
    id: HeadId,
    prefix: &[String],
    options: &MapOptions,
    cancel: &AtomicBool,
) -> Result<String, Error> {
    let asked = trace.head(id.layer, id.head)?;
    let side = options.rows.len().max(options.cols.len());
    let cell = side.div_ceil(MOST_CELLS).max(1);
    let area = Area {
        rows: options.rows.clone(),
        cols: options.cols.clone(),
        cell,
    };
    let cells = pooled(&asked, &area, options.pool, cancel)?;
    let names = [labels::tokens(trace, prefix), labels::keys(trace, prefix)];
    let figure = Figure::new(&area, &names);
    let peak = peak(&cells);
    let mut canvas = Canvas::new(options.theme);
    let title = title(trace, id, options, cell);
    figure.heading(&mut canvas, trace, id, &title);
    let mask = trace.mask(id.layer)?;
    figure.cells(&mut canvas, &cells, &area, mask, |w| {
        options.scale.place(w, peak)
    });
    figure.axes(&mut canvas, &area, &names);
    let height = figure.scale_bar(&mut canvas, peak, options, cell);
    Ok(canvas.finish(&title, height))
}

/// Where things stand.
struct Figure {
    /// Units a token.
    unit: f32,
    left: f32,
    top: f32,
    named: bool,
}

impl Figure {
    fn new(area: &Area, [queries, keys]: &[Vec<String>; 2]) -> Self {
        let named = area.cell == 1 && area.rows.len().max(area.cols.len()) <= MOST_NAMES;
        let longest = |names: &[String], range: &Range<usize>| {
            let widths = names[range.clone()]
                .iter()
                .map(|name| width(&labels::elided(name, NAME_COLUMNS)));
            widths.fold(0.0, f32::max)
        };
        let (left, above) = if named {
            let above = longest(keys, &area.cols) + GAP;
            (longest(queries, &area.rows) + 2.0 * GAP, above)
        } else {
            (width("00000") + 2.0 * GAP + FONT, FONT + GAP)
        };
        Self {
            unit: (COLUMN - left - GAP) / area.cols.len().max(area.rows.len()) as f32,
            left,
            top: 3.4 * FONT + above + GAP,
            named,
        }
    }

    fn heading(&self, canvas: &mut Canvas, trace: &Trace, id: HeadId, title: &str) {
        let (_, ink, lesser) = canvas.theme.colors();
        let size = match trace.is_cross_attention() {
            true => format!("{} queries on {} keys", trace.n(), trace.m()),
            false => format!("{} tokens", trace.n()),
        };
        let heading = format!("{} of {}, {size}", head::name(id), trace.meta().model);
        canvas.text((GAP, 1.4 * FONT), Anchor::Start, ink, &heading);
        let rest = title.split_once(": ").map_or(title, |(_, rest)| rest);
        canvas.text((GAP, 2.7 * FONT), Anchor::Start, lesser, rest);
    }

    /// The cells, those of one shade as one path.
    fn cells(
        &self,
        canvas: &mut Canvas,
        cells: &Array2<f32>,
        area: &Area,
        mask: &Mask,
        place: impl Fn(f32) -> f32,
    ) {
        let mut shades: BTreeMap<usize, String> = BTreeMap::new();
        let part = |range: &Range<usize>, at: usize| {
            let start = range.start + at * area.cell;
            start..(start + area.cell).min(range.end)
        };
        let hidden =
            |row: usize, col: usize| !visible(mask, &part(&area.rows, row), &part(&area.cols, col));
        for (row, values) in cells.outer_iter().enumerate() {
            let shade = |col: usize| {
                let value: f32 = values[col];
                (value > 0.0 || !hidden(row, col))
                    .then(|| (place(value) * (SHADES - 1) as f32).round() as usize)
            };
            let mut col = 0;
            while col < values.len() {
                let here = shade(col);
                let run = (col..values.len())
                    .take_while(|&c| shade(c) == here)
                    .count();
                if let Some(here) = here {
                    let path = shades.entry(here).or_default();
                    let [left, top, right, bottom] = self.rectangle(area, row, col..col + run);
                    // Places, not lengths: rounded, a length may end short of where the next rectangle begins.
                    // Writing to a string does not fail.
                    let _ = write!(
                        path,
                        "M{left:.2} {top:.2}H{right:.2}V{bottom:.2}H{left:.2}z"
                    );
                }
                col += run;
            }
        }
        for (shade, path) in shades {
            canvas.raw(format_args!(
                r#"<path fill="{}" shape-rendering="crispEdges" d="{path}"/>"#,
                Shades::Viridis.color(shade)
            ));
        }
    }

    /// Left, top, right and bottom of some cells of a row.
    fn rectangle(&self, area: &Area, row: usize, cols: Range<usize>) -> [f32; 4] {
        let tokens = |from: usize, to: usize, len: usize| {
            (
                (from * area.cell) as f32,
                ((to * area.cell).min(len)) as f32,
            )
        };
        let (x0, x1) = tokens(cols.start, cols.end, area.cols.len());
        let (y0, y1) = tokens(row, row + 1, area.rows.len());
        [
            self.left + x0 * self.unit,
            self.top + y0 * self.unit,
            self.left + x1 * self.unit,
            self.top + y1 * self.unit,
        ]
    }

    fn axes(&self, canvas: &mut Canvas, area: &Area, [queries, keys]: &[Vec<String>; 2]) {
        let (_, ink, lesser) = canvas.theme.colors();
        let (width, height) = (
            area.cols.len() as f32 * self.unit,
            area.rows.len() as f32 * self.unit,
        );
        if self.named {
            for (at, token) in area.rows.clone().enumerate() {
                let y = self.top + (at as f32 + 0.5) * self.unit + 0.35 * FONT;
                canvas.text(
                    (self.left - GAP / 2.0, y),
                    Anchor::End,
                    ink,
                    &labels::elided(&queries[token], NAME_COLUMNS),
                );
            }
            for (at, token) in area.cols.clone().enumerate() {
                let x = self.left + (at as f32 + 0.5) * self.unit + 0.35 * FONT;
                canvas.text_up(
                    (x, self.top - GAP / 2.0),
                    ink,
                    &labels::elided(&keys[token], NAME_COLUMNS),
                );
            }
            return;
        }
        for token in ticks(&area.rows) {
            let y = self.top + (token - area.rows.start) as f32 * self.unit + 0.35 * FONT;
            canvas.text(
                (self.left - GAP / 2.0, y),
                Anchor::End,
                lesser,
                &token.to_string(),
            );
        }
        for token in ticks(&area.cols) {
            let x = self.left + (token - area.cols.start) as f32 * self.unit;
            canvas.text(
                (x, self.top - GAP / 2.0),
                Anchor::Middle,
                lesser,
                &token.to_string(),
            );
        }
        canvas.text_up(
            (GAP + 0.6 * FONT, self.top + height / 2.0 + FONT),
            lesser,
            "query",
        );
        canvas.text(
            (self.left + width / 2.0, self.top + height + 1.1 * FONT),
            Anchor::Middle,
            lesser,
            "key",
        );
    }

    /// The scale bar; gives the drawing's height.
    fn scale_bar(&self, canvas: &mut Canvas, peak: f32, options: &MapOptions, cell: usize) -> f32 {
        let (_, ink, lesser) = canvas.theme.colors();
        let top = self.top
            + options.rows.len() as f32 * self.unit
            + if self.named { GAP } else { 1.6 * FONT };
        let (left, length) = (self.left, (COLUMN - self.left - GAP) * 0.6);
        shades::bar(canvas, Shades::Viridis, [left, top, length, GAP]);
        for quarter in 0..=4 {
            let at = quarter as f32 / 4.0;
            let value = match options.scale {
                Scale::Linear => at * peak,
                Scale::Log => peak * 10_f32.powf(LOG_DECADES * (at - 1.0)),
            };
            let x = left + at * length;
            canvas.text(
                (x, top + GAP + 1.1 * FONT),
                Anchor::Middle,
                ink,
                &percent(value),
            );
        }
        let what = if cell == 1 {
            "weight".to_owned()
        } else {
            format!("{} weight", options.pool.name())
        };
        canvas.text(
            (left + length + 2.0 * GAP, top + 0.8 * FONT),
            Anchor::Start,
            lesser,
            &what,
        );
        top + GAP + 1.6 * FONT + GAP
    }
}

fn title(trace: &Trace, id: HeadId, options: &MapOptions, cell: usize) -> String {
    let cells = match cell {
        1 => "each weight is a cell".to_owned(),
        cell => format!(
            "each cell is the {} of {cell} × {cell} weights",
            options.pool.name()
        ),
    };
    let scale = match options.scale {
        Scale::Linear => "",
        Scale::Log => ", logarithmic",
    };
    format!(
        "{} of {}: {cells}{scale}",
        head::name(id),
        trace.meta().model
    )
}

/// Between two and six round places along a range.
fn ticks(range: &Range<usize>) -> Vec<usize> {
    let steps =
        (0..20).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_usize.saturating_pow(power)));
    let step = steps
        .into_iter()
        .find(|step| range.len() / step <= 5)
        .unwrap_or(1);
    (range.start.div_ceil(step)..)
        .map(|at| at * step)
        .take_while(|&at| at < range.end)
        .collect()
}

#[cfg(test)]
mod tests;
