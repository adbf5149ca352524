//! How the scores are computed.

use lookback_attention::{Mask, Scoring};

/// How the scores are computed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Which keys a query may see; causal where nothing else is said.
    pub mask: Mask,
    /// What q·k is multiplied by; `None` stands for 1/√d_k.
    pub scale: Option<f32>,
    /// \[B\]: how many keys of each batch element are real.
    pub key_lengths: Option<Vec<usize>>,
}

impl Options {
    /// Chooses which keys a query may see.
    #[must_use]
    pub fn with_mask(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// Multiplies q·k by `scale` instead of 1/√d_k.
    #[must_use]
    pub fn with_scale(mut self, scale: f32) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Sets how many keys of each batch element are real.
    #[must_use]
    pub fn with_key_lengths(mut self, lengths: Vec<usize>) -> Self {
        self.key_lengths = Some(lengths);
        self
    }

    pub(super) fn scoring(&self) -> Scoring<'_> {
        let mut scoring = Scoring::default().with_mask(self.mask.clone());
        if let Some(scale) = self.scale {
            scoring = scoring.with_scale(scale);
        }
        match &self.key_lengths {
            Some(lengths) => scoring.with_key_lengths(lengths),
            None => scoring,
        }
    }
}
