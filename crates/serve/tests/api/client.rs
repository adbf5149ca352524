//! A server of an example's trace, and a client that sends what it is told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use lookback_heads::example::Example;
use lookback_serve::{Error, ServeOptions, Server};
use lookback_trace::Trace;

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// The name of its trace; empty where a token is needed.
    pub(crate) trace: String,
    /// What a browser opens, and what it is started with.
    pub(crate) urls: [String; 2],
    /// What must be shown.
    pub(crate) token: Option<String>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Running {
    pub(crate) fn of(example: &Example) -> Self {
        Self::serving(ServeOptions {
            trace: Some(example.trace()),
            ..ServeOptions::default()
        })
    }

    /// For whoever reaches it: most of what is tested here is the same with a token.
    pub(crate) fn serving(options: ServeOptions) -> Self {
        let options = ServeOptions {
            token: false,
            ..options
        };
        let mut running = Self::locked(options);
        running.trace = running.get("/api/1/session").json()["trace"]
            .as_str()
            .unwrap()
            .to_owned();
        running
    }

    /// As the options say, with a token by default.
    pub(crate) fn locked(options: ServeOptions) -> Self {
        let server = Server::bind(options).unwrap();
        let urls = [server.url(), server.browser_url().unwrap()];
        let token = server.token().map(str::to_owned);
        let (address, stop) = (server.address(), Arc::new(AtomicBool::new(false)));
        let flag = stop.clone();
        let thread = std::thread::spawn(move || server.run(move || flag.load(Ordering::Relaxed)));
        Self {
            address,
            trace: String::new(),
            urls,
            token,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    /// With further lines of the head, each with its end.
    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Answer {
        let host = self.address;
        let head = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n{headers}\r\n");
        self.send(&head, b"")
    }

    /// Asks about the trace.
    pub(crate) fn ask(&self, path: &str) -> Answer {
        self.get(&format!("/api/1/traces/{}{path}", self.trace))
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.send(&head, body)
    }

    /// Sends a JSON body to something of the trace.
    pub(crate) fn tell(&self, path: &str, body: &serde_json::Value) -> Answer {
        let path = format!("/api/1/traces/{}{path}", self.trace);
        self.post(&path, body.to_string().as_bytes())
    }

    pub(crate) fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses a body need not read it.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::parse(&bytes)
    }

    /// Stops it; it must end by itself, and without an error.
    pub(crate) fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What a server says.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("an answer with a header");
        let headers = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_lowercase();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// The value of a header, in lower case; none where it is not there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines();
        let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        values.next()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn floats(&self) -> Vec<f32> {
        self.body
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect()
    }

    /// Refused, with one sentence that holds `says`.
    pub(crate) fn refuses(&self, status: u16, says: &str) {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        let error = self.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
}

/// A text of so many words.
pub(crate) fn long(words: usize) -> Example {
    let text = (0..words)
        .map(|at| ["the", "river", "went", "slow"][at % 4])
        .collect::<Vec<_>>()
        .join(" ");
    Example {
        text,
        layers: 1,
        heads: 2,
        ..Example::default()
    }
}

/// What an answer that says this comes to: its numbers have been written and read.
pub(crate) fn as_answered(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

/// The same trace as the server has.
pub(crate) fn trace(example: &Example) -> Trace {
    example.trace()
}
