//! The server as its clients meet it: over a socket.

mod access;
mod answers;
mod client;
mod connections;
mod hostile;
mod model;
mod safety;
mod trace_kinds;
