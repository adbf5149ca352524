//! What is served, and where.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lookback_heads::interventions::NamedInterventions;
use lookback_model::{Model, Prefix};
use lookback_trace::Trace;

/// A model and what to call it.
#[derive(Clone)]
pub struct NamedModel {
    /// The model.
    pub model: Arc<Model>,
    /// What a person calls it.
    pub name: String,
    /// SHA-256 of its weights' file in lower-case hexadecimal.
    pub sha256: String,
}

/// What is served, and where.
pub struct ServeOptions {
    /// Where to listen; port 0 takes any free one.
    pub address: SocketAddr,
    /// Reads texts; without one, only `trace` can be looked at.
    pub model: Option<NamedModel>,
    /// A trace that is there from the start.
    pub trace: Option<Trace>,
    /// The text that the page begins with, where no trace is given.
    pub text: String,
    /// What is changed in the model while it reads the first text; a trace that is given is what it is.
    pub interventions: NamedInterventions,
    /// The prefix of each text.
    pub prefix: Prefix,
    /// What clients may take of the server.
    pub limits: Limits,
}

/// What clients may take of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there may be; more wait to be accepted.
    pub connections: usize,
    /// How long a connection may lie still before it is ended. Longer than any answer takes to begin.
    pub still: Duration,
    /// How long a client may leave an answer unread before its connection is ended.
    pub unread: Duration,
    /// How many texts may wait to be read, the one being read included; for more the answer is an error.
    pub texts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            still: Duration::from_secs(120),
            unread: Duration::from_secs(20),
            texts: 4,
        }
    }
}

impl Default for ServeOptions {
    /// Nothing to serve yet, on any free port of the loopback address.
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            model: None,
            trace: None,
            text: String::new(),
            interventions: NamedInterventions::default(),
            prefix: Prefix::Declared,
            limits: Limits::default(),
        }
    }
}
