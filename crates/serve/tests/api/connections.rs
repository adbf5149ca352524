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

/// Sends a byte after the other, until the server ends the connection; gives what it said.
fn byte_by_byte(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    rest(stream)
}

#[test]
fn a_request_has_a_deadline_however_it_trickles_in() {
    let limits = Limits {
        head: Duration::from_millis(200),
        body: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = serving(&Example::default(), limits);
    let head = format!(
        "GET /api/1/session HTTP/1.1\r\nHost: {}\r\n",
        server.address
    );
    let said = byte_by_byte(
        connect(&server),
        format!("{head}{}", "X: 1\r\n".repeat(99)).as_bytes(),
    );
    assert!(
        !said.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    let mut slow = connect(&server);
    let head = format!(
        "POST /api/1/traces HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n",
        server.address
    );
    slow.write_all(head.as_bytes()).unwrap();
    let said = byte_by_byte(slow, &[b' '; 99]);
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
}

/// More than there may be connections, all of them of one peer: some with half a head, some with half a body, some with a
/// request behind them.
#[test]
fn clients_that_are_slow_to_ask_shut_nobody_out() {
    let server = serving(&Example::default(), Limits::default());
    let host = server.address;
    let begun = [
        "GET / HT".to_owned(),
        format!(
            "POST /api/1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"
        ),
        format!("GET /api/1/session HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        String::new(),
    ];
    let mut slow = Vec::new();
    for at in 0..264 {
        let mut stream = connect(&server);
        stream
            .write_all(begun[at % begun.len()].as_bytes())
            .unwrap();
        slow.push(stream);
        if at % 33 == 0 {
            assert_eq!(server.get("/api/1/session").status, 200, "after {at}");
        }
    }
    for _ in 0..9 {
        assert_eq!(server.get("/api/1/session").status, 200);
    }
    // Those that were there last still are.
    let last = slow.pop().unwrap();
    last.set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let waits = (&last).read(&mut [0]).unwrap_err().kind();
    assert!(
        matches!(
            waits,
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
        "{waits}"
    );
    server.stop();
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
