//! What every command's arguments are made of.

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ColorChoice, Parser, Subcommand};
use lookback_model::Prefix;
use lookback_model::store::DEFAULT_MODEL;

use crate::commands;

const EXAMPLES: &str = "\
Examples:
  lookback \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\"
  lookback --file essay.txt --json
  echo \"The dog chased the cat because it was angry.\" | lookback -
  lookback explain \"Tom thanked Ann because she helped.\" --head 9.4 --token she
  lookback models

A text that is itself the name of a command is read with `lookback look TEXT`.

Exit codes:
  0    done (also where the reader of a pipe closes it early)
  1    failed: the input, the model or the machine; one line on standard error says why
  2    wrong usage
  130  interrupted";

/// See what each attention head of a real model looks back at.
///
/// Without a command, `look` is meant: the words that each token of interest looks back at, over all heads.
#[derive(Debug, Parser)]
#[command(
    name = "lookback",
    version,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) look: Option<commands::look::LookArgs>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Look(commands::look::LookArgs),
    Explain(commands::explain::ExplainArgs),
    Trace(commands::trace::TraceArgs),
    Generate(commands::generate::GenerateArgs),
    Models(commands::models::ModelsArgs),
    #[command(subcommand)]
    Bench(commands::bench::BenchCommand),
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// When to use colour; `auto` does on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl GlobalArgs {
    /// Makes the choice of colour hold for everything that is printed.
    pub(crate) fn apply_color(&self) {
        match self.color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// Where the text comes from.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TextArgs {
    /// The text; `-` reads standard input
    pub(crate) text: Option<OsString>,
    /// Read the text from a file, in UTF-8
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
}

/// Which model reads the text, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArgs {
    /// A name that `lookback models` lists, a folder, a .gguf file, or hf:OWNER/NAME[/FILE]
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
    /// What stands before the text: `none`, `bos`, or a text, which may hold special tokens
    #[arg(long, value_name = "none|bos|TEXT")]
    pub(crate) prefix: Option<PrefixArg>,
    /// Cut a text that is longer than the model's context instead of refusing it
    #[arg(long)]
    pub(crate) truncate: bool,
}

/// A [`Prefix`] as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrefixArg(pub(crate) Prefix);

impl FromStr for PrefixArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(match text {
            "none" | "" => Prefix::None,
            "bos" => Prefix::Bos,
            text => Prefix::Text(text.to_owned()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
