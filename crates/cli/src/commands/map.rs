//! `map`: one head's weights as a picture for a paper.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use clap::{Args, ValueEnum};
use lookback_heads::head;
use lookback_trace::HeadId;
use lookback_view::pooled::Pool;
use lookback_view::svg::{self, MapOptions, Scale, Theme};
use serde::Serialize;

use super::source::Source;
use crate::args::SourceArgs;
use crate::context::Context;
use crate::output;
use crate::picture::Picture;
use crate::run::InputSize;

const EXAMPLES: &str = "\
Examples:
  lookback map \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\" --head 9.4 -o map.svg
  lookback map --file essay.txt --head L5H1 -o map.png --scale log --dark
  lookback map --trace essay.safetensors --head 5.1 -o map.svg --pool mean
  lookback map \"Jack saw Ann. Yet she left.\" --head 9.4 --ablate 5.1 -o without-L5H1.svg";

/// Draw one head's weights as SVG or PNG
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MapArgs {
    /// The head: layer and head, both from 0, as 5.10 or L5H10
    #[arg(long, value_name = "L.H", value_parser = |name: &str| head::parse(name))]
    head: HeadId,
    /// Where to write; the ending says what: .svg or .png
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
    /// How several weights become one cell, where there are more tokens than cells
    #[arg(long, value_enum, default_value_t)]
    pool: PoolArg,
    /// How a weight becomes a colour
    #[arg(long, value_enum, default_value_t)]
    scale: ScaleArg,
    /// Draw for dark paper
    #[arg(long)]
    dark: bool,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum PoolArg {
    #[default]
    Max,
    Mean,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ScaleArg {
    #[default]
    Linear,
    Log,
}

#[derive(Serialize)]
struct Drawn<'a> {
    file: &'a Path,
    bytes: usize,
    layer: usize,
    head: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    #[serde(flatten)]
    size: InputSize,
}

/// Runs the command.
pub(crate) fn run(args: &MapArgs, context: &Context) -> anyhow::Result<()> {
    let Some(picture) = Picture::of(&args.output) else {
        bail!(
            "{} ends in neither .svg nor .png; name one of them",
            args.output.display()
        );
    };
    output::check_destination(&args.output, args.force)?;
    let Source {
        trace,
        prefix,
        size,
    } = Source::open(&args.source, (&[args.head], &[]), context)?;
    let options = MapOptions {
        rows: 0..trace.n(),
        cols: 0..trace.m(),
        pool: match args.pool {
            PoolArg::Max => Pool::Max,
            PoolArg::Mean => Pool::Mean,
        },
        scale: match args.scale {
            ScaleArg::Linear => Scale::Linear,
            ScaleArg::Log => Scale::Log,
        },
        theme: if args.dark { Theme::Dark } else { Theme::Light },
    };
    let drawing = svg::map(
        &trace,
        args.head,
        &prefix,
        &options,
        &AtomicBool::new(false),
    )?;
    let bytes = picture.write(&args.output, drawing)?;
    let HeadId { layer, head } = args.head;
    let interventions = args.source.interventions.describe();
    let line = format!(
        "{}: {} of {}{}, {}",
        args.output.display(),
        head::name(args.head),
        size.counted(),
        interventions
            .as_ref()
            .map(|what| format!(", {what}"))
            .unwrap_or_default(),
        output::bytes(bytes as u64)
    );
    let drawn = Drawn {
        file: &args.output,
        bytes,
        layer,
        head,
        interventions,
        size,
    };
    output::wrote(context.json, &drawn, &[line])
}
