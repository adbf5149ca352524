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
    /// Whether only those may ask who show the token of [`Server::url`](crate::Server::url). On an address that other
    /// machines reach, they must.
    pub token: bool,
    /// What clients may take of the server.
    pub limits: Limits,
}

/// What clients may take of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there may be. For another one the connection gives way that has waited longest for a request;
    /// where all are being answered, it waits to be accepted.
    pub connections: usize,
    /// How many of them one peer may have: an address, or 64 bits of IPv6.
    pub connections_per_peer: usize,
    /// How long a client may take over the head of a request, or say nothing between two.
    pub head: Duration,
    /// How long it may take over a body.
    pub body: Duration,
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
            connections_per_peer: 128,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            still: Duration::from_secs(120),
            unread: Duration::from_secs(20),
            texts: 4,
        }
    }
}

impl Default for ServeOptions {
    /// Nothing to serve yet, on any free port of the loopback address, with a token.
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            model: None,
            trace: None,
            text: String::new(),
            interventions: NamedInterventions::default(),
            prefix: Prefix::Declared,
            token: true,
            limits: Limits::default(),
        }
    }
}
