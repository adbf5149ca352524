//! One file a command: its arguments, and what it does.

pub(crate) mod attribute;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod generate;
pub(crate) mod heads;
pub(crate) mod importance;
pub(crate) mod learn;
pub(crate) mod look;
pub(crate) mod map;
pub(crate) mod models;
pub(crate) mod rollout;
pub(crate) mod serve;
mod source;
pub(crate) mod stats;
pub(crate) mod trace;
pub(crate) mod who;

use crate::args::{Cli, Command};
use crate::context::Context;

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let context = Context::new(&cli.global);
    match cli.command {
        Command::Look(args) => look::run(&args, &context),
        Command::Explain(args) => explain::run(&args, &context),
        Command::Learn(args) => learn::run(&args, &context),
        Command::Heads(args) => heads::run(&args, &context),
        Command::Who(args) => who::run(&args, &context),
        Command::Stats(args) => stats::run(&args, &context),
        Command::Importance(args) => importance::run(&args, &context),
        Command::Attribute(args) => attribute::run(&args, &context),
        Command::Rollout(args) => rollout::run(&args, &context),
        Command::Compare(args) => compare::run(&args, &context),
        Command::Trace(args) => trace::run(&args, &context),
        Command::Generate(args) => generate::run(&args, &context),
        Command::Serve(args) => serve::run(&args, &context),
        Command::Map(args) => map::run(&args, &context),
        Command::Export(args) => export::run(&args, &context),
        Command::Models(args) => models::run(&args, &context),
        Command::Bench(command) => bench::run(&command, &context),
    }
}
