//! Changes to a run, as several commands take them.

use clap::Args;
use lookback_heads::edges::{self, EdgeName};
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
    /// The interventions on a run over this text. They are empty where nothing is asked for, and then change nothing.
    pub(crate) fn on(&self, model: &Model, encoding: &Encoding) -> anyhow::Result<Interventions> {
        let config = model.config();
        let mut interventions = Interventions::default();
        for &head in &self.ablate {
            head::check(head, config.layers, config.heads)?;
            interventions.ablate(head);
        }
        interventions.cut(edges::find(model, encoding, &self.cut)?);
        Ok(interventions)
    }

    /// What was taken out, in words; none where nothing was.
    pub(crate) fn told(&self) -> Option<String> {
        let heads: Vec<String> = self.ablate.iter().map(|&h| head::name(h)).collect();
        let edges: Vec<String> = self.cut.iter().map(EdgeName::to_string).collect();
        let mut told = Vec::new();
        if !heads.is_empty() {
            told.push(format!("without {}", heads.join(", ")));
        }
        if !edges.is_empty() {
            told.push(format!("edges cut: {}", edges.join("; ")));
        }
        (!told.is_empty()).then(|| told.join(", "))
    }
}
