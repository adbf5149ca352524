//! Options of every command.

use clap::{Args, ColorChoice};

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
