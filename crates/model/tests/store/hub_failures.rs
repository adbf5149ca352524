//! What keeps a model of the hub from being fetched, and what is left behind then.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lookback_model::store::{Error, Settings, Silent, Store};

use super::hub::{commit_folder, hub_settings, store};
use super::support::noise;
use super::support::repository::{COMMIT, Repository};
use super::support::server::{Reply, Request, Server};

/// Asks a hub that answers so, which must fail; nothing may be listed then.
fn fails(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Error {
    let server = Server::start(answer);
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let error = store.resolve("hf:someone/model", &Silent).unwrap_err();
    assert!(store.list().unwrap().is_empty());
    error
}

fn assert_says(error: &Error, words: &[&str]) {
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[test]
fn connecting_takes_at_most_ten_seconds() {
    let settings = Settings::from_env().unwrap();
    assert_eq!(settings.hub.connect, Duration::from_secs(10));
}

/// A host that takes no further connections: what waits to be accepted fills its queue, and nobody accepts.
#[cfg(target_os = "linux")]
#[test]
fn a_host_that_does_not_connect_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        waiting.push(stream);
        assert!(waiting.len() < 10_000, "the queue does not fill");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut settings = hub_settings(&folder, &format!("http://{address}"));
    settings.hub.connect = Duration::from_millis(250);
    let error = Store::new(settings)
        .resolve("hf:someone/model", &Silent)
        .unwrap_err();
    assert_says(
        &error,
        &[
            "no connection within 0.25 seconds",
            "127.0.0.1",
            "HF_ENDPOINT",
        ],
    );
}

#[test]
fn a_port_where_nobody_listens_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let error = store(&folder, &url)
        .resolve("hf:someone/model", &Silent)
        .unwrap_err();
    assert_says(&error, &["refuses the connection", "127.0.0.1"]);
}

#[test]
fn a_hub_that_never_answers_is_given_up() {
    let server = Server::start(|_| Reply::silence());
    let folder = tempfile::tempdir().unwrap();
    let mut settings = hub_settings(&folder, &server.url);
    settings.stall = Duration::from_millis(250);
    let error = Store::new(settings)
        .resolve("hf:someone/model", &Silent)
        .unwrap_err();
    assert_says(&error, &["does not answer"]);
}

#[test]
fn a_file_of_another_digest_is_not_used() {
    let repository = Repository::folder(&noise(50_000, 30));
    let server = Server::start(move |request| {
        let mut reply = repository.answer(request);
        if request.path.starts_with("/content/") {
            reply.body[20_000] ^= 1;
        }
        reply
    });
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let error = store.resolve("hf:someone/model", &Silent).unwrap_err();
    assert!(matches!(error, Error::Checksum { .. }), "{error:?}");
    assert_says(&error, &["model.safetensors", "wrong checksum"]);
    let home = commit_folder(&folder, COMMIT);
    assert!(!home.join("model.safetensors").exists());
    assert!(!home.join(".partial/model.safetensors").exists());
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn a_file_that_always_breaks_off_is_given_up_and_kept_to_go_on() {
    let weights = noise(50_000, 31);
    let repository = Repository::folder(&weights);
    let server = Server::start(move |request| {
        let reply = repository.answer(request);
        match (request.path.starts_with("/content/"), request.range_start()) {
            (true, None) => reply.cut_after(20_000),
            (true, Some(_)) => reply.cut_after(0),
            _ => reply,
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let error = store(&folder, &server.url)
        .resolve("hf:someone/model", &Silent)
        .unwrap_err();
    assert_says(&error, &["model.safetensors", "run this again"]);
    let partial = commit_folder(&folder, COMMIT).join(".partial/model.safetensors");
    assert!(std::fs::read(partial).unwrap() == weights[..20_000]);
}

#[test]
fn more_bytes_than_were_announced_are_not_taken() {
    let repository = Repository::folder(&noise(50_000, 32));
    let error = fails(move |request| {
        let mut reply = repository.answer(request);
        if request.path.starts_with("/content/") {
            reply.body.extend_from_slice(&[0; 100_000]);
        }
        reply
    });
    assert_says(&error, &["more than 50000 bytes"]);
}

#[test]
fn a_hub_that_refuses_says_what_to_do() {
    for (token, word) in [(None, "set HF_TOKEN"), (Some("t"), "token in HF_TOKEN")] {
        for status in [401, 403] {
            let server = Server::start(move |_| Reply::new(status, "no"));
            let folder = tempfile::tempdir().unwrap();
            let mut settings = hub_settings(&folder, &server.url);
            settings.hub.token = token.map(str::to_owned);
            let error = Store::new(settings)
                .resolve("hf:someone/model", &Silent)
                .unwrap_err();
            assert_says(&error, &["someone/model", &status.to_string(), word]);
        }
    }
}

#[test]
fn what_the_hub_does_not_have_is_named() {
    let error = fails(|_| Reply::new(404, "no"));
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    assert_says(&error, &["someone/model", "404"]);
    let error = fails(|request| Repository::new(&[("README.md", b"")]).answer(request));
    assert_says(&error, &["neither model.safetensors nor", "nor a .gguf"]);
}

#[test]
fn redirects_that_never_end_or_lead_nowhere_are_refused() {
    let error = fails(|_| Reply::new(302, "").with("Location", "/again"));
    assert_says(&error, &["too many redirects"]);
    for location in ["file:///etc/passwd", "ftp://127.0.0.1/x", "::"] {
        let error = fails(move |_| Reply::new(302, "").with("Location", location));
        assert_says(&error, &["nowhere safe"]);
    }
}

#[test]
fn answers_that_are_no_list_of_files_are_refused() {
    for text in ["", "[]", "{", r#"{"sha": 5}"#] {
        let error = fails(move |_| Reply::new(200, text));
        assert_says(&error, &["list of files"]);
    }
    for sha in ["../../x", "main", "0"] {
        let text = format!(r#"{{"sha": "{sha}", "siblings": []}}"#);
        let error = fails(move |_| Reply::new(200, text.as_str()));
        assert_says(&error, &["no commit"]);
    }
}

#[test]
fn an_index_that_leads_out_of_the_cache_is_refused() {
    let index = br#"{"weight_map": {"a": "../../escaped.safetensors"}}"#;
    let repository = Repository::new(&[
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors.index.json", index),
    ]);
    let error = fails(move |request| repository.answer(request));
    assert_says(&error, &["escaped.safetensors", "inside the repository"]);
}

#[test]
fn without_permission_to_fetch_nothing_is_asked() {
    let (server, _) = Repository::folder(b"weights").serve();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = hub_settings(&folder, &server.url);
    settings.hub.offline = true;
    let error = Store::new(settings)
        .resolve("hf:someone/model", &Silent)
        .unwrap_err();
    assert_says(&error, &["hf:someone/model", "HF_HUB_OFFLINE"]);
    assert_eq!(server.count(), 0);
}
