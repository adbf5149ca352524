//! `importance`: what the model loses with each head ablated.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use lookback_heads::head;
use lookback_heads::importance::{Importance, importance, mean_loss};
use lookback_model::WeightsKind;
use lookback_trace::HeadId;
use lookback_view::table::Table;
use lookback_view::terminal::write_table;
use serde::{Deserialize, Serialize};

use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::Context;
use crate::output::count;
use crate::progress::Line;
use crate::run::InputSize;
use crate::{interrupt, output};

const EXAMPLES: &str = "\
Examples:
  lookback importance --file essay.txt --keep essay.importance.jsonl
  lookback importance \"Jack saw Ann. Yet she left.\" --head 5.1,9.4
  lookback importance --file essay.txt --top 10 --json";

/// Measure what the model loses on a text with each head ablated in turn
///
/// One run of the text a head. With --keep, each result is written to a file as it comes, and the same command goes on
/// where it stopped.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportanceArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Only these heads, as 5.1,9.4; may be repeated [default: all]
    #[arg(long = "head", alias = "heads", value_name = "L.H", value_delimiter = ',', value_parser = head::parse)]
    heads: Vec<HeadId>,
    /// How many heads are listed
    #[arg(long, value_name = "K", default_value_t = 20)]
    top: usize,
    /// Keep the results in this file, and go on from it
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

/// The first line of a file of results: what they belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    format: String,
    model: String,
    sha256: Option<String>,
    tokens: Vec<u32>,
}

/// The answer as JSON.
#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    model: &'a str,
    #[serde(flatten)]
    size: InputSize,
    loss: f64,
    heads: &'a [Importance],
}

/// Runs the command.
pub(crate) fn run(args: &ImportanceArgs, context: &Context) -> anyhow::Result<()> {
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let (model, spec) = (&loaded.model, loaded.model.spec());
    let run = context.prepare(&loaded, &text, &args.model, &InterventionArgs::default())?;
    run.check_heads(&args.heads)?;
    let encoding = &run.encoding;
    let header = Header {
        format: "lookback-importance/1".to_owned(),
        model: loaded.resolved.name.clone(),
        sha256: loaded.resolved.sha256.clone(),
        tokens: encoding.ids.clone(),
    };
    let mut kept = args
        .keep
        .as_deref()
        .map(|file| Kept::open(file, &header))
        .transpose()?;
    let mut known = kept
        .as_mut()
        .map(|kept| std::mem::take(&mut kept.known))
        .unwrap_or_default();
    let layers = 0..spec.layers.len();
    let all = layers.flat_map(|layer| (0..spec.heads).map(move |head| HeadId { layer, head }));
    let asked: Vec<HeadId> = match args.heads.is_empty() {
        true => all.collect(),
        false => args.heads.clone(),
    };
    let left: Vec<HeadId> = asked
        .iter()
        .copied()
        .filter(|h| known.iter().all(|k| k.head != *h))
        .collect();
    let loss = mean_loss(model, encoding, &())?;
    let line = Line::counting("heads ablated one by one");
    let mut failed = Ok(());
    importance(model, encoding, loss, left, &(), &mut |found| {
        known.push(found);
        line.position(known.len().min(asked.len()) as u64, asked.len() as u64);
        failed = kept.as_mut().map_or(Ok(()), |kept| kept.push(&found));
        match failed {
            Ok(()) => interrupt::flow(),
            Err(_) => std::ops::ControlFlow::Break(()),
        }
    })?;
    drop(line);
    failed?;
    interrupt::check()?;
    known.retain(|k| asked.contains(&k.head));
    known.sort_by(|a, b| b.loss_change.total_cmp(&a.loss_change));
    let report = Report {
        format: "lookback-importance/1",
        model: &loaded.resolved.name,
        size: run.size(),
        loss,
        heads: &known,
    };
    if context.json {
        return output::print_json(&report);
    }
    print(&report, args.top, context)
}

fn print(report: &Report, top: usize, context: &Context) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.text("head", report.heads.iter().map(|h| head::name(h.head)));
    table.real("loss_change", report.heads.iter().map(|h| h.loss_change));
    let mut out = output::stdout();
    let heading = format!(
        "mean loss {:.4} nats a token over {}; its change with each of {} ablated",
        report.loss,
        count(report.size.tokens, "token"),
        count(report.heads.len(), "head")
    );
    write_table(&mut out, &heading, &table.head(top), context.width())?;
    out.flush()?;
    Ok(())
}

/// A file of results: its header, then a line a head.
struct Kept {
    file: File,
    known: Vec<Importance>,
}

impl Kept {
    /// Opens a file that belongs to this model and text, or begins one.
    fn open(path: &Path, header: &Header) -> anyhow::Result<Self> {
        let name = path.display();
        // A file that an interruption left without its header is begun again.
        if fs::metadata(path).map_or(true, |there| there.is_file() && there.len() == 0) {
            let mut file = File::create(path).with_context(|| format!("cannot write {name}"))?;
            writeln!(file, "{}", serde_json::to_string(header)?)?;
            return Ok(Self {
                file,
                known: Vec::new(),
            });
        }
        let mut lines =
            BufReader::new(File::open(path).with_context(|| format!("cannot read {name}"))?)
                .lines();
        let unreadable = || format!("cannot read {name}");
        let first = lines
            .next()
            .transpose()
            .with_context(unreadable)?
            .unwrap_or_default();
        let found: Option<Header> = serde_json::from_str(&first).ok();
        if found.as_ref() != Some(header) {
            bail!("{name} does not belong to this model and text; give another file to --keep");
        }
        let mut known = Vec::new();
        let mut whole = first.len() as u64 + 1;
        for line in lines {
            // A line that an interruption cut short is left out, and written again.
            let line = line.with_context(unreadable)?;
            let Ok(one) = serde_json::from_str(&line) else {
                break;
            };
            known.push(one);
            whole += line.len() as u64 + 1;
        }
        let continued = || {
            let file = OpenOptions::new().append(true).open(path)?;
            let bytes = file.metadata()?.len();
            if bytes != whole {
                file.set_len(whole.min(bytes))?;
            }
            Ok::<File, std::io::Error>(file)
        };
        let file = continued().with_context(|| format!("cannot write {name}"))?;
        Ok(Self { file, known })
    }

    fn push(&mut self, one: &Importance) -> anyhow::Result<()> {
        let line = format!("{}\n", serde_json::to_string(one)?);
        self.file
            .write_all(line.as_bytes())
            .context("cannot keep a result")?;
        Ok(())
    }
}
