//! The server as the program starts it.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Run, folder, lookback, tiny};

const MODEL: &str = "grouped/model.gguf";

/// A server of the program, which ends with the test.
pub(crate) struct Serving {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Its address without `http://` and what follows.
    host: String,
    /// What it wants to be shown; empty where it wants nothing.
    token: String,
    /// What it printed, with `--json`.
    pub(crate) printed: Value,
}

impl Serving {
    /// Serves on a free port, and waits until the first text is read.
    pub(crate) fn start(home: &Path, model: &Path, arguments: &[&str]) -> Self {
        let mut command = lookback(home);
        command.args(["serve", "--no-open", "--port", "0", "--json", "--model"]);
        command.arg(model).args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let printed: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let url = printed["url"].as_str().unwrap();
        let host = url.strip_prefix("http://").unwrap().split('/').next();
        let serving = Self {
            process,
            lines,
            host: host.unwrap().to_owned(),
            token: printed["token"].as_str().unwrap_or_default().to_owned(),
            printed,
        };
        let first = serving.first();
        while serving.get(&format!("/traces/{first}")).1["state"] == "reading" {
            std::thread::sleep(Duration::from_millis(10));
        }
        serving
    }

    /// The name of the text that the page begins with.
    pub(crate) fn first(&self) -> String {
        let (status, session) = self.get("/session");
        assert_eq!(status, 200, "{session}");
        session["trace"].as_str().unwrap().to_owned()
    }

    /// Status and answer, null where that is no JSON.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.ask("GET", path, "");
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// Status and the lines of an answer.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Vec<Value>) {
        let (status, body) = self.ask("POST", path, &body.to_string());
        let lines = body.lines().map(serde_json::from_str);
        (status, lines.collect::<Result<_, _>>().unwrap())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let head = format!(
            "{method} /api/1{path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            self.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, body.to_owned())
    }

    /// Interrupts it; gives its exit code, having printed nothing more.
    fn interrupt(mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.unwrap().success());
        let code = self.process.wait().unwrap().code();
        assert!(self.lines.next().is_none());
        code
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_server_prints_its_address_answers_and_ends_when_interrupted() {
    let home = folder();
    let server = Serving::start(home.path(), &tiny(MODEL), &["a b c"]);
    assert!(server.host.starts_with("127.0.0.1:"), "{}", server.host);
    let (status, session) = server.get("/session");
    assert_eq!(status, 200);
    assert!(session["model"]["layers"].as_u64() > Some(0), "{session}");
    assert_eq!(server.interrupt(), Some(0));
}

/// For a person: one line, which a terminal makes a link of.
#[test]
fn the_address_holds_the_token_unless_it_is_turned_off() {
    let home = folder();
    let mut server = Serving::start(home.path(), &tiny(MODEL), &["a b c"]);
    assert_eq!(server.token.len(), 32);
    let url = server.printed["url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/?token={}", server.token)), "{url}");
    server.token = "0".repeat(32);
    let (status, answer) = server.get("/session");
    assert_eq!(status, 401);
    let error = answer["error"].as_str().unwrap();
    assert!(
        error.contains("open the address that it printed"),
        "{error}"
    );
    assert_eq!(server.interrupt(), Some(0));

    let open = Serving::start(home.path(), &tiny(MODEL), &["a b c", "--no-token"]);
    assert!(open.token.is_empty() && open.printed["token"].is_null());
    let url = open.printed["url"].as_str().unwrap();
    assert!(url.ends_with('/'), "{url}");
}

#[test]
fn other_machines_need_the_token() {
    let home = folder();
    let server = Serving::start(home.path(), &tiny(MODEL), &["a b c", "--host", "0.0.0.0"]);
    assert!(server.host.starts_with("localhost:"), "{}", server.host);
    assert_eq!(server.token.len(), 32);
    let mut serve = lookback(home.path());
    serve.args([
        "serve",
        "a b c",
        "--no-open",
        "--host",
        "0.0.0.0",
        "--no-token",
    ]);
    Run::of(serve.arg("--model").arg(tiny(MODEL))).refused(&["0.0.0.0", "leave out --no-token"]);
}

/// The page's continuation is what the program writes: the same tokens behind the same prefix.
#[test]
fn the_page_continues_a_text_as_generate_does() {
    let home = folder();
    let text = "Tom met Ann. Yet he left.";
    for more in [&[][..], &["--prefix", "none"], &["--ablate", "0.0,1.1"]] {
        let model = tiny("tied");
        let server = Serving::start(home.path(), &model, &[&[text], more].concat());
        let asked = json!({ "trace": server.first(), "max_tokens": 24 });
        let (status, lines) = server.post("/generate", &asked);
        assert_eq!(status, 200);
        let tokens: Vec<&Value> = lines.iter().map(|line| &line["token"]).collect();
        let (end, tokens) = tokens.split_last().unwrap();
        assert!(end.is_null());
        let mut generate = lookback(home.path());
        generate.args(["generate", text, "--tokens", "24", "--json", "--model"]);
        let written = Run::of(generate.arg(model).args(more)).json();
        let expected: Vec<&Value> = written["tokens"].as_array().unwrap().iter().collect();
        assert_eq!(tokens, expected, "{more:?}");
        let whole = lines.last().unwrap()["text"].as_str().unwrap();
        assert_eq!(
            whole,
            format!("{text}{}", written["text"].as_str().unwrap())
        );
    }
}

#[test]
fn the_server_begins_with_a_changed_model_and_refuses_what_the_text_does_not_have() {
    let home = folder();
    let serve = |changes: &[&str]| {
        let mut command = lookback(home.path());
        command.args(["serve", "a b c", "--no-open", "--port", "0", "--model"]);
        Run::of(command.arg(tiny(MODEL)).args(changes))
    };
    serve(&["--cut", "c->nobody"]).refused(&["\"nobody\" is not a word of the text"]);
    serve(&["--cut", "a->c@0.0"]).refused(&["comes before none"]);
    serve(&["--ablate", "99.0"]).refused(&["there is no head L99H0"]);
}

#[test]
fn a_model_that_did_not_make_the_trace_is_refused() {
    let home = folder();
    let trace = home.path().join("t.safetensors");
    let mut save = lookback(home.path());
    save.args(["trace", "a b c", "--model"]).arg(tiny(MODEL));
    Run::of(save.arg("-o").arg(&trace)).ok();
    let mut serve = lookback(home.path());
    serve.args(["serve", "--no-open", "--port", "0", "--trace"]);
    serve.arg(&trace).arg("--model").arg(tiny("tied"));
    Run::of(&mut serve).refused(&["SHA-256", "name the model that made it"]);
}
