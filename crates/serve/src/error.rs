//! What keeps the server from running.

use std::net::SocketAddr;

/// Why the server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; choose another with --port, or 0 for any free one"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Other machines could ask, and nothing would keep them from it.
    #[error("{address} can be reached by other machines: serve it with a token")]
    NeedsToken {
        /// The address.
        address: SocketAddr,
    },
    /// Neither a model nor a trace was given.
    #[error("there is nothing to serve: give a model, a trace, or both")]
    Nothing,
    /// The model is another one than the trace's.
    #[error(
        "the trace was made by {trace} (SHA-256 {trace_sha256}), and {model} has SHA-256 {model_sha256}: \
         name the model that made it, or leave it out"
    )]
    OtherModel {
        /// The trace's model.
        trace: String,
        /// Its hash.
        trace_sha256: String,
        /// The model that was given.
        model: String,
        /// Its hash.
        model_sha256: String,
    },
    /// The page cannot show the trace: it is of cross-attention.
    #[error(transparent)]
    Trace(#[from] lookback_trace::Error),
    /// The system does not give what a server needs.
    #[error("the server stopped: {0}")]
    System(#[from] std::io::Error),
}
