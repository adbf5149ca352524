//! The command `lookback`: see what each attention head of a real model looks back at.

mod args;
mod commands;
mod context;
mod failure;
mod interrupt;
mod interventions;
mod json_version;
mod output;
mod picture;
mod progress;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::Cli::from_env();
    cli.global.apply_color();
    cli.global.json_version.apply();
    if let Some(command) = &cli.misspelt {
        output::note(&format!(
            "this is read as a text; the command is lookback {command}"
        ));
    }
    if let Err(error) = interrupt::install() {
        return failure::report(&error);
    }
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
