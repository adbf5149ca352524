//! Options of every command.

use clap::{Args, ColorChoice};
use lookback_attention::InstructionSet;

use crate::json_version::JsonVersion;

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
    /// Compute with no more than these instructions: avx512, avx2 or portable; the best that this processor has, where this is
    /// not given
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "LOOKBACK_INSTRUCTION_SET"
    )]
    instruction_set: Option<String>,
}

impl GlobalArgs {
    /// Makes the choice of instructions hold for everything that is computed.
    pub(crate) fn apply_instruction_set(&self) -> anyhow::Result<()> {
        let Some(name) = &self.instruction_set else {
            return Ok(());
        };
        let available = InstructionSet::available();
        match available.iter().find(|set| set.name() == name) {
            Some(set) => {
                set.restrict();
                Ok(())
            }
            None => {
                let names: Vec<&str> = available.iter().map(InstructionSet::name).collect();
                anyhow::bail!(
                    "there are no instructions {name:?} here; --instruction-set (or LOOKBACK_INSTRUCTION_SET) may be {}",
                    names.join(", ")
                )
            }
        }
    }

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
