//! `export`: one HTML file that keeps the text view and maps of heads, or the weights as numbers.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use lookback_heads::{WordName, head};
use lookback_trace::{HeadId, Trace};
use lookback_view::page::{Page, PageOptions, Plan, TOP};
use lookback_view::weights_file::{Form, WeightsFile};
use serde::Serialize;

use super::source::Source;
use crate::args::{SourceArgs, at_least_one};
use crate::context::Context;
use crate::output::{self, count};
use crate::progress::Line;
use crate::run::InputSize;
use crate::{disk, interrupt};

const EXAMPLES: &str = "\
Examples:
  lookback export \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\" -o page.html
  lookback export --file book.txt -o page.html --head 9.4,13.8 --word he#3 --top 20
  lookback export --trace essay.safetensors -o page.html --all
  lookback export --file essay.txt --weights weights.npy
  lookback export --file essay.txt --weights L9H4.parquet --head 9.4 --ablate 5.1

A page of up to about 1,000 tokens keeps everything. Of a longer text it keeps the heads and words that are named, or
chosen so that it stays within 30 MB; --all keeps everything all the same.
Weights are float32: .npy is [layers, heads, N, N] ([heads, N, N] with --head), query before key; .parquet has a row a
weight with layer, head, query and key, and leaves out weights of exactly 0.";

/// Keep the text view and maps of heads in one HTML file, or save the weights as numbers
///
/// Says how large the file will be before it is written, and stops where the disk has no room for it.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// The page to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "weights")]
    output: Option<PathBuf>,
    /// Save the weights of all heads, or of those of --head: .npy or .parquet
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Replace the files if there are any
    #[arg(long)]
    force: bool,
    /// Keep these heads with their maps, as 5.10 or L5H10; may be repeated
    #[arg(long = "head", alias = "heads", value_name = "L.H", value_delimiter = ',', value_parser = head::parse)]
    heads: Vec<HeadId>,
    /// Keep what all heads look at from this word, or WORD#n for its nth occurrence; may be repeated
    #[arg(long = "word", value_name = "WORD", requires = "output")]
    words: Vec<WordName>,
    /// How many of the largest weights of each head are kept for such a word
    #[arg(long, alias = "top-k", value_name = "K", default_value_t = TOP, requires = "output", value_parser = top)]
    top: usize,
    /// Keep every head of a text of any length
    #[arg(long, requires = "output", conflicts_with_all = ["heads", "words"])]
    all: bool,
    #[command(flatten)]
    source: SourceArgs,
}

fn top(text: &str) -> Result<usize, &'static str> {
    at_least_one(text).map(usize::from)
}

/// What was written, as JSON; of a page alone as before there was more to export.
#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    page: Option<PageJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<WeightsJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    #[serde(flatten)]
    size: InputSize,
}

#[derive(Serialize)]
struct PageJson<'a> {
    file: &'a Path,
    bytes: u64,
    /// What the page does not have, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
}

#[derive(Serialize)]
struct WeightsJson<'a> {
    file: &'a Path,
    bytes: u64,
    heads: usize,
}

/// Runs the command.
pub(crate) fn run(args: &ExportArgs, context: &Context) -> anyhow::Result<()> {
    let form = args.weights.as_deref().map(Form::of).transpose()?;
    for file in args.output.iter().chain(&args.weights) {
        output::check_destination(file, args.force)?;
    }
    let source = Source::open(&args.source, (&args.heads, &args.words), context)?;
    let page = args.output.as_deref();
    let page = page
        .map(|file| write_page(file, args, &source))
        .transpose()?;
    let weights = args.weights.as_deref().zip(form);
    let weights = weights
        .map(|(file, form)| write_weights(file, &source.trace, &args.heads, form))
        .transpose()?;
    let tokens = source.size.counted();
    let mut lines = Vec::new();
    if let Some(page) = &page {
        let bytes = output::bytes(page.bytes);
        let file = page.file.display();
        lines.push(format!("{file}: {tokens}, {bytes}; open it in a browser"));
        lines.extend(page.left_out.clone());
    }
    if let Some(weights) = &weights {
        let (heads, bytes) = (count(weights.heads, "head"), output::bytes(weights.bytes));
        lines.push(format!(
            "{}: the weights of {heads} over {tokens}, {bytes}",
            weights.file.display()
        ));
    }
    let exported = Exported {
        page,
        weights,
        interventions: args.source.interventions.describe(),
        size: source.size,
    };
    output::wrote(context.json, &exported, &lines)
}

/// Writes the page, having said how large it will be.
fn write_page<'a>(
    file: &'a Path,
    args: &ExportArgs,
    source: &Source,
) -> anyhow::Result<PageJson<'a>> {
    let trace = &source.trace;
    let words = args.words.iter();
    let words = words.map(|word| word.find_one(&trace.meta().text, trace.words()));
    // A name may span several of the trace's words.
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let words: Vec<usize> = words.into_iter().flatten().collect();
    let options = PageOptions {
        all: args.all,
        heads: (!args.heads.is_empty()).then(|| args.heads.clone()),
        words: (!words.is_empty()).then_some(words),
        word: None,
        top: args.top,
    };
    let line = Line::spinner(format!("choosing what {} keeps", file.display()));
    let plan = Plan::new(trace, &options, &AtomicBool::new(false))?;
    line.clear();
    let size = plan.size();
    let hint = "name fewer heads and words";
    disk::announce(file, size, "", hint)?;
    let line = Line::counting("words over all heads");
    let page = Page::new(trace, &source.prefix, &plan, &mut |done, total| {
        line.position(done as u64, total as u64);
        interrupt::flow()
    });
    drop(line);
    interrupt::check()?;
    let page = page?;
    let line = Line::saving(file);
    output::write_file(file, |out| {
        let mut out = output::Counted::new(out, |written| line.position(written, size));
        Ok(page.write(&mut out)?)
    })?;
    Ok(PageJson {
        file,
        bytes: std::fs::metadata(file)?.len(),
        left_out: plan.left_out(),
    })
}

/// Writes the weights piece by piece, having said how large they will be.
fn write_weights<'a>(
    file: &'a Path,
    trace: &Trace,
    heads: &[HeadId],
    form: Form,
) -> anyhow::Result<WeightsJson<'a>> {
    let weights = WeightsFile::new(trace, heads, form)?;
    let heads = weights.heads();
    let at_most = match form {
        Form::Npy => "",
        Form::Parquet => "at most ",
    };
    let hint = "choose fewer heads with --head, or a shorter text";
    disk::announce(file, weights.size(), at_most, hint)?;
    let line = Line::counting(format!("weights of {}", count(heads, "head")));
    output::write_file(file, |out| {
        weights.write(out, &mut |done, total| {
            line.position(done, total);
            interrupt::flow()
        })?;
        Ok(())
    })?;
    drop(line);
    Ok(WeightsJson {
        file,
        bytes: std::fs::metadata(file)?.len(),
        heads,
    })
}
