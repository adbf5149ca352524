//! The study's table.

use std::path::Path;

use lookback_model::write_atomic;
use serde::{Deserialize, Serialize};

use super::runs::Run;
use super::setting::Setting;
use crate::accuracy::interval;
use crate::error::Error;

/// Accuracy of one setting on one held-out set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Share of the sentences answered rightly, all seeds pooled.
    pub accuracy: f64,
    /// Its 95% interval: bootstrap over the draws of names, topic and template, each with all its swapped forms and seeds,
    /// which are no independent observations.
    pub interval: [f64; 2],
    /// The least and the most that one seed reached.
    pub seeds: [f64; 2],
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub setting: String,
    /// Numbers trained.
    pub parameters: usize,
    /// Mean seconds of a run on the clock.
    pub seconds: f64,
    /// Mean seconds of a run on processors, all threads together, where the system says.
    pub cpu_seconds: Option<f64>,
    /// Mean steps of a run.
    pub steps: f64,
    /// How many seeds there are.
    pub runs: usize,
    /// On names that training never shows.
    pub held_out_names: Cell,
    /// On templates, topics and names that training never shows.
    pub held_out_templates: Cell,
}

/// All settings that were run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// In the study's order.
    pub rows: Vec<Row>,
}

impl Table {
    pub(super) fn new<'a>(settings: &[Setting], runs: impl Iterator<Item = &'a Run>) -> Self {
        let runs: Vec<&Run> = runs.collect();
        let row = |setting: &Setting| {
            let of: Vec<&Run> = runs
                .iter()
                .copied()
                .filter(|run| run.setting == setting.name)
                .collect();
            let first = of.first()?;
            let mean = |value: fn(&Run) -> f64| {
                of.iter().map(|run| value(run)).sum::<f64>() / of.len() as f64
            };
            Some(Row {
                setting: setting.name.clone(),
                parameters: first.parameters,
                seconds: mean(|run| run.timing.seconds),
                cpu_seconds: of
                    .iter()
                    .map(|run| run.timing.cpu_seconds)
                    .sum::<Option<f64>>()
                    .map(|sum| sum / of.len() as f64),
                steps: mean(|run| run.steps as f64),
                runs: of.len(),
                held_out_names: Cell::new(of.iter().map(|run| run.held_out_names.as_slice())),
                held_out_templates: Cell::new(
                    of.iter().map(|run| run.held_out_templates.as_slice()),
                ),
            })
        };
        Self {
            rows: settings.iter().filter_map(row).collect(),
        }
    }
}

/// Sentences of a draw, which follow each other: all its swapped forms.
const FORMS: usize = 8;

impl Table {
    /// Writes the table as JSON; the file appears whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<(), Error> {
        write_atomic(path, |file| Ok(serde_json::to_writer_pretty(file, self)?))
            .map_err(Error::io(path))
    }
}

impl Cell {
    /// From what each seed answered rightly.
    fn new<'a>(seeds: impl Iterator<Item = &'a [f64]>) -> Self {
        let seeds: Vec<&[f64]> = seeds.collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let draws = seeds.first().map_or(0, |seed| seed.len().div_ceil(FORMS));
        let draw = |draw: usize| {
            let of = |seed: &&[f64]| seed.chunks(FORMS).nth(draw).map_or(f64::NAN, mean);
            mean(&seeds.iter().map(of).collect::<Vec<_>>())
        };
        let pooled: Vec<f64> = (0..draws).map(draw).collect();
        let means = || seeds.iter().map(|seed| mean(seed));
        Self {
            accuracy: mean(&pooled),
            interval: interval(&pooled, 0),
            seeds: [
                means().fold(f64::INFINITY, f64::min),
                means().fold(f64::NEG_INFINITY, f64::max),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_pooled_and_their_extremes_stand_beside() {
        let draw = |right: f64| [right; FORMS];
        let seed = |draws: [f64; 4]| draws.map(draw).concat();
        let seeds = [seed([1.0, 1.0, 1.0, 0.0]), seed([0.0, 0.0, 1.0, 0.0])];
        let cell = Cell::new(seeds.iter().map(Vec::as_slice));
        assert_eq!(cell.accuracy, 0.5);
        assert_eq!(cell.seeds, [0.25, 0.75]);
        assert!(cell.interval[0] < 0.5 && cell.interval[1] > 0.5);
    }

    /// Half of the forms of every draw right is no uncertainty about a half.
    #[test]
    fn forms_of_a_draw_are_no_observations_of_their_own() {
        let forms = [1.0, 0.0].repeat(FORMS / 2).repeat(10);
        let cell = Cell::new([forms.as_slice()].into_iter());
        assert_eq!((cell.accuracy, cell.interval), (0.5, [0.5, 0.5]));
    }
}
