//! The names by which this server may be addressed.

use std::net::SocketAddr;

/// The names by which this server may be addressed, each with its port.
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string()];
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            hosts.extend(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        Self(hosts)
    }

    /// A `Host` that is this server's. On all addresses, any address of digits is: names are what DNS can rebind.
    pub(crate) fn know(&self, host: &str) -> bool {
        let literal = || {
            let listens_everywhere =
                self.0[0].starts_with("0.0.0.0:") || self.0[0].starts_with("[::]:");
            listens_everywhere && host.parse::<SocketAddr>().is_ok()
        };
        self.0.iter().any(|known| known.eq_ignore_ascii_case(host)) || literal()
    }
}
