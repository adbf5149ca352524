//! Pictures of a trace without a server.
