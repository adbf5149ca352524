//! What one process measures.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use lookback_model::Prefix;
use lookback_serve::{ServeOptions, Server};
use lookback_trace::{SaveOptions, Trace};
use serde::{Deserialize, Serialize};

use super::client::Client;
use crate::args::CheckpointArgs;
use crate::commands::bench::machine::resident_memory;
use crate::commands::bench::spread::Spread;
use crate::commands::bench::text::prose;
use crate::commands::serve::load;
use crate::context::Context;

/// Cells along a tile's side.
const SIDE: usize = 256;

/// How often a text that is being read is asked after.
const POLL: Duration = Duration::from_millis(2);

/// What one server came to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    /// Whether the model was there; else only the trace.
    pub(super) model: bool,
    /// Tokens of the text, the prefix included.
    pub(super) tokens: usize,
    pub(super) heads: usize,
    /// Seconds that reading the text took; none for a trace.
    pub(super) prefill_seconds: Option<f64>,
    /// Seconds from the end of reading until the page has the text and what a word looks at over all heads.
    pub(super) usable_seconds: f64,
    /// From the whole text in one tile down to single weights.
    pub(super) tiles: Vec<Tile>,
    /// What a word looks at over all heads.
    pub(super) word_seconds: Spread,
    /// Seconds to the first small picture of a head, and to the last.
    pub(super) grid_first_seconds: f64,
    pub(super) grid_seconds: f64,
    /// Bytes that the process holds before anything is asked, and after all of it; none where the system does not say.
    pub(super) resident_bytes_before: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
}

/// A tile of 256 × 256 cells at one zoom.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tile {
    /// Each cell pools so many tokens down and across.
    pub(super) cell: usize,
    pub(super) seconds: Spread,
}

/// Reads a text of `length` tokens with the model, keeps its trace in a file, and asks about it.
pub(super) fn with_model(
    (spec, checkpoint): (&str, &CheckpointArgs),
    length: usize,
    (file, tiles): (&Path, usize),
    context: &Context,
) -> anyhow::Result<Measured> {
    let named = load(spec, checkpoint, context)?;
    let model = named.model.clone();
    let text = prose(&model, length)?;
    let options = ServeOptions {
        model: Some(named),
        text: text.clone(),
        token: false,
        ..ServeOptions::default()
    };
    let measured = ask(options, tiles)?;
    let encoding = model.tokenizer().encode(&text, &Prefix::Declared)?;
    let traced = model.trace(&encoding, &Default::default(), &())?;
    traced.trace.save(file, &SaveOptions::default())?;
    Ok(measured)
}

/// Serves a trace without its model, and asks about it.
pub(super) fn with_trace(file: &Path, tiles: usize) -> anyhow::Result<Measured> {
    let options = ServeOptions {
        trace: Some(Trace::open(file)?),
        token: false,
        ..ServeOptions::default()
    };
    ask(options, tiles)
}

fn ask(options: ServeOptions, tiles: usize) -> anyhow::Result<Measured> {
    let model = options.model.is_some();
    let server = Server::bind(options)?;
    let address = server.address();
    std::thread::spawn(move || server.run(|| false));
    let client = Client::of(address)?;
    let (state, ready) = read(&client)?;
    let before = resident_memory();
    client.ask("/token-attention?index=1")?;
    let usable_seconds = ready.elapsed().as_secs_f64();
    let description = &state["trace"];
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default() as usize;
    let n = number(&description["n"]);
    let heads: Vec<usize> = description["heads"]
        .as_array()
        .context("a description has heads")?
        .iter()
        .map(number)
        .collect();
    let words = description["words"].as_array().map_or(0, Vec::len);
    let mut word_seconds = Vec::new();
    for at in 0..tiles {
        let word = (at + 2) * words.saturating_sub(1) / (tiles + 2);
        word_seconds.push(client.time(&format!("/token-attention?index={word}"))?);
    }
    let measured_tiles = tiles_of(&client, n, &heads, tiles)?;
    let (grid_first_seconds, grid_seconds) = client.time_lines("/grid")?;
    Ok(Measured {
        model,
        tokens: n,
        heads: heads.iter().sum(),
        prefill_seconds: state["seconds"].as_f64(),
        usable_seconds,
        tiles: measured_tiles,
        word_seconds: Spread::of(word_seconds),
        grid_first_seconds,
        grid_seconds,
        resident_bytes_before: before,
        resident_bytes: resident_memory(),
    })
}

/// Waits until the trace is there: how it is described, and when that was known.
fn read(client: &Client) -> anyhow::Result<(serde_json::Value, Instant)> {
    loop {
        let asked = Instant::now();
        let state: serde_json::Value = serde_json::from_slice(&client.ask("")?)?;
        match state["state"].as_str() {
            Some("ready") => return Ok((state, asked)),
            Some("failed") => bail!("{}", state["error"]),
            _ => std::thread::sleep(POLL),
        }
    }
}

/// Tiles of the last queries, of heads from all over the model, each asked for once.
fn tiles_of(client: &Client, n: usize, heads: &[usize], count: usize) -> anyhow::Result<Vec<Tile>> {
    let whole = n.div_ceil(SIDE).next_power_of_two().trailing_zeros();
    let mut found = Vec::new();
    for zoom in (0..=whole).rev() {
        let along = n.div_ceil(SIDE << zoom);
        let mut seconds = Vec::new();
        for at in 0..count {
            let layer = at * heads.len() / count;
            let (head, col) = (at % heads[layer], at % (along - 1).max(1));
            let path = format!(
                "/heads/{layer}.{head}/tile?zoom={zoom}&row={}&col={col}",
                along - 1
            );
            seconds.push(client.time(&path)?);
        }
        found.push(Tile {
            cell: 1 << zoom,
            seconds: Spread::of(seconds),
        });
    }
    Ok(found)
}
