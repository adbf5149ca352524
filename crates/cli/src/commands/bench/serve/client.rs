//! A client that asks one thing after another, as the page does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context as _, bail};

/// Where a server is, and which trace is asked about.
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) trace: String,
}

impl Client {
    /// Whoever listens at `address`, and the trace that its page begins with.
    pub(super) fn of(address: SocketAddr) -> anyhow::Result<Self> {
        let session: serde_json::Value = serde_json::from_slice(&get(address, "session")?)?;
        let trace = session["trace"].as_str().context("a session has a trace")?;
        Ok(Self {
            address,
            trace: trace.to_owned(),
        })
    }

    /// An answer about the trace.
    pub(super) fn ask(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        get(self.address, &format!("traces/{}{path}", self.trace))
    }

    /// Seconds that an answer about the trace takes.
    pub(super) fn time(&self, path: &str) -> anyhow::Result<f64> {
        let start = Instant::now();
        self.ask(path)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Seconds to the first line of a stream, and to its end.
    pub(super) fn time_lines(&self, path: &str) -> anyhow::Result<(f64, f64)> {
        let start = Instant::now();
        let mut stream = request(self.address, &format!("traces/{}{path}", self.trace))?;
        let (mut answer, mut part, mut first) = (Vec::new(), [0; 4096], None);
        loop {
            let read = stream.read(&mut part)?;
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&part[..read]);
            if first.is_none() && body(&answer).is_some_and(|body| body.contains(&b'\n')) {
                first = Some(start.elapsed().as_secs_f64());
            }
        }
        let first = first.context("the server sent no line")?;
        Ok((first, start.elapsed().as_secs_f64()))
    }
}

fn request(address: SocketAddr, path: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream
        .write_all(format!("GET /api/1/{path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    Ok(stream)
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut answer = Vec::new();
    request(address, path)?.read_to_end(&mut answer)?;
    let Some(body) = body(&answer).filter(|_| answer.starts_with(b"HTTP/1.0 200")) else {
        bail!("{path}: {}", String::from_utf8_lossy(&answer));
    };
    Ok(body.to_vec())
}

/// What stands behind an answer's header, once that is whole.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(&answer[end + 4..])
}
