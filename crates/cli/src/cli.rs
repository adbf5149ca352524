//! The command line as a whole, and which command it calls.

use clap::{Parser, Subcommand};

use crate::args::GlobalArgs;
use crate::commands::{
    attribute, bench, compare, explain, export, fill, generate, heads, importance, learn, look,
    map, models, rollout, serve, stats, trace, who,
};
use crate::context::Context;

const EXAMPLES: &str = "\
Examples:
  lookback \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\"
  lookback --file essay.txt --json
  echo \"The dog chased the cat because it was angry.\" | lookback -
  lookback explain \"Tom thanked Ann because she helped.\" --head 9.4 --word she
  lookback serve
  lookback map \"A text of some length.\" --head 5.1 -o map.svg
  lookback models

A text that is itself the name of a command, or nearly, is read with `lookback look TEXT`.

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
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    Look(look::LookArgs),
    Explain(explain::ExplainArgs),
    Learn(learn::LearnArgs),
    Heads(heads::HeadsArgs),
    Who(who::WhoArgs),
    Stats(stats::StatsArgs),
    Importance(importance::ImportanceArgs),
    Attribute(attribute::AttributeArgs),
    Rollout(rollout::RolloutArgs),
    Compare(compare::CompareArgs),
    Trace(trace::TraceArgs),
    Generate(generate::GenerateArgs),
    Fill(fill::FillArgs),
    Serve(serve::ServeArgs),
    Map(map::MapArgs),
    Export(export::ExportArgs),
    Models(models::ModelsArgs),
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

impl Cli {
    /// Does what the command line says, and names the tokens and the prefix that texts were read with.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let context = Context::new(&self.global);
        match &self.command {
            Command::Look(args) => look::run(args, &context),
            Command::Explain(args) => explain::run(args, &context),
            Command::Learn(args) => learn::run(args, &context),
            Command::Heads(args) => heads::run(args, &context),
            Command::Who(args) => who::run(args, &context),
            Command::Stats(args) => stats::run(args, &context),
            Command::Importance(args) => importance::run(args, &context),
            Command::Attribute(args) => attribute::run(args, &context),
            Command::Rollout(args) => rollout::run(args, &context),
            Command::Compare(args) => compare::run(args, &context),
            Command::Trace(args) => trace::run(args, &context),
            Command::Generate(args) => generate::run(args, &context),
            Command::Fill(args) => fill::run(args, &context),
            Command::Serve(args) => serve::run(args, &context),
            Command::Map(args) => map::run(args, &context),
            Command::Export(args) => export::run(args, &context),
            Command::Models(args) => models::run(args, &context),
            Command::Bench(command) => bench::run(command, &context),
        }?;
        context.print_inputs();
        Ok(())
    }
}
