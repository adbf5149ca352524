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

use super::source::{Source, SourceArgs};
use crate::context::Context;
use crate::output;
use crate::picture::Picture;

/// Draw one head's weights as SVG or PNG
#[derive(Debug, Clone, Args)]
pub(crate) struct MapArgs {
    #[command(flatten)]
    source: SourceArgs,
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
    tokens: usize,
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
    let Source { trace, prefix } = Source::open(&args.source, context)?;
    head::check_in(args.head, &trace)?;
    let options = MapOptions {
        rows: 0..trace.n(),
        cols: 0..trace.n(),
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
    output::wrote(
        context.json,
        &Drawn {
            file: &args.output,
            bytes,
            layer,
            head,
            tokens: trace.n(),
        },
        &format!(
            "{}: {} of {} tokens, {}",
            args.output.display(),
            head::name(args.head),
            trace.n(),
            output::bytes(bytes as u64)
        ),
    )
}
