//! Which model reads the text, and how.

use std::convert::Infallible;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use lookback_model::store::DEFAULT_MODEL;
use lookback_model::{Prefix, WeightsKind};

use super::checkpoint::CheckpointArgs;

/// Which model reads the text, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// A name that `lookback models` lists, a folder, a .gguf file, or hf:OWNER/NAME[/FILE] [default: smollm2-135m]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// The tokens before the text: `none`, `bos`, or a text, which may hold special tokens [default: the prefix
    /// declared for the model, else its bos token, else none]
    #[arg(long, value_name = "none|bos|TEXT")]
    pub(crate) prefix: Option<PrefixArg>,
    /// Cut a text that is longer than the model's context instead of rejecting it
    #[arg(long)]
    pub(crate) truncate: bool,
    #[command(flatten)]
    pub(crate) checkpoint: CheckpointArgs,
}

impl ModelArgs {
    /// The model that is named, else the default one.
    pub(crate) fn name(&self) -> &str {
        self.model.as_deref().unwrap_or(DEFAULT_MODEL)
    }

    /// The prefix that every text is read behind: the one given, else the one declared for the model.
    pub(crate) fn prefix(&self) -> Prefix {
        PrefixArg::or_declared(self.prefix.as_ref())
    }
}

/// A [`Prefix`] as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrefixArg(Prefix);

impl PrefixArg {
    /// The prefix given, else the one declared for the model.
    pub(crate) fn or_declared(given: Option<&Self>) -> Prefix {
        given.map_or(Prefix::Declared, |prefix| prefix.0.clone())
    }
}

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

/// A [`WeightsKind`] as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WeightsArg {
    F32,
    Quantized,
}

impl From<WeightsArg> for WeightsKind {
    fn from(weights: WeightsArg) -> Self {
        match weights {
            WeightsArg::F32 => Self::F32,
            WeightsArg::Quantized => Self::Quantized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_the_default_model() {
        let command = ModelArgs::augment_args(clap::Command::new("lookback"));
        let help = command.clone().render_long_help().to_string();
        assert!(
            help.contains(&format!("[default: {DEFAULT_MODEL}]")),
            "{help}"
        );
    }

    #[test]
    fn the_prefix_is_the_declared_one_unless_another_is_given() {
        let prefix = |given: Option<&str>| {
            let parsed: Option<PrefixArg> = given.map(|text| text.parse().unwrap());
            PrefixArg::or_declared(parsed.as_ref())
        };
        assert_eq!(prefix(None), Prefix::Declared);
        assert_eq!(prefix(Some("none")), Prefix::None);
        assert_eq!(prefix(Some("bos")), Prefix::Bos);
        assert_eq!(prefix(Some("<s>")), Prefix::Text("<s>".to_owned()));
    }
}
