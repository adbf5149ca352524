//! Changes to a run, as several commands take them.

use clap::Args;
use lookback_heads::changes::Changes;
use lookback_heads::edges::EdgeName;
use lookback_heads::head;
use lookback_model::{Encoding, Interventions, Model};
use lookback_trace::HeadId;

/// What is taken out of the model while it reads.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Changes to the model")]
pub(crate) struct InterventionArgs {
    /// Take these heads' outputs out, as 5.1,6.9
    #[arg(long, value_name = "HEADS", value_delimiter = ',', value_parser = head::parse)]
    pub(crate) ablate: Vec<HeadId>,
    /// Cut an edge before the softmax, from a word to an earlier one, in some heads or all: "he->Madd@14.8"; may be
    /// repeated
    #[arg(long, value_name = "WORD->WORD@HEADS")]
    pub(crate) cut: Vec<EdgeName>,
}

impl InterventionArgs {
    /// What is asked for.
    pub(crate) fn changes(&self) -> Changes {
        Changes {
            ablate: self.ablate.clone(),
            cut: self.cut.clone(),
        }
    }

    /// The interventions on a run over this text. They are empty where nothing is asked for, and then change nothing.
    pub(crate) fn on(&self, model: &Model, encoding: &Encoding) -> anyhow::Result<Interventions> {
        Ok(self.changes().on(model, encoding)?)
    }

    /// What was taken out, in words; none where nothing was.
    pub(crate) fn told(&self) -> Option<String> {
        self.changes().told()
    }
}
