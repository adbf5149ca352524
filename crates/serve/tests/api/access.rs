//! The token: who has it, and how a browser gets it.

use lookback_heads::example::Example;
use lookback_serve::{Error, ServeOptions, Server};

use crate::client::{Answer, Running};

fn locked() -> Running {
    Running::locked(ServeOptions {
        trace: Some(Example::default().trace()),
        ..ServeOptions::default()
    })
}

/// The path of an address with what follows it.
fn path(url: &str) -> &str {
    let after = url.strip_prefix("http://").unwrap();
    &after[after.find('/').unwrap()..]
}

/// The cookie that an answer leaves, as the browser sends it back.
fn cookie(answer: &Answer) -> Option<String> {
    let cookie = answer.header("set-cookie")?;
    let (pair, rules) = cookie.split_once("; ").unwrap();
    for rule in ["path=/", "httponly", "samesite=strict"] {
        assert!(rules.contains(rule), "{cookie}");
    }
    Some(format!("Cookie: theme=dark; {pair}; other=1\r\n"))
}

#[test]
fn nothing_is_answered_without_the_token_but_the_page_itself() {
    let server = locked();
    let token = server.token.clone().unwrap();
    for path in ["/api/1/session", "/api/1/traces/0123", "/api/1/nothing"] {
        let answer = server.get(path);
        answer.refuses(401, "open the address that it printed");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&token));
    }
    for (wrong, header) in [
        (
            "another",
            format!("Authorization: Bearer {}\r\n", "0".repeat(32)),
        ),
        (
            "half of it",
            format!("Authorization: Bearer {}\r\n", &token[..16]),
        ),
        ("none", "Authorization: Bearer \r\n".to_owned()),
        ("another name", format!("Cookie: lookback={token}\r\n")),
    ] {
        assert_eq!(
            server.get_with("/api/1/session", &header).status,
            401,
            "{wrong}"
        );
    }
    // A body is not waited for.
    let head = format!(
        "POST /api/1/traces HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n",
        server.address
    );
    assert_eq!(server.send(&head, b"{").status, 401);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(server.get_with("/api/1/session", &bearer).status, 200);
    for path in ["/", "/app.js", "/app.css", "/icon.svg"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains(&token));
    }
}

#[test]
fn the_printed_address_leaves_a_cookie_and_leads_to_the_page() {
    let server = locked();
    let answer = server.get(path(&server.urls[0]));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let cookie = cookie(&answer).unwrap();
    assert_eq!(server.get_with("/api/1/session", &cookie).status, 200);
    let other = Running::locked(ServeOptions {
        trace: Some(Example::default().trace()),
        ..ServeOptions::default()
    });
    assert_eq!(other.get_with("/api/1/session", &cookie).status, 401);
    // The token of another run: the page is there, and asks for this one's.
    let old = server.get("/?token=0123456789abcdef0123456789abcdef");
    assert_eq!((old.status, old.header("location")), (303, Some("/")));
    assert_eq!(old.header("set-cookie"), None);
    let painted = server.get(&format!("{}&paint=2d", path(&server.urls[0])));
    assert_eq!(painted.header("location"), Some("/?paint=2d"));
    server.get("/?colour=red").refuses(400, "colour");
}

#[test]
fn the_address_that_a_browser_is_started_with_is_good_once() {
    let server = locked();
    let once = path(&server.urls[1]);
    assert!(!once.contains(&server.token.clone().unwrap()));
    let bearer = format!(
        "Authorization: Bearer {}\r\n",
        once.rsplit('=').next().unwrap()
    );
    assert_eq!(server.get_with("/api/1/session", &bearer).status, 401);
    let cookie = cookie(&server.get(once)).unwrap();
    assert_eq!(server.get_with("/api/1/session", &cookie).status, 200);
    assert_eq!(server.get(once).header("set-cookie"), None);
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let options = |token| ServeOptions {
        address: ([0, 0, 0, 0], 0).into(),
        trace: Some(Example::default().trace()),
        token,
        ..ServeOptions::default()
    };
    let refused = Server::bind(options(false)).err();
    assert!(
        matches!(refused, Some(Error::NeedsToken { .. })),
        "{refused:?}"
    );
    let server = Server::bind(options(true)).unwrap();
    let expected = format!("http://localhost:{}/?token=", server.address().port());
    assert!(server.url().starts_with(&expected), "{}", server.url());
}
