//! What is changed in the model while it reads, as requests and answers write it.

use lookback_heads::interventions::NamedInterventions;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::request;

/// Heads and edges of one text at most.
const MOST: usize = 4096;

/// Heads as `5.1`, edges as `he->Madd@14.8`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenInterventions {
    ablate: Vec<String>,
    cut: Vec<String>,
}

impl WrittenInterventions {
    pub(super) fn of(interventions: &NamedInterventions) -> Self {
        let heads = interventions.ablate.iter();
        Self {
            ablate: heads
                .map(|id| format!("{}.{}", id.layer, id.head))
                .collect(),
            cut: interventions.cut.iter().map(ToString::to_string).collect(),
        }
    }

    /// What they mean; in order and each once, so that the same interventions have the same trace.
    pub(super) fn read(&self) -> Result<NamedInterventions, ApiError> {
        if self.ablate.len() + self.cut.len() > MOST {
            return Err(ApiError::invalid(format!(
                "{} interventions are asked for; {MOST} are made at most",
                self.ablate.len() + self.cut.len()
            )));
        }
        let heads = self.ablate.iter().map(|name| request::head(name));
        let mut ablate = heads.collect::<Result<Vec<_>, _>>()?;
        ablate.sort_unstable();
        ablate.dedup();
        let mut cut = Vec::new();
        let mut names: Vec<&String> = self.cut.iter().collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            cut.push(name.parse().map_err(ApiError::from)?);
        }
        Ok(NamedInterventions { ablate, cut })
    }
}
