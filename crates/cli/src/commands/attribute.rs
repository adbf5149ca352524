//! `attribute`: what each head adds to the difference of two tokens' logits.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use lookback_heads::head;
use lookback_heads::logits::{HeadPart, LogitParts, logit_parts, next_tokens};
use lookback_model::{Model, WeightsKind};
use lookback_trace::quoted;
use lookback_view::table::{Kind, Table};
use lookback_view::terminal::write_table;
use serde::Serialize;

use super::tables;
use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::Context;
use crate::output;
use crate::run::InputSize;

const EXAMPLES: &str = "\
Examples:
  lookback attribute \"When Mary and John went to the store, John gave a drink to\" --for Mary --against John
  lookback attribute --file story.txt --for Mary --against John -o parts.parquet

The parts of all heads, of the last token's embedding and of the feed-forward layers sum to the difference, the final
norm's factor held at its value. What a head does through later heads is not in its part. See docs/heads.md.";

/// Show which heads make one word likelier to come next than another (direct logit attribution)
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AttributeArgs {
    #[command(flatten)]
    text: TextArgs,
    /// The word whose logit counts; of a word of several tokens, the first
    #[arg(long = "for", value_name = "WORD")]
    word: String,
    /// The word whose logit is taken off
    #[arg(long, value_name = "WORD")]
    against: String,
    /// How many heads are listed, the largest parts first
    #[arg(long, value_name = "K", default_value_t = 20)]
    top: usize,
    /// Save the parts of all heads: .json, .csv, .parquet or .npy
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, requires = "output")]
    force: bool,
    #[command(flatten)]
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// The answer as JSON.
#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    model: &'a str,
    text: &'a str,
    #[serde(rename = "for")]
    word: TokenName,
    against: TokenName,
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    #[serde(flatten)]
    size: InputSize,
    /// logit(for) − logit(against).
    difference: f64,
    heads: &'a [HeadPart],
    embedding: f64,
    rest: f64,
}

/// A token, and what it reads as.
#[derive(Serialize)]
struct TokenName {
    id: u32,
    text: String,
}

/// Runs the command.
pub(crate) fn run(args: &AttributeArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(file) = &args.output {
        Kind::of(file)?;
        output::check_destination(file, args.force)?;
    }
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let model = &loaded.model;
    let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
    let encoding = &run.encoding;
    let tokens = next_tokens(model, &encoding.text, (&args.word, &args.against))?;
    let (word, against) = (
        token(model, tokens.0, &args.word),
        token(model, tokens.1, &args.against),
    );
    let parts = {
        let progress = run.progress();
        let hooks = run.interventions.and(&progress);
        logit_parts(model, encoding, (word.id, against.id), &hooks)?
    };
    let table = table(&parts);
    if let Some(file) = &args.output {
        return tables::save(file, &table, run.size(), context);
    }
    if context.json {
        return output::print_json(&Report {
            format: "lookback-attribute/2",
            model: &loaded.resolved.name,
            text: &encoding.text,
            word,
            against,
            interventions: args.interventions.describe(),
            size: run.size(),
            difference: parts.difference,
            heads: &parts.heads,
            embedding: parts.embedding,
            rest: parts.rest,
        });
    }
    print(args, (&word, &against), &parts, &table, context)
}

/// The token that a word begins with; says so where there are more.
fn token(model: &Model, id: u32, word: &str) -> TokenName {
    let name = model.tokenizer().decode(&[id], false);
    if name.trim() != word.trim() {
        output::note(&format!(
            "{} is several tokens; its first, {name:?}, is the one whose logit counts",
            quoted(word)
        ));
    }
    TokenName { id, text: name }
}

/// One row a head, in order.
fn table(parts: &LogitParts) -> Table {
    let mut table = Table::new();
    let heads = || parts.heads.iter();
    table.text("head", heads().map(|h| head::name(h.head)));
    table.integer("layer", heads().map(|h| h.head.layer));
    table.integer("index", heads().map(|h| h.head.head));
    table.real("part", heads().map(|h| h.part));
    table.real("size", heads().map(|h| h.part.abs()));
    table
}

fn print(
    args: &AttributeArgs,
    (word, against): (&TokenName, &TokenName),
    parts: &LogitParts,
    table: &Table,
    context: &Context,
) -> anyhow::Result<()> {
    let interventions = args.interventions.describe();
    let all: f64 = parts.heads.iter().map(|h| h.part).sum();
    let heading = format!(
        "logit of {:?} − logit of {:?} after the text{}: {:+.3} = heads {all:+.3}, embedding {:+.3}, feed-forward layers \
         {:+.3}. The parts of heads, the largest first:",
        word.text.trim(),
        against.text.trim(),
        interventions
            .map(|what| format!(", {what}"))
            .unwrap_or_default(),
        parts.difference,
        parts.embedding,
        parts.rest,
    );
    let sorted = table.sorted_by("size").unwrap_or_default();
    let shown = sorted.head(args.top).of_columns(&["head", "part"]);
    let mut out = output::stdout();
    write_table(&mut out, &heading, &shown, context.width())?;
    out.flush()?;
    Ok(())
}
