//! Bad questions and bad clients.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use lookback_heads::example::Example;

use crate::client::{Running, long};

#[test]
fn bad_questions_are_refused_with_a_sentence() {
    let server = Running::of(&Example::default());
    let cases = [
        ("/around?index=99", 400, "there is no word 99"),
        ("/around?index=-1", 400, "index"),
        ("/around", 400, "index"),
        ("/around?index=1&colour=red", 400, "colour"),
        ("/around?index=1&heads=9.9", 400, "there is no head L9H9"),
        ("/around?index=1&heads=x", 400, "is not a head"),
        ("/around?index=1&above=7", 400, "from 0 to 1"),
        ("/around?index=1&above=NaN", 400, "from 0 to 1"),
        ("/around?index=1&target=99", 400, "there is no word 99"),
        ("/heads/0.0/tile?zoom=9&row=0&col=0", 400, "beyond 0"),
        (
            "/heads/0.0/tile?zoom=0&row=1&col=0",
            400,
            "there is no tile 1",
        ),
        (
            "/heads/0.0/tile?zoom=0&row=18446744073709551615&col=0",
            400,
            "there is no tile",
        ),
        (
            "/heads/7.0/tile?zoom=0&row=0&col=0",
            400,
            "there is no layer 7",
        ),
        (
            "/heads/0.0/row?query=18446744073709551615",
            400,
            "there are no queries",
        ),
        (
            "/heads/0.0/weights.json?from_row=9&to_row=2",
            400,
            "there are no queries 9..2",
        ),
        (
            "/heads/0.0/map.svg?from_row=0&to_row=9999",
            400,
            "nothing to draw",
        ),
        (
            "/heads/0.0/map.svg?from_col=3&to_col=3",
            400,
            "nothing to draw",
        ),
        ("/heads/%00/row?query=1", 400, "is not a head"),
        ("/steps?head=0.0", 409, "--trace and --model"),
        ("/nothing", 404, "docs/api.md"),
    ];
    for (path, status, says) in cases {
        server.ask(path).refuses(status, says);
    }
    server
        .get("/api/1/traces/0123/around?index=1")
        .refuses(404, "there is no trace \"0123\"");
    server.get("/etc/passwd").refuses(404, "");
    server.get("/../../etc/passwd").refuses(404, "");
    server.post("/api/1/session", b"{}").refuses(405, "");
}

/// As `docs/api.md` says, for every path.
#[test]
fn parameters_that_are_not_listed_are_refused_everywhere() {
    let server = Running::of(&Example::default());
    let whole = [
        "/",
        "/?paint=3d",
        "/app.js",
        "/app.css",
        "/icon.svg",
        "/api/1/session",
        "/api/1/scores",
    ];
    let of_trace = [
        "",
        "/token-attention?index=1",
        "/around?index=1",
        "/grid",
        "/profiles",
        "/passports",
        "/statistics/heads.csv",
        "/statistics/heads.json",
        "/heads/0.0/tile?zoom=0&row=0&col=0",
        "/heads/0.0/row?query=1",
        "/heads/0.0/weights.json",
        "/heads/0.0/weights.csv",
        "/heads/0.0/weights.npy",
        "/heads/0.0/map.svg",
        "/heads/0.0/map.png",
        "/text.svg?index=1",
        "/text.png?index=1",
        "/page.html",
        "/page.json",
        "/steps",
    ];
    let of_trace = of_trace.map(|path| format!("/api/1/traces/{}{path}", server.trace));
    let all = whole
        .iter()
        .copied()
        .chain(of_trace.iter().map(String::as_str));
    for path in all {
        let sign = if path.contains('?') { '&' } else { '?' };
        server
            .get(&format!("{path}{sign}colour=red"))
            .refuses(400, "");
    }
    for path in ["/traces", "/scores", "/generate"] {
        server
            .post(&format!("/api/1{path}?colour=red"), b"{}")
            .refuses(400, "no parameters");
    }
    for path in ["/who", "/predict"] {
        let body = serde_json::json!({});
        server
            .tell(&format!("{path}?colour=red"), &body)
            .refuses(400, "no parameters");
    }
}

#[test]
fn bodies_are_json_and_nothing_else() {
    let server = Running::of(&Example::default());
    let post = |path: &str, kind: &str| {
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: {}\r\n{kind}Content-Length: 2\r\n\r\n",
            server.address
        );
        server.send(&head, b"{}").status
    };
    let trace = format!("/api/1/traces/{}", server.trace);
    let of_trace = ["/who", "/predict"].map(|path| format!("{trace}{path}"));
    let others = ["/api/1/traces", "/api/1/scores", "/api/1/generate"].map(str::to_owned);
    for path in of_trace.into_iter().chain(others) {
        for kind in [
            "",
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: application/ld+json\r\n",
            "Content-Type: text/plain; application/json\r\n",
            "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        ] {
            assert_eq!(post(&path, kind), 415, "{path} {kind:?}");
        }
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        assert!([409, 422].contains(&post(&path, json)), "{path}");
    }
}

#[test]
fn more_numbers_than_one_answer_holds_are_refused() {
    let server = Running::of(&long(2100));
    server
        .ask("/heads/0.0/weights.json")
        .refuses(400, "ask for fewer");
}

#[test]
fn bad_bodies_are_refused() {
    let server = Running::of(&Example::default());
    server.post("/api/1/traces", b"{").refuses(400, "");
    server
        .post("/api/1/traces", b"{\"text\": 7}")
        .refuses(422, "");
    server
        .post(
            "/api/1/traces",
            b"{\"text\": \"a\", \"path\": \"/etc/passwd\"}",
        )
        .refuses(422, "unknown field");
    server
        .post("/api/1/traces", b"{\"text\": \"\"}")
        .refuses(400, "empty");
    server
        .post("/api/1/traces", b"{\"text\": \"a new text\"}")
        .refuses(409, "needs a model");
    let text = "x".repeat((1 << 20) + 1);
    server
        .post(
            "/api/1/traces",
            format!("{{\"text\": \"{text}\"}}").as_bytes(),
        )
        .refuses(413, "1048576");
    // What is announced as too long is not even waited for.
    let head = format!(
        "POST /api/1/traces HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 7340032\r\n\r\n",
        server.address
    );
    assert_eq!(server.send(&head, b"").status, 413);
    server
        .post(
            "/api/1/generate",
            b"{\"trace\": \"x\", \"max_tokens\": 100000}",
        )
        .refuses(400, "give 1 to 512");
    let head = format!(
        "POST /api/1/traces HTTP/1.0\r\nHost: {}\r\nContent-Length: 2\r\n\r\n",
        server.address
    );
    server.send(&head, b"{}").refuses(415, "");
}

#[test]
fn what_needs_a_model_is_refused_with_how_to_get_one() {
    let server = Running::of(&Example::default());
    let needs = |answer: crate::client::Answer| answer.refuses(409, "--trace and --model");
    needs(server.tell("/who", &serde_json::json!({ "word": 3 })));
    needs(server.tell("/predict", &serde_json::json!({})));
    needs(server.post("/api/1/scores", b"{}"));
    server
        .post("/api/1/scores", b"{\"heads\": 1}")
        .refuses(422, "unknown field");
    let generate = serde_json::json!({ "trace": server.trace });
    needs(server.post("/api/1/generate", generate.to_string().as_bytes()));
    let changed = serde_json::json!({
        "text": lookback_heads::example::SENTENCE, "changes": { "ablate": ["0.1"] }
    });
    needs(server.post("/api/1/traces", changed.to_string().as_bytes()));
    assert_eq!(server.get("/api/1/scores").json()["state"], "none");
}

#[test]
fn a_text_that_is_here_needs_no_model() {
    let server = Running::of(&Example::default());
    let body = serde_json::json!({ "text": lookback_heads::example::SENTENCE }).to_string();
    let answer = server.post("/api/1/traces", body.as_bytes());
    assert_eq!(
        (answer.status, answer.json()["id"].as_str().unwrap()),
        (200, server.trace.as_str())
    );
}

#[test]
fn sixty_four_clients_at_once_all_get_their_tiles() {
    let server = Running::of(&long(700));
    let lengths: Vec<usize> = std::thread::scope(|scope| {
        let ask = |client: usize| {
            let (zoom, row) = (client % 3, client % 2);
            let path = if zoom == 2 {
                "/heads/0.0/tile?zoom=2&row=0&col=0".to_owned()
            } else {
                format!("/heads/0.{}/tile?zoom={zoom}&row={row}&col=0", client % 2)
            };
            server.ask(&path).floats().len()
        };
        let clients: Vec<_> = (0..64)
            .map(|client| scope.spawn(move || ask(client)))
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    assert!(lengths.iter().all(|&length| length > 0));
}

#[test]
fn clients_that_never_read_or_never_ask_keep_nobody_waiting() {
    let server = Running::of(&long(700));
    let mut idle = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let ask = format!(
            "GET /api/1/traces/{}/heads/0.0/weights.csv HTTP/1.1\r\nHost: {}\r\n\r\n",
            server.trace, server.address
        );
        stream.write_all(ask.as_bytes()).unwrap();
        idle.push(stream);
        let mut silent = TcpStream::connect(server.address).unwrap();
        silent.write_all(b"GET / HT").unwrap();
        idle.push(silent);
    }
    assert_eq!(server.ask("/heads/0.1/tile?zoom=0&row=0&col=0").status, 200);
    server.stop();
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_stream_ends_it() {
    let server = Running::of(&long(700));
    for _ in 0..8 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let ask = format!(
            "GET /api/1/traces/{}/grid HTTP/1.1\r\nHost: {}\r\n\r\n",
            server.trace, server.address
        );
        stream.write_all(ask.as_bytes()).unwrap();
        let mut first = [0; 16];
        stream.read_exact(&mut first).unwrap();
    }
    assert_eq!(server.ask("/grid").text().lines().count(), 2);
    server.stop();
}
