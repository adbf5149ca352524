//! Interventions in a run as a person names them: heads without their outputs, and edges that are cut.

use lookback_model::{Encoding, Interventions, Model};
use lookback_trace::HeadId;

use crate::edges::{self, EdgeName};
use crate::mean_output::MeanOutputs;
use crate::{Error, head};

/// What is done to a model while it reads a text: heads ablated, edges cut.
///
/// ```
/// use lookback_heads::interventions::NamedInterventions;
/// use lookback_heads::head;
/// let changes = NamedInterventions {
///     ablate: vec![head::parse("5.1")?],
///     cut: vec!["he->Madd@14.8".parse()?],
/// };
/// assert_eq!(changes.describe().unwrap(), "L5H1 ablated, edges cut: he->Madd@14.8");
/// assert_eq!(NamedInterventions::default().describe(), None);
/// # Ok::<(), lookback_heads::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedInterventions {
    /// Heads whose outputs are set to zero.
    pub ablate: Vec<HeadId>,
    /// Edges that are cut before the softmax.
    pub cut: Vec<EdgeName>,
}

impl NamedInterventions {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ablate.is_empty() && self.cut.is_empty()
    }

    /// The interventions on a run over a text; empty where nothing is changed.
    ///
    /// # Errors
    /// [`Error::NoSuchHead`], and those of [`edges::find`].
    pub fn on(&self, model: &Model, encoding: &Encoding) -> Result<Interventions, Error> {
        self.on_with(model, encoding, &MeanOutputs::default())
    }

    /// The same with heads ablated to their mean output, where `means` has one, and not to zero.
    ///
    /// # Errors
    /// As [`NamedInterventions::on`].
    pub fn on_with(
        &self,
        model: &Model,
        encoding: &Encoding,
        means: &MeanOutputs,
    ) -> Result<Interventions, Error> {
        let spec = model.spec();
        for &id in &self.ablate {
            head::check(id, spec.layers.len(), spec.heads)?;
        }
        let mut interventions = Interventions::default();
        means.ablate(&self.ablate, encoding.prefix_tokens, &mut interventions);
        interventions.cut(edges::find(model, encoding, &self.cut)?);
        Ok(interventions)
    }

    /// What is done, in words; none where nothing is.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        self.describe_as(|heads| format!("{heads} ablated"))
    }

    /// As [`describe`](Self::describe), where `ablated` says of some heads' names what is done to them.
    #[must_use]
    pub fn describe_as(&self, ablated: impl FnOnce(&str) -> String) -> Option<String> {
        let heads: Vec<String> = self.ablate.iter().map(|&id| head::name(id)).collect();
        let edges: Vec<String> = self.cut.iter().map(EdgeName::to_string).collect();
        let mut said = Vec::new();
        if !heads.is_empty() {
            said.push(ablated(&heads.join(", ")));
        }
        if !edges.is_empty() {
            said.push(format!("edges cut: {}", edges.join("; ")));
        }
        (!said.is_empty()).then(|| said.join(", "))
    }
}
