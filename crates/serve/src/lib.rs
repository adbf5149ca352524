//! The local web application: a text, its heads and their weights in a browser.
//!
//! [`Server::bind`] takes what there is to look at (a model, a trace, or both) and [`Server::run`] serves it until it
//! is told to stop. `docs/api.md` describes the interface that the page uses; it is versioned and can be used by other
//! programs.
//!
//! # What keeps it safe
//! - It listens on the loopback address unless told otherwise, and wants a token, which stands in the address that it
//!   prints: other users of the machine have none.
//! - It answers only requests whose `Host` names it and whose `Origin`, where there is one, is its own: a page of another
//!   site can neither read it nor make it work.
//! - It reads no file at a request: assets are in the binary, and the model and the trace were given at the start.
//! - Bodies, texts, connections, waiting questions and caches are bounded; a client that is slow to ask, says nothing
//!   or does not read loses its connection, at the latest when another needs the room.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod access;
mod api;
mod app;
mod assets;
mod connection;
mod error;
mod failure;
mod hosts;
mod layers;
mod options;
mod places;
mod queue;
mod running;
mod scores;
mod server;
mod tiles;
mod trace_cache;
mod trace_job;

pub use error::Error;
pub use options::{Limits, NamedModel, ServeOptions};
pub use server::Server;
