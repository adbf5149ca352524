//! `stats`: the statistics of a text's weights as a table.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use lookback_heads::{head, profile, token_text};
use lookback_model::WeightsKind;
use lookback_trace::observe::{DistanceMass, Entropy, TopK};
use lookback_trace::{HeadId, Trace};
use lookback_view::table::{Kind, Table};
use ndarray::s;

use super::{heads, tables};
use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::Context;
use crate::{interrupt, output};

const EXAMPLES: &str = "\
Examples:
  lookback stats --file essay.txt -o heads.parquet
  lookback stats \"Jack saw Ann. Yet she left.\" -o heads.csv
  lookback stats \"Jack saw Ann. Yet she left.\" --rows --top 8 -o rows.csv
  lookback stats --file essay.txt --ablate 5.1 -o without-L5H1.npy";

/// Save statistics of every head, or of every query, as a table
///
/// One row a head; with --rows one row a query of each head: its entropy, mean distance and heaviest keys.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
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
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &StatsArgs, context: &Context) -> anyhow::Result<()> {
    // Before the work, not after it.
    Kind::of(&args.output)?;
    output::check_destination(&args.output, args.force)?;
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
    let trace = run.trace()?;
    let table = match args.rows {
        true => rows(&trace, &token_texts(&trace, &run.prefix_texts()), args.top)?,
        false => heads::table(&profile::profiles(&trace, &run.special())?, None),
    };
    tables::save(&args.output, &table, run.size(), context)
}

/// What each token stands for: its part of the text, or the token's own text.
fn token_texts(trace: &Trace, prefix: &[String]) -> Vec<Arc<str>> {
    let text = |token| Arc::from(token_text(trace, prefix, token));
    (0..trace.n()).map(text).collect()
}

/// One row a query of each head.
fn rows(trace: &Trace, tokens: &[Arc<str>], top: usize) -> anyhow::Result<Table> {
    let n = trace.n();
    let no_token: Arc<str> = Arc::from("");
    let (mut names, mut layers, mut indices) = (Vec::new(), Vec::new(), Vec::new());
    let mut queries = Vec::new();
    let (mut entropies, mut distances) = (Vec::new(), Vec::new());
    let mut heaviest = vec![Heaviest::default(); top];
    for &layer in trace.layer_ids() {
        interrupt::check()?;
        let (entropy, distance, top_k) =
            trace.observe(layer, &(Entropy, DistanceMass, TopK::by_weight(top)))?;
        for (h, &head) in trace.head_ids(layer).iter().enumerate() {
            let name: Arc<str> = Arc::from(head::name(HeadId { layer, head }));
            names.extend(std::iter::repeat_n(name, n));
            layers.extend(std::iter::repeat_n(layer, n));
            indices.extend(std::iter::repeat_n(head, n));
            queries.extend(0..n);
            // Adding 0 turns −0 into 0.
            let real = |&x: &f32| f64::from(x) + 0.0;
            entropies.extend(entropy.slice(s![0, h, ..]).iter().map(real));
            distances.extend(distance.mean.slice(s![0, h, ..]).iter().map(real));
            for i in 0..n {
                let mut list = top_k.list(0, h, i);
                for place in &mut heaviest {
                    let (key, token, weight) = match list.next() {
                        Some((key, weight)) => (key as f64, &tokens[key], f64::from(weight)),
                        None => (f64::NAN, &no_token, f64::NAN),
                    };
                    place.keys.push(key);
                    place.tokens.push(Arc::clone(token));
                    place.weights.push(weight);
                }
            }
        }
    }
    let mut table = Table::new();
    table.text("head", names);
    table.integer("layer", layers);
    table.integer("index", indices);
    let of_queries = queries
        .iter()
        .map(|&query: &usize| Arc::clone(&tokens[query]));
    let of_queries: Vec<Arc<str>> = of_queries.collect();
    table.integer("query", queries);
    table.text("token", of_queries);
    table.real("entropy", entropies);
    table.real("mean_distance", distances);
    for (place, found) in (1..).zip(heaviest) {
        table.real(&format!("key_{place}"), found.keys);
        table.text(&format!("token_{place}"), found.tokens);
        table.real(&format!("weight_{place}"), found.weights);
    }
    Ok(table)
}

/// The keys of one place in the order of weight, a query each.
#[derive(Clone, Default)]
struct Heaviest {
    keys: Vec<f64>,
    tokens: Vec<Arc<str>>,
    weights: Vec<f64>,
}
