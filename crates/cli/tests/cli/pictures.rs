//! Files without a server, and the server's start and end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Run, folder, lookback, tiny};

fn run(home: &Path, arguments: &[&str]) -> Run {
    Run::of(lookback(home).args(arguments))
}

fn model() -> String {
    tiny("grouped/model.gguf").to_str().unwrap().to_owned()
}

#[test]
fn a_map_is_drawn_by_the_ending_of_its_name_and_replaces_nothing_unasked() {
    let home = folder();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let map = |name: &str, more: &[&str]| {
        let (file, model) = (file(name), model());
        let mut arguments = vec!["map", "a b c", "--model", &model, "-o", &file];
        arguments.extend(["--head", "1.2", "--json"].iter().chain(more));
        run(home.path(), &arguments)
    };
    let told = map("map.svg", &[]).json();
    let svg = std::fs::read_to_string(file("map.svg")).unwrap();
    assert_eq!(told["bytes"], svg.len());
    assert!(svg.starts_with("<svg ") && svg.contains("L1H2 of"));
    map("map.png", &["--scale", "log", "--dark"]).ok();
    let png = std::fs::read(file("map.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    map("map.svg", &[]).refused(&["there already", "--force"]);
    map("map.svg", &["--force"]).ok();
    map("map.gif", &[]).refused(&[".svg", ".png"]);
    let names = std::fs::read_dir(home.path()).unwrap();
    assert_eq!(
        names
            .filter(|e| e.as_ref().unwrap().path().is_file())
            .count(),
        2
    );
}

#[test]
fn a_page_keeps_a_trace_that_was_kept() {
    let home = folder();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (trace, page) = (file("t.safetensors"), file("page.html"));
    run(
        home.path(),
        &["trace", "a b c", "--model", &model(), "-o", &trace],
    )
    .ok();
    let told = run(
        home.path(),
        &["export", "--trace", &trace, "-o", &page, "--json"],
    )
    .json();
    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(told["bytes"], html.len());
    assert!(html.starts_with("<!doctype html>") && html.contains("\"text\":\"a b c\""));
}

#[test]
fn the_server_prints_its_address_answers_and_ends_when_interrupted() {
    let home = folder();
    let mut server = lookback(home.path())
        .args([
            "serve",
            "a b c",
            "--no-open",
            "--port",
            "0",
            "--model",
            &model(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let url = lines.next().unwrap().unwrap();
    let host = url
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix('/')
        .unwrap()
        .to_owned();
    assert!(host.starts_with("127.0.0.1:"), "{url}");
    let mut stream = TcpStream::connect(&host).unwrap();
    let ask = format!("GET /api/1/session HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains(" 200 OK") && answer.contains("\"model\":{"),
        "{answer}"
    );
    let interrupt = Command::new("kill")
        .args(["-INT", &server.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
    assert!(lines.next().is_none());
}

#[test]
fn the_server_begins_with_a_changed_model_and_refuses_what_the_text_does_not_have() {
    let home = folder();
    let serve = |changes: &[&str]| {
        let mut arguments = vec!["serve", "a b c", "--no-open", "--port", "0"];
        let model = model();
        arguments.extend(["--model", &model]);
        arguments.extend(changes);
        run(home.path(), &arguments)
    };
    serve(&["--cut", "c->nobody"]).refused(&["\"nobody\" is not a word of the text"]);
    serve(&["--cut", "a->c@0.0"]).refused(&["comes before none"]);
    serve(&["--ablate", "99.0"]).refused(&["there is no head L99H0"]);
}

#[test]
fn a_model_that_did_not_make_the_trace_is_refused() {
    let home = folder();
    let trace = home
        .path()
        .join("t.safetensors")
        .to_str()
        .unwrap()
        .to_owned();
    run(
        home.path(),
        &["trace", "a b c", "--model", &model(), "-o", &trace],
    )
    .ok();
    let other = tiny("tied").to_str().unwrap().to_owned();
    let serve = [
        "serve",
        "--no-open",
        "--port",
        "0",
        "--trace",
        &trace,
        "--model",
        &other,
    ];
    run(home.path(), &serve).refused(&["SHA-256", "name the model that made it"]);
}
