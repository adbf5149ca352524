//! NamedInterventions to a run, as several commands take them.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use lookback_heads::edges::EdgeName;
use lookback_heads::head;
use lookback_heads::interventions::NamedInterventions;
use lookback_heads::mean_output::MeanOutputs;
use lookback_model::{Encoding, Interventions, Model, Prefix};
use lookback_trace::HeadId;

use crate::args::{ModelArgs, TextArgs};
use crate::context::Context;

/// What is taken out of the model while it reads.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "NamedInterventions to the model")]
pub(crate) struct InterventionArgs {
    /// Take these heads' outputs out, as 5.1,9.4
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
pub(crate) struct ReferenceArgs {
    /// Ablate heads to their mean output over the texts of this file, one a line, instead of to zero
    #[arg(long, value_name = "FILE", requires = "ablate")]
    pub(crate) mean_over: Option<PathBuf>,
}

impl ReferenceArgs {
    /// The heads' mean outputs over the reference set, each text behind the prefix; none without one.
    pub(crate) fn means(
        &self,
        model: &Model,
        heads: &[HeadId],
        context: &Context,
        (args, prefix): (&ModelArgs, Prefix),
    ) -> anyhow::Result<MeanOutputs> {
        let Some(file) = &self.mean_over else {
            return Ok(MeanOutputs::default());
        };
        let source = TextArgs {
            text: None,
            file: Some(file.clone()),
        };
        let lines = context.text(&source)?;
        let lines = lines.lines().filter(|line| !line.trim().is_empty());
        let texts = lines
            .map(|line| context.encode(model, line, args, prefix.clone()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let reading = context.reading(texts.iter().map(|text| text.ids.len()).sum());
        MeanOutputs::over(model, &texts, heads, &reading)
            .with_context(|| format!("cannot average over {}", file.display()))
    }
}

impl InterventionArgs {
    /// What is asked for.
    pub(crate) fn changes(&self) -> NamedInterventions {
        NamedInterventions {
            ablate: self.ablate.clone(),
            cut: self.cut.clone(),
        }
    }

    /// A text behind the declared prefix, or that of `args`, and the interventions on a run over it.
    pub(crate) fn encode(
        &self,
        text: &str,
        model: &Model,
        args: &ModelArgs,
        context: &Context,
    ) -> anyhow::Result<(Encoding, Interventions)> {
        let encoding = context.encode(model, text, args, Prefix::Declared)?;
        let changes = self.on(model, &encoding, context, (args, Prefix::Declared))?;
        Ok((encoding, changes))
    }

    /// The interventions on a run over this text. They are empty where nothing is asked for, and then change nothing.
    ///
    /// A reference set is read behind the same prefix as the text: that of `args`, else `prefix`.
    pub(crate) fn on(
        &self,
        model: &Model,
        encoding: &Encoding,
        context: &Context,
        (args, prefix): (&ModelArgs, Prefix),
    ) -> anyhow::Result<Interventions> {
        let of_prefix = (args, prefix);
        let means = self
            .reference
            .means(model, &self.ablate, context, of_prefix)?;
        Ok(self.changes().on_with(model, encoding, &means)?)
    }

    /// What was taken out, in words; none where nothing was.
    pub(crate) fn describe(&self) -> Option<String> {
        let told = self.changes().describe()?;
        Some(match self.reference.mean_over {
            None => told,
            Some(_) => told.replacen("without ", "with only the mean output of ", 1),
        })
    }
}
