//! Requests to a server of a tiny model, on the loopback address.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use lookback_model::{LoadOptions, Model};
use lookback_serve::{Limits, NamedModel, ServeOptions, Server};

/// What stands for the server's address, its token and its trace.
const HOST: &str = "@HOST@";
const TOKEN: &str = "@TOKEN@";
const TRACE: &str = "@TRACE@";

/// How long an answer to a whole request may take before the client says that it has said all, and how long any may.
const WHOLE: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(10);

/// A client of a server that runs as long as the process.
pub(crate) struct Client {
    address: SocketAddr,
    token: String,
    trace: String,
}

impl Client {
    pub(crate) fn start(model: &Path) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let model = Model::load(model, &LoadOptions::default())?;
        let server = Server::bind(ServeOptions {
            model: Some(NamedModel {
                model: Arc::new(model),
                name: "tiny".to_owned(),
                sha256: "0".repeat(64),
            }),
            text: "Tom met Bob. Then he left.".to_owned(),
            limits: Limits {
                still: Duration::from_secs(2),
                ..Limits::default()
            },
            ..ServeOptions::default()
        })?;
        let mut client = Self {
            address: server.address(),
            token: server.token().unwrap_or_default().to_owned(),
            trace: String::new(),
        };
        std::thread::spawn(move || server.run(|| false));
        let session = client.exchange(client.filled(requests()[0].as_slice()).as_slice())?;
        let session = String::from_utf8_lossy(&session).into_owned();
        let after = session
            .split_once("\"trace\":\"")
            .ok_or("the session names no trace")?
            .1;
        client.trace = after.split('"').next().unwrap_or_default().to_owned();
        // The first text is read before anything is asked, and every request of the corpus is answered with what it asks for:
        // a target that is turned away at the door would test the door alone.
        sleep(Duration::from_secs(2));
        for request in requests() {
            if !client.ask(&request)? {
                let answer = client.exchange(&client.filled(&request))?;
                let [request, answer] =
                    [&request, &answer].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                return Err(format!("the server refuses\n{request}\nwith\n{answer}").into());
            }
        }
        Ok(client)
    }

    /// Sends a request; whether it was answered with what was asked for. An answer that says that the server is at fault, and
    /// none where the server is gone, are panics.
    pub(crate) fn ask(&self, request: &[u8]) -> io::Result<bool> {
        let answer = self.exchange(&self.filled(request))?;
        assert!(
            !answer.starts_with(b"HTTP/1.1 500"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        assert!(
            !answer.starts_with(b"HTTP/1.0 500"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        Ok(answer.get(9) == Some(&b'2'))
    }

    fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).expect("the server takes no connection");
        // A server that refuses a request need not read it, nor wait for what is said after it.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        // Who says no more at once is taken to be gone, and gets no answer: first it is waited for one to a whole request.
        for wait in [WHOLE, LONGEST] {
            stream.set_read_timeout(Some(wait))?;
            match (&stream).take(1 << 20).read_to_end(&mut answer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(wait != LONGEST, "no answer came in 10 s");
                    let _ = stream.shutdown(Shutdown::Write);
                }
                _ => break,
            }
        }
        Ok(answer)
    }

    fn filled(&self, request: &[u8]) -> Vec<u8> {
        let mut request = request.to_vec();
        for (sign, text) in [
            (HOST, self.address.to_string().as_str()),
            (TOKEN, &self.token),
            (TRACE, &self.trace),
        ] {
            while let Some(at) = request
                .windows(sign.len())
                .position(|part| part == sign.as_bytes())
            {
                request.splice(at..at + sign.len(), text.bytes());
            }
        }
        request
    }
}

/// Requests of every kind, the first for the session.
pub(crate) fn requests() -> Vec<Vec<u8>> {
    let gets = [
        "session",
        "traces/@TRACE@",
        "traces/@TRACE@/token-attention?index=3&unit=word&heads=0.0&above=0.5&keep_prefix=true&target=1",
        "traces/@TRACE@/grid",
        "traces/@TRACE@/profiles",
        "traces/@TRACE@/statistics/heads.csv",
        "traces/@TRACE@/statistics/heads.parquet",
        "scores",
        "traces/@TRACE@/heads/0.0/tile?zoom=0&row=0&col=0&pool=max",
        "traces/@TRACE@/heads/L1H1/row?query=3",
        "traces/@TRACE@/heads/0.0/weights.json?from_row=0&to_row=4&from_col=0&to_col=4",
        "traces/@TRACE@/heads/0.0/weights.npy",
        "traces/@TRACE@/heads/0.0/map.svg?pool=mean&scale=log&theme=dark",
        "traces/@TRACE@/text.svg?index=2&unit=token",
        "traces/@TRACE@/page.json?heads=0.0,1.1&words=0,2&top=3&all=false",
        "traces/@TRACE@/steps",
    ];
    let posts = [
        (
            "traces",
            r#"{"text": "Ann met Jo. She left.", "interventions": {"ablate": ["0.1"], "cut": ["She->Ann@0.0"]}}"#,
        ),
        (
            "traces/@TRACE@/who",
            r#"{"word": 5, "candidates": ["Tom", "Bob"], "probe": "Who left?", "from": "word", "top": 2}"#,
        ),
        (
            "traces/@TRACE@/predict",
            r#"{"probe": " The", "continuations": [" man", " dog"], "top": 3}"#,
        ),
        (
            "generate",
            r#"{"trace": "@TRACE@", "max_tokens": 2, "temperature": 0.5, "top_p": 0.9, "seed": 1}"#,
        ),
        ("scores", "{}"),
    ];
    let mut requests: Vec<Vec<u8>> = gets
        .iter()
        .map(|path| {
            format!("GET /api/1/{path} HTTP/1.0\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n")
                .into_bytes()
        })
        .collect();
    requests.extend(posts.iter().map(|(path, body)| {
        format!(
            "POST /api/1/{path} HTTP/1.0\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Origin: http://{HOST}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }));
    requests
}
