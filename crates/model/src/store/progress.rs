//! Telling whoever waits how far a fetch is.

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Another process is fetching the same model; this one waits for it.
    Waiting {
        /// The model.
        model: String,
    },
    /// Bytes come in over the network.
    Downloading {
        /// What is fetched.
        name: String,
    },
    /// A file is taken out of the archive that it came in.
    Unpacking {
        /// The file.
        name: String,
    },
    /// A file is read to check its SHA-256.
    Verifying {
        /// The file.
        name: String,
    },
}

/// Hears how far a fetch is, and can stop it.
///
/// Stages follow one another: each [`begin`](Progress::begin) ends the stage before it.
pub trait Progress: Sync {
    /// A stage begins; `total` is how many bytes it has, where that is known.
    fn begin(&self, stage: &Stage, total: Option<u64>);
    /// So many bytes of the stage are done. It may fall back, where a download has to start over.
    fn advance(&self, done: u64);
    /// The last stage ended, whether well or not.
    fn finish(&self);
    /// Something that the person should know, whatever comes of the fetch: one sentence.
    fn notice(&self, _message: &str) {}
    /// Whether to stop: asked several times a second. A stopped fetch ends in
    /// [`Error::Interrupted`](super::Error::Interrupted), its child processes gone.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Tells nobody, and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: &Stage, _total: Option<u64>) {}
    fn advance(&self, _done: u64) {}
    fn finish(&self) {}
}
