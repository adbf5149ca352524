//! The command `lookback`: see what each attention head of a real model looks back at.

mod args;
mod cli;
mod commands;
mod context;
mod disk;
mod failure;
mod interrupt;
mod json_version;
mod layer_progress;
mod output;
mod parse;
mod picture;
mod progress;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = parse::command_line();
    cli.global.apply_color();
    cli.global.json_version.apply();
    let installed = interrupt::install().and_then(|()| Ok(lookback_trace::explain_bus_errors()?));
    if let Err(error) = installed {
        return failure::report(&error);
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
