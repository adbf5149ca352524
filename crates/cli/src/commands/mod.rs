//! One file a command: its arguments, and what it does.

pub(crate) mod attribute;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fill;
pub(crate) mod generate;
pub(crate) mod heads;
pub(crate) mod importance;
pub(crate) mod learn;
pub(crate) mod look;
pub(crate) mod map;
pub(crate) mod models;
pub(crate) mod rollout;
pub(crate) mod serve;
mod source;
pub(crate) mod stats;
mod tables;
pub(crate) mod trace;
pub(crate) mod who;
