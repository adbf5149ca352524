//! The store, with programs and servers written here in place of pip, uv and the hub.
#![cfg(unix)]

mod hub;
mod hub_addresses;
mod hub_failures;
mod package;
mod package_failures;
mod support;
