//! The study's table.

use serde::{Deserialize, Serialize};

use super::{Run, Setting};
use crate::evaluate::interval;

/// Accuracy of one setting on one held-out set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Share of the sentences answered rightly, all seeds pooled.
    pub accuracy: f64,
    /// Its 95% interval: bootstrap over the sentences, seeds pooled.
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
    /// Mean seconds of a run.
    pub seconds: f64,
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
                seconds: mean(|run| run.seconds),
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

impl Cell {
    /// From what each seed answered rightly.
    fn new<'a>(seeds: impl Iterator<Item = &'a [f64]>) -> Self {
        let seeds: Vec<&[f64]> = seeds.collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let pooled: Vec<f64> = seeds.iter().flat_map(|seed| seed.iter().copied()).collect();
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
        let cell = Cell::new([[1.0, 1.0, 1.0, 0.0].as_slice(), &[0.0, 0.0, 1.0, 0.0]].into_iter());
        assert_eq!(cell.accuracy, 0.5);
        assert_eq!(cell.seeds, [0.25, 0.75]);
        assert!(cell.interval[0] < 0.5 && cell.interval[1] > 0.5);
    }
}
