//! What every request may use.

use std::sync::Arc;

use crate::Limits;
use crate::access::Access;
use crate::hosts::Hosts;
use crate::queue::Queue;
use crate::scores::Scores;
use crate::trace_cache::TraceCache;

/// What every request may use.
pub(crate) struct App {
    pub(crate) traces: Arc<TraceCache>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) scores: Arc<Scores>,
    pub(crate) hosts: Hosts,
    pub(crate) access: Access,
    /// Where it listens.
    pub(crate) port: u16,
    pub(crate) limits: Limits,
}
