//! What sentences are drawn from.

/// Which names, topics and templates sentences are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Names, topics and templates of training.
    Training,
    /// Names that training never shows, in its topics and templates.
    HeldOutNames,
    /// Templates, topics and names that training never shows.
    HeldOutTemplates,
}

impl Split {
    /// What it is called in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::HeldOutNames => "held-out names",
            Self::HeldOutTemplates => "held-out templates",
        }
    }
}
