//! What every command's arguments are made of.

use std::convert::Infallible;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, ColorChoice, CommandFactory as _, Parser, Subcommand};
use lookback_heads::edit_distance::edit_distance;
use lookback_model::Prefix;
use lookback_model::store::DEFAULT_MODEL;

use crate::commands;
use crate::json_version::JsonVersion;

const EXAMPLES: &str = "\
Examples:
  lookback \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\"
  lookback --file essay.txt --json
  echo \"The dog chased the cat because it was angry.\" | lookback -
  lookback explain \"Tom thanked Ann because she helped.\" --head 9.4 --token she
  lookback serve
  lookback map \"A text of some length.\" --head 5.1 -o map.svg
  lookback models

A text that is itself the name of a command is read with `lookback look TEXT`.

Exit codes:
  0    done (also where the reader of a pipe closes it early)
  1    failed: the input, the model or the machine; one line on standard error says why
  2    wrong usage
  130  interrupted";

/// See what each attention head of a real model looks back at.
///
/// Without a command, `look` is meant: which words the tokens of interest look back at, over all heads.
#[derive(Debug, Parser)]
#[command(
    name = "lookback",
    version,
    override_usage = "lookback [OPTIONS] <TEXT>\n       lookback [OPTIONS] <COMMAND>",
    after_help = EXAMPLES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The command that the text may be a slip for.
    #[arg(skip)]
    pub(crate) misspelt: Option<String>,
}

impl Cli {
    /// The command line of this process; where it is wrong, says so and ends with exit code 2.
    pub(crate) fn from_env() -> Self {
        let given: Vec<OsString> = std::env::args_os().collect();
        let line = with_default_command(given.clone());
        let misspelt = misspelt_command(&given, &line);
        match Self::try_parse_from(line) {
            Ok(cli) => Self { misspelt, ..cli },
            Err(error) => with_tip(error, misspelt).exit(),
        }
    }
}

/// Puts `look` where no command is named: before the first argument that is not an option of every command.
fn with_default_command(mut line: Vec<OsString>) -> Vec<OsString> {
    let command = Cli::command();
    let mut at = 1;
    while let Some(argument) = line.get(at).and_then(|argument| argument.to_str()) {
        match argument {
            "--json" => at += 1,
            "--color" | "--json-version" => at += 2,
            option if option.starts_with("--color=") || option.starts_with("--json-version=") => {
                at += 1;
            }
            "help" | "-h" | "--help" | "-V" | "--version" => return line,
            name if command.find_subcommand(name).is_some() => return line,
            _ => break,
        }
    }
    if at < line.len() {
        line.insert(at, "look".into());
    }
    line
}

/// The command that the word meant that now stands after `look`, where it is a slip of a letter or two.
fn misspelt_command(given: &[OsString], line: &[OsString]) -> Option<String> {
    let (word, _) = given.iter().zip(line).find(|(given, now)| given != now)?;
    let word = word.to_str().filter(|word| !word.starts_with('-'))?;
    Cli::command()
        .get_subcommands()
        .filter_map(|command| Some((edit_distance(word, command.get_name())?, command)))
        .min_by_key(|&(edit_distance, _)| edit_distance)
        .map(|(_, command)| command.get_name().to_owned())
}

/// Words after a text most often mean that its quotes were forgotten, or a command misspelt.
fn with_tip(mut error: clap::Error, misspelt: Option<String>) -> clap::Error {
    let stray = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => !argument.starts_with('-'),
        _ => false,
    };
    if error.kind() == ErrorKind::UnknownArgument && stray {
        let quotes = "put the text in quotes: lookback \"A text of several words.\"".to_owned();
        let tip = misspelt.map_or(quotes, |command| {
            format!("did you mean lookback {command}?")
        });
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![StyledStr::from(tip)]),
        );
    }
    error
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Look(commands::look::LookArgs),
    Explain(commands::explain::ExplainArgs),
    Learn(commands::learn::LearnArgs),
    Heads(commands::heads::HeadsArgs),
    Who(commands::who::WhoArgs),
    Stats(commands::stats::StatsArgs),
    Importance(commands::importance::ImportanceArgs),
    Attribute(commands::attribute::AttributeArgs),
    Rollout(commands::rollout::RolloutArgs),
    Compare(commands::compare::CompareArgs),
    Trace(commands::trace::TraceArgs),
    Generate(commands::generate::GenerateArgs),
    Serve(commands::serve::ServeArgs),
    Map(commands::map::MapArgs),
    Export(commands::export::ExportArgs),
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
    /// Print JSON with the keys of this version: 1 has the old names of those that were renamed
    #[arg(
        long,
        global = true,
        value_name = "VERSION",
        value_enum,
        default_value_t
    )]
    pub(crate) json_version: JsonVersion,
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

/// Reads how many of something are wanted.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "give a whole number from 1 on")
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
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn look_is_the_default_command() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&["A text."], &["look", "A text."]),
            (&["-"], &["look", "-"]),
            (&["--file", "x"], &["look", "--file", "x"]),
            (
                &["--json", "--color", "never", "A text."],
                &["--json", "--color", "never", "look", "A text."],
            ),
            (&["--color=never", "models"], &["--color=never", "models"]),
            (&["look", "trace"], &["look", "trace"]),
            (&["--help"], &["--help"]),
            (&[], &[]),
        ];
        for (given, meant) in cases {
            let line = |arguments: &[&str]| -> Vec<OsString> {
                ["lookback"]
                    .iter()
                    .chain(arguments)
                    .map(OsString::from)
                    .collect()
            };
            assert_eq!(with_default_command(line(given)), line(meant));
        }
    }

    #[test]
    fn forgotten_quotes_are_recognised() {
        let error = Cli::try_parse_from(["lookback", "look", "A", "text"]).unwrap_err();
        assert!(
            with_tip(error, None)
                .to_string()
                .contains("put the text in quotes")
        );
    }

    #[test]
    fn a_misspelt_command_is_recognised() {
        let meant = |word: &str| {
            let given: Vec<OsString> = ["lookback", "--json", word].map(OsString::from).into();
            misspelt_command(&given, &with_default_command(given.clone()))
        };
        assert_eq!(meant("explan").as_deref(), Some("explain"));
        assert_eq!(meant("ehads").as_deref(), Some("heads"));
        for text in ["explain", "he", "A text.", "--file", "--trace", "Hello", ""] {
            assert_eq!(meant(text), None, "{text}");
        }
        let error = Cli::try_parse_from(["lookback", "look", "explan", "A text."]).unwrap_err();
        let told = with_tip(error, meant("explan")).to_string();
        assert!(told.contains("did you mean lookback explain?"), "{told}");
    }
}
