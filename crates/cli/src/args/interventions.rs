//! Interventions on a run, as every command takes them.

use std::path::PathBuf;

use clap::Args;
use lookback_heads::edges::EdgeName;
use lookback_heads::head;
use lookback_heads::interventions::NamedInterventions;
use lookback_trace::HeadId;

/// Which heads are ablated and which edges are cut while the model reads.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Interventions")]
pub(crate) struct InterventionArgs {
    /// Ablate these heads: their outputs are set to zero, as 5.1,9.4
    #[arg(long, value_name = "HEADS", value_delimiter = ',', value_parser = head::parse)]
    pub(crate) ablate: Vec<HeadId>,
    /// Cut an edge before the softmax, from a word to an earlier one, in some heads or all: "he->Madd@14.8"; may be
    /// repeated
    #[arg(long, value_name = "WORD->WORD@HEADS")]
    pub(crate) cut: Vec<EdgeName>,
    #[command(flatten)]
    pub(crate) reference: ReferenceArgs,
}

/// What heads are ablated to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Interventions")]
pub(crate) struct ReferenceArgs {
    /// Ablate heads to their mean output over the texts of this file, one a line, instead of to zero
    #[arg(long, value_name = "FILE", requires = "ablate")]
    pub(crate) mean_over: Option<PathBuf>,
}

impl InterventionArgs {
    /// What is asked for.
    pub(crate) fn named(&self) -> NamedInterventions {
        NamedInterventions {
            ablate: self.ablate.clone(),
            cut: self.cut.clone(),
        }
    }

    /// The interventions in words; none where there are none.
    pub(crate) fn describe(&self) -> Option<String> {
        let to = match self.reference.mean_over {
            None => "",
            Some(_) => " to the mean output",
        };
        self.named()
            .describe_as(|heads| format!("{heads} ablated{to}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interventions_are_described_as_the_field_does() {
        let args = InterventionArgs {
            ablate: vec![head::parse("9.4").unwrap()],
            cut: vec!["he->Madd@14.8".parse().unwrap()],
            ..InterventionArgs::default()
        };
        assert_eq!(
            args.describe().unwrap(),
            "L9H4 ablated, edges cut: he->Madd@14.8"
        );
        assert_eq!(InterventionArgs::default().describe(), None);
    }
}
