//! One measurement: what the process that the command starts does.

use std::time::Instant;

use clap::ValueEnum;
use lookback_model::generate::{Sampler, Sampling};
use lookback_model::{Logits, Model, Prefill, PrefillOptions};
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::child::written;
use super::machine::peak_memory;
use super::text;
use crate::args::{CheckpointArgs, WeightsArg};
use crate::context::Context;
use crate::output::count;

/// Tokens that one run of decoding writes, where the context leaves room.
const DECODED: usize = 32;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Reading a text in one pass, its trace kept.
    Prefill,
    /// One token after another behind a text.
    Decode,
}

/// One measurement to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) kind: Kind,
    /// Tokens of the text.
    pub(super) length: usize,
    pub(super) weights: WeightsArg,
    pub(super) runs: usize,
}

impl Task {
    /// The command that makes this measurement on the model at `path`, behind `bench`.
    pub(super) fn arguments(&self, path: &str) -> Vec<String> {
        let words = ["model", "--json", "--model", path, "--measure"].map(str::to_owned);
        let mut arguments = words.to_vec();
        arguments.push(written(self.kind));
        for (name, value) in [
            ("--length", self.length.to_string()),
            ("--weights", written(self.weights)),
            ("--runs", self.runs.to_string()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        arguments
    }

    pub(super) fn describe(&self) -> String {
        let weights = written(self.weights);
        match self.kind {
            Kind::Prefill => {
                let tokens = count(self.length, "token");
                format!("prefill of {tokens}, {weights} weights")
            }
            Kind::Decode => format!("decode at depth {}, {weights} weights", self.length),
        }
    }
}

/// What it came to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    /// Which numbers were computed on.
    pub(super) weights: String,
    /// Tokens of one run.
    pub(super) tokens: usize,
    /// Seconds of each run, in order.
    pub(super) seconds: Vec<f64>,
    /// The most memory that the process held, the model included.
    pub(super) peak_memory_bytes: Option<u64>,
}

/// Makes the measurement in this process.
pub(super) fn run(
    (spec, checkpoint): (&str, &CheckpointArgs),
    task: &Task,
    context: &Context,
) -> anyhow::Result<Measured> {
    let model = context.load(spec, checkpoint, task.weights.into())?.model;
    let text = text::tokens(&model, task.length)?;
    let (tokens, seconds) = match task.kind {
        Kind::Prefill => (task.length, prefill(&model, &text, task.runs)?),
        Kind::Decode => decode(&model, &text, task.runs)?,
    };
    Ok(Measured {
        weights: model.weights_description(),
        tokens,
        seconds,
        peak_memory_bytes: peak_memory(),
    })
}

fn prefill(model: &Model, text: &[u32], runs: usize) -> anyhow::Result<Vec<f64>> {
    let options = PrefillOptions {
        logits: Logits::Last,
        trace: true,
        ..PrefillOptions::default()
    };
    // The first run reads weights that are read lazily, and wakes the threads.
    let mut seconds = Vec::with_capacity(runs);
    for run in 0..=runs {
        let start = Instant::now();
        let kept = model.prefill(text, &options)?;
        if run > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
        drop(kept);
    }
    Ok(seconds)
}

/// Tokens of a run, and the runs' seconds. Each begins at the same depth, and takes the likeliest tokens.
fn decode(model: &Model, text: &[u32], runs: usize) -> anyhow::Result<(usize, Vec<f64>)> {
    let options = PrefillOptions {
        cache: true,
        ..PrefillOptions::default()
    };
    let Prefill { logits, cache, .. } = model.prefill(text, &options)?;
    let first = logits.index_axis_move(Axis(0), 0);
    let mut cache = cache.unwrap_or_else(|| unreachable!("a cache was asked for"));
    let tokens = DECODED.min(model.spec().context_length - text.len());
    let mut greedy = Sampler::new(Sampling::default())?;
    let mut seconds = Vec::with_capacity(runs);
    for run in 0..=runs {
        cache.truncate(text.len());
        let mut logits = first.clone();
        let start = Instant::now();
        for _ in 0..tokens {
            logits = model.decode(greedy.sample(logits.view()), &mut cache)?;
        }
        if run > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    Ok((tokens, seconds))
}
