//! Clients that say nothing or do not read, and the room that they leave to others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use lookback_heads::example::Example;
use lookback_serve::{Limits, ServeOptions};

use crate::client::{Running, long};

/// Longer than anything here takes, so that a limit that does not hold fails a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

fn serving(example: &Example, limits: Limits) -> Running {
    Running::serving(ServeOptions {
        trace: Some(example.trace()),
        limits,
        ..ServeOptions::default()
    })
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that the server still sends, until it ends the connection.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
            panic!("the connection is still there: {error}")
        }
        _ => bytes,
    }
}

#[test]
fn a_connection_on_which_nothing_moves_is_ended() {
    let limits = Limits {
        still: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = serving(&Example::default(), limits);
    assert_eq!(rest(connect(&server)), b"");
    let mut halfway = connect(&server);
    halfway.write_all(b"GET /api/1/session HTT").unwrap();
    assert!(!rest(halfway).starts_with(b"HTTP/1.1 200"));
    // Whoever asks is answered as ever.
    assert_eq!(server.get("/api/1/session").status, 200);
}

#[test]
fn a_client_that_does_not_read_loses_its_answer_and_its_place() {
    let limits = Limits {
        connections: 1,
        // Long enough that who reads, on a machine that does other things too, is not taken for one that does not.
        unread: Duration::from_secs(2),
        ..Limits::default()
    };
    // Three million weights: more bytes than lie in the buffers between the server and a client that does not read.
    let server = serving(&long(1000), limits);
    let path = format!("/api/1/traces/{}/heads/0.0/weights.json", server.trace);
    let mut unread = connect(&server);
    let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", server.address);
    unread.write_all(request.as_bytes()).unwrap();
    // It is at work on the answer.
    let mut first = [0];
    unread.read_exact(&mut first).unwrap();
    // There is room for one connection, which the next gets when the first has lost it.
    let mut next = connect(&server);
    next.write_all(request.as_bytes()).unwrap();
    let whole = rest(next);
    let head = String::from_utf8_lossy(&whole[..whole.len().min(200)]);
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    let read = first.len() + rest(unread).len();
    assert!(
        read < whole.len(),
        "{read} bytes were sent to a client that did not read"
    );
}
