//! From the words of the command line to a [`Cli`]: `look` where no command is named, and tips where one is misspelt.

use std::ffi::OsString;
use std::io::Write as _;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};
use lookback_heads::edit_distance::edit_distance;
use lookback_trace::{printable, quoted};

use crate::cli::Cli;
use crate::output;

/// The command line of this process; where it is wrong, says so and ends with exit code 2.
pub(crate) fn command_line() -> Cli {
    match parse(std::env::args_os().collect()) {
        Ok(Parsed { cli, misspelt }) => {
            if let Some(command) = misspelt {
                output::note(&format!(
                    "this is read as a text; the command is lookback {command}"
                ));
            }
            cli
        }
        Err(error) => exit(&error),
    }
}

/// Ends as the parser's error asks, which repeats what was given, however long that is: then a part of it is left out.
fn exit(error: &clap::Error) -> ! {
    let message = error.to_string();
    if !error.use_stderr() || message.len() <= output::LONGEST_MESSAGE {
        error.exit();
    }
    let mut stderr = anstream::stderr().lock();
    // Where standard error is gone, the exit code is all that is left to say.
    let _ = writeln!(stderr, "{}", output::shortened(&message));
    std::process::exit(error.exit_code());
}

/// A command line that can be run.
struct Parsed {
    cli: Cli,
    /// The command that the text may have meant, where other arguments say that it is a text all the same.
    misspelt: Option<String>,
}

fn parse(given: Vec<OsString>) -> Result<Parsed, clap::Error> {
    let line = with_default_command(given.clone());
    let misspelt = Misspelt::find(&given, &line);
    if let Some(Misspelt {
        word,
        command,
        alone: true,
    }) = &misspelt
    {
        let message = format!(
            "{} is no command: did you mean lookback {command}? To read it as a text: lookback look {}\n",
            quoted(word),
            printable(word)
        );
        return Err(Cli::command().error(ErrorKind::InvalidSubcommand, message));
    }
    let misspelt = misspelt.map(|misspelt| misspelt.command);
    match Cli::try_parse_from(line) {
        Ok(cli) => Ok(Parsed { cli, misspelt }),
        Err(error) => Err(with_tip(error, misspelt)),
    }
}

/// The place of the first argument that is not an option of every command; none where it names a command, or help.
fn place_of_text(line: &[OsString]) -> Option<usize> {
    let command = Cli::command();
    let mut at = 1;
    while let Some(argument) = line.get(at).and_then(|argument| argument.to_str()) {
        match argument {
            "--json" => at += 1,
            "--color" | "--instruction-set" | "--json-version" => at += 2,
            option
                if ["--color=", "--instruction-set=", "--json-version="]
                    .iter()
                    .any(|name| option.starts_with(name)) =>
            {
                at += 1;
            }
            "help" | "-h" | "--help" | "-V" | "--version" => return None,
            name if command.find_subcommand(name).is_some() => return None,
            _ => break,
        }
    }
    (at < line.len()).then_some(at)
}

/// Puts `look` where no command is named.
fn with_default_command(mut line: Vec<OsString>) -> Vec<OsString> {
    if let Some(at) = place_of_text(&line) {
        line.insert(at, "look".into());
    }
    line
}

/// A text of one word that is a command but for a letter or two.
#[derive(Debug, PartialEq, Eq)]
struct Misspelt {
    word: String,
    command: String,
    /// Whether nothing but the options of every command is given with it.
    alone: bool,
}

impl Misspelt {
    fn find(given: &[OsString], line: &[OsString]) -> Option<Self> {
        let (at, _) = given
            .iter()
            .zip(line)
            .enumerate()
            .find(|(_, (given, now))| given != now)?;
        let word = given[at].to_str().filter(|word| !word.starts_with('-'))?;
        let cli = Cli::command();
        let names = cli.get_subcommands().map(clap::Command::get_name);
        let (_, command) = names
            .chain(["help"])
            .filter_map(|name| Some((edit_distance(word, name)?, name)))
            .min_by_key(|&(distance, _)| distance)?;
        let after: Vec<OsString> = [given[0].clone()]
            .into_iter()
            .chain(given[at + 1..].iter().cloned())
            .collect();
        let help = |argument: &OsString| {
            let help = ["help", "-h", "--help"];
            argument.to_str().is_some_and(|arg| help.contains(&arg))
        };
        Some(Self {
            word: word.to_owned(),
            command: command.to_owned(),
            alone: place_of_text(&after).is_none() && !after[1..].iter().any(help),
        })
    }
}

/// Words after a text most often mean that its quotes were forgotten, or a command misspelt.
fn with_tip(mut error: clap::Error, misspelt: Option<String>) -> clap::Error {
    let stray = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => !argument.starts_with('-'),
        _ => false,
    };
    let tip = match misspelt {
        Some(command) => Some(format!("did you mean lookback {command}?")),
        None if stray => {
            Some("put the text in quotes: lookback \"A text of several words.\"".to_owned())
        }
        None => None,
    };
    if let (ErrorKind::UnknownArgument, Some(tip)) = (error.kind(), tip) {
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![StyledStr::from(tip)]),
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Vec<OsString> {
        let arguments = ["lookback"].iter().chain(arguments);
        arguments.map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn look_is_the_default_command() {
        let cases: [(&[&str], &[&str]); 10] = [
            (&["A text."], &["look", "A text."]),
            (&["-"], &["look", "-"]),
            (&["--file", "x"], &["look", "--file", "x"]),
            (
                &["--json", "--color", "never", "A text."],
                &["--json", "--color", "never", "look", "A text."],
            ),
            (&["--color=never", "models"], &["--color=never", "models"]),
            (
                &["--instruction-set", "avx2", "models"],
                &["--instruction-set", "avx2", "models"],
            ),
            (
                &["--instruction-set=avx2", "A text."],
                &["--instruction-set=avx2", "look", "A text."],
            ),
            (&["look", "trace"], &["look", "trace"]),
            (&["--help"], &["--help"]),
            (&[], &[]),
        ];
        for (given, meant) in cases {
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

    fn meant(arguments: &[&str]) -> Option<Misspelt> {
        let given = line(arguments);
        Misspelt::find(&given, &with_default_command(given.clone()))
    }

    #[test]
    fn a_misspelt_command_is_recognised() {
        let command = |word| meant(&["--json", word]).map(|found| found.command);
        assert_eq!(command("explan").as_deref(), Some("explain"));
        assert_eq!(command("ehads").as_deref(), Some("heads"));
        assert_eq!(command("hepl").as_deref(), Some("help"));
        for text in ["explain", "he", "A text.", "--file", "--trace", "Hello", ""] {
            assert_eq!(command(text), None, "{text}");
        }
        let message = parse(line(&["explan", "A text."]))
            .err()
            .unwrap()
            .to_string();
        assert!(
            message.contains("did you mean lookback explain?"),
            "{message}"
        );
        let message = parse(line(&["sevre", "--port", "1"]))
            .err()
            .unwrap()
            .to_string();
        assert!(
            message.contains("did you mean lookback serve?"),
            "{message}"
        );
    }

    /// Where nothing else is given it is more likely a slip than a text of one word, and is not analysed.
    #[test]
    fn a_misspelt_command_alone_is_no_text() {
        for arguments in [
            &["hepl"][..],
            &["--json", "hepl"],
            &["hepl", "--color", "never"],
        ] {
            let error = parse(line(arguments)).err().unwrap();
            assert_eq!(error.exit_code(), 2);
            let message = error.to_string();
            assert!(
                message.contains("did you mean lookback help?")
                    && message.contains("lookback look hepl"),
                "{message}"
            );
        }
        assert!(parse(line(&["look", "hepl"])).is_ok());
        let with_options = parse(line(&["explan", "--head", "9.4"])).unwrap_or_else(|_| panic!());
        assert_eq!(with_options.misspelt.as_deref(), Some("explain"));
    }
}
