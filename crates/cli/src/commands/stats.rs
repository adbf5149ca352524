//! `stats`: the statistics of a text's weights as a table.

use std::path::PathBuf;

use clap::Args;
use lookback_heads::{head, profile};
use lookback_model::{Prefix, WeightsKind};
use lookback_trace::Trace;
use lookback_trace::observe::{DistanceMass, Entropy, TopK};
use lookback_view::table::{Kind, Table};
use ndarray::s;

use crate::args::{ModelArgs, TextArgs};
use crate::commands::heads;
use crate::context::Context;
use crate::{interrupt, output};

/// Save statistics of every head, or of every query, as a table
///
/// One row a head; with --rows one row a query of each head: its entropy, mean distance and heaviest keys.
#[derive(Debug, Clone, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Where the table goes: .json, .csv, .parquet or .npy
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
    /// One row a query of each head
    #[arg(long)]
    rows: bool,
    /// How many of the heaviest keys a query's row holds
    #[arg(long, value_name = "K", default_value_t = 4, requires = "rows")]
    top: usize,
    #[command(flatten)]
    model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &StatsArgs, context: &Context) -> anyhow::Result<()> {
    // Before the work, not after it.
    Kind::of(&args.output)?;
    output::check_destination(&args.output, args.force)?;
    let text = context.text(&args.text)?;
    let loaded = context.load(&args.model.model, WeightsKind::F32)?;
    let encoding = context.encode(&loaded.model, &text, &args.model, Prefix::Declared)?;
    let trace = {
        let reading = context.reading(encoding.ids.len());
        heads::trace(&loaded, &encoding, &reading)?
    };
    let table = match args.rows {
        true => rows(&trace, args.top)?,
        false => heads::table(
            &profile::profiles(&trace, &heads::special(&loaded, &encoding))?,
            None,
        ),
    };
    heads::saved(&args.output, &table, context)
}

/// One row a query of each head.
fn rows(trace: &Trace, top: usize) -> anyhow::Result<Table> {
    let n = trace.n();
    let (mut names, mut layers, mut indices, mut queries) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Adding 0 turns −0 into 0.
    let (mut entropies, mut distances) = (Vec::new(), Vec::new());
    let mut keys = vec![Vec::new(); top];
    let mut weights = vec![Vec::new(); top];
    for layer in 0..trace.layer_count() {
        interrupt::check()?;
        let (entropy, distance, heaviest) =
            trace.observe(layer, &(Entropy, DistanceMass, TopK::by_weight(top)))?;
        for h in 0..trace.head_count(layer) {
            let name = head::name(lookback_trace::HeadId { layer, head: h });
            names.extend(std::iter::repeat_n(name, n));
            layers.extend(std::iter::repeat_n(layer, n));
            indices.extend(std::iter::repeat_n(h, n));
            queries.extend(0..n);
            entropies.extend(
                entropy
                    .slice(s![0, h, ..])
                    .iter()
                    .map(|&e| f64::from(e) + 0.0),
            );
            distances.extend(
                distance
                    .mean
                    .slice(s![0, h, ..])
                    .iter()
                    .map(|&d| f64::from(d) + 0.0),
            );
            for i in 0..n {
                let list = heaviest.list(0, h, i);
                let mut list = list.into_iter();
                for k in 0..top {
                    let (key, weight) =
                        list.next().map_or((f64::NAN, f64::NAN), |(key, weight)| {
                            (key as f64, f64::from(weight))
                        });
                    keys[k].push(key);
                    weights[k].push(weight);
                }
            }
        }
    }
    let mut table = Table::new();
    table.text("head", names);
    table.integer("layer", layers);
    table.integer("index", indices);
    table.integer("query", queries);
    table.real("entropy", entropies);
    table.real("mean_distance", distances);
    for (k, (keys, weights)) in keys.into_iter().zip(weights).enumerate() {
        table.real(&format!("key_{}", k + 1), keys);
        table.real(&format!("weight_{}", k + 1), weights);
    }
    Ok(table)
}
