//! Who may ask, and what the page may do.

use lookback_heads::example::Example;
use lookback_serve::{Error, ServeOptions, Server};

use crate::client::Running;

#[test]
fn only_requests_that_name_this_server_are_answered() {
    let server = Running::of(&Example::default());
    let port = server.address.port();
    let ask = |host: &str| {
        server
            .send(
                &format!(
                    "GET /api/1/session HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                ),
                b"",
            )
            .status
    };
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
    ] {
        assert_eq!(ask(&host), 200, "{host}");
    }
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("127.0.0.1.evil.example:{port}"),
        String::new(),
    ] {
        assert_eq!(ask(&host), 403, "{host}");
    }
}

/// What one part of a request says and another does not is refused: a proxy may have read the other.
#[test]
fn requests_that_name_two_servers_are_refused() {
    let server = Running::of(&Example::default());
    let (own, evil) = (server.address.to_string(), "evil.example");
    let ask = |target: &str, headers: &[&str]| {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!("GET {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
        server.send(&head, b"")
    };
    let path = "/api/1/session";
    let host = format!("Host: {own}");
    let origin = format!("Origin: http://{own}");
    let other = format!("Host: {evil}");
    for twice in [[&host, &host], [&host, &other], [&other, &host]] {
        let twice = twice.map(String::as_str);
        ask(path, &twice).refuses(400, "host is there more than once");
    }
    ask(path, &[&host, &origin, &origin]).refuses(400, "origin is there more than once");
    // A target that is a whole address, as proxies are sent it.
    let whole = |host: &str| format!("http://{host}{path}");
    assert_eq!(ask(&whole(&own), &[&host]).status, 200);
    for (target, host) in [
        (evil, &host),
        (&own, &other),
        (&format!("user@{own}"), &host),
        (&format!("localhost:{}", server.address.port()), &host),
    ] {
        assert_eq!(ask(&whole(target), &[host]).status, 403, "{target} {host}");
    }
}

#[test]
fn other_sites_may_not_ask() {
    let server = Running::of(&Example::default());
    let own = format!("http://{}", server.address);
    let ask = |path: &str, header: &str| {
        server
            .send(
                &format!(
                    "GET {path} HTTP/1.0\r\nHost: {}\r\n{header}\r\n\r\n",
                    server.address
                ),
                b"",
            )
            .status
    };
    assert_eq!(ask("/api/1/session", &format!("Origin: {own}")), 200);
    for origin in [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1:1",
    ] {
        assert_eq!(
            ask("/api/1/session", &format!("Origin: {origin}")),
            403,
            "{origin}"
        );
    }
    assert_eq!(ask("/api/1/session", "Sec-Fetch-Site: same-origin"), 200);
    for site in ["cross-site", "same-site"] {
        assert_eq!(
            ask("/api/1/session", &format!("Sec-Fetch-Site: {site}")),
            403
        );
        assert_eq!(ask("/app.js", &format!("Sec-Fetch-Site: {site}")), 403);
        // A link may open the page itself.
        assert_eq!(ask("/", &format!("Sec-Fetch-Site: {site}")), 200);
    }
}

#[test]
fn every_answer_limits_what_the_page_may_do() {
    let server = Running::of(&Example::default());
    for path in [
        "/",
        "/app.js",
        "/app.css",
        "/icon.svg",
        "/api/1/session",
        "/nothing",
    ] {
        let answer = server.get(path);
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; ",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(
                answer.headers.contains(header),
                "{path} lacks {header}:\n{}",
                answer.headers
            );
        }
        assert!(!answer.headers.contains("access-control-allow-origin"));
        assert!(!answer.headers.contains("unsafe"));
    }
}

#[test]
fn it_stops_when_it_is_told_to() {
    let server = Running::of(&Example::default());
    let address = server.address;
    server.stop();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn it_starts_on_the_loopback_address_and_says_why_it_cannot_start() {
    let options = |address| ServeOptions {
        address,
        trace: Some(Example::default().trace()),
        token: false,
        ..ServeOptions::default()
    };
    let server = Server::bind(options(ServeOptions::default().address)).unwrap();
    assert!(server.address().ip().is_loopback());
    assert_eq!(
        server.url(),
        format!("http://127.0.0.1:{}/", server.address().port())
    );
    assert!(matches!(
        Server::bind(options(server.address())),
        Err(Error::Listen { .. })
    ));
    assert!(matches!(
        Server::bind(ServeOptions::default()),
        Err(Error::Nothing)
    ));
}
