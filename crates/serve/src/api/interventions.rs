//! What is taken out of the model while it reads, as requests and answers write it.

use lookback_heads::interventions::NamedInterventions;
use serde::{Deserialize, Serialize};

use super::ApiError;

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
    pub(super) fn of(changes: &NamedInterventions) -> Self {
        let heads = changes.ablate.iter();
        Self {
            ablate: heads
                .map(|id| format!("{}.{}", id.layer, id.head))
                .collect(),
            cut: changes.cut.iter().map(ToString::to_string).collect(),
        }
    }

    /// What they mean; in order and each once, so that the same changes have the same trace.
    pub(super) fn read(&self) -> Result<NamedInterventions, ApiError> {
        if self.ablate.len() + self.cut.len() > MOST {
            return Err(ApiError::bad(format!(
                "{} changes are asked for; {MOST} are made at most",
                self.ablate.len() + self.cut.len()
            )));
        }
        let heads = self.ablate.iter().map(|name| super::head(name));
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
