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
    let ready = installed.and_then(|()| cli.global.apply_instruction_set());
    if let Err(error) = ready {
        return failure::report(&error);
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
