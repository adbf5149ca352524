//! Models fetched from a hub: what is asked for, what comes, and how a broken-off file goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lookback_model::store::{Error, Settings, Silent, Stage, Store};
use tempfile::TempDir;

use super::support::repository::{COMMIT, Repository};
use super::support::server::{Server, Then};
use super::support::{Watcher, files, noise, settings, sha256};

/// A store whose hub is at `url`.
pub(crate) fn store(folder: &TempDir, url: &str) -> Store {
    Store::new(hub_settings(folder, url))
}

pub(crate) fn hub_settings(folder: &TempDir, url: &str) -> Settings {
    let mut settings = settings(folder.path());
    settings.hub.endpoint = url.to_owned();
    settings
}

/// Where the files of a commit lie.
pub(crate) fn commit_folder(folder: &TempDir, commit: &str) -> std::path::PathBuf {
    folder.path().join("cache/hub/someone/model").join(commit)
}

#[test]
fn a_folder_model_is_fetched_once() {
    let weights = noise(900_000, 3);
    let (server, _) = Repository::folder(&weights).serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let watcher = Watcher::new();
    let resolved = store.resolve("hf:someone/model", &watcher).unwrap();
    assert_eq!(resolved.path, commit_folder(&folder, COMMIT));
    assert_eq!(resolved.name, "hf:someone/model");
    assert_eq!(
        files(&resolved.path),
        [
            ".receipt.json",
            "config.json",
            "model.safetensors",
            "tokenizer.json"
        ]
    );
    let found = std::fs::read(resolved.path.join("model.safetensors")).unwrap();
    assert!(found == weights);
    let last = watcher.stages.into_inner().unwrap().pop().unwrap();
    let name = "model/model.safetensors (3 of 3)".to_owned();
    assert_eq!(last, (Stage::Downloading { name }, Some(900_000)));

    let asked = server.count();
    assert_eq!(
        store.resolve("hf:someone/model", &Silent).unwrap(),
        resolved
    );
    assert_eq!(
        server.count(),
        asked,
        "what is there is not asked for again"
    );
}

/// A receipt is of files as they were: one that is another now is fetched again, and the others are not.
#[test]
fn a_file_that_was_changed_is_fetched_again() {
    let weights = noise(900_000, 3);
    let (server, _) = Repository::folder(&weights).serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let path = store.resolve("hf:someone/model", &Silent).unwrap().path;
    let mut changed = weights.clone();
    changed[77] ^= 1;
    std::fs::write(path.join("model.safetensors"), &changed).unwrap();
    let asked = server.count();
    let watcher = Watcher::new();
    store.resolve("hf:someone/model", &watcher).unwrap();
    // The list of files, the file at the hub, and its content.
    assert_eq!(server.count() - asked, 3);
    assert!(std::fs::read(path.join("model.safetensors")).unwrap() == weights);
    let notices = watcher.notices.into_inner().unwrap();
    assert!(
        notices.len() == 1 && notices[0].contains("not what was fetched"),
        "{notices:?}"
    );
}

/// Nobody asks the network for a file that was only copied, or that another version of the program fetched.
#[test]
fn a_file_whose_receipt_has_no_stamp_is_checked_once() {
    let weights = noise(300_000, 4);
    let (server, _) = Repository::new(&[("x.gguf", &weights)]).serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let first = store.resolve("hf:someone/model", &Silent).unwrap();
    let receipt = commit_folder(&folder, COMMIT).join(".receipt.json");
    let old = format!(
        r#"{{"files":{{"x.gguf":{{"bytes":300000,"sha256":"{}"}}}}}}"#,
        sha256(&weights)
    );
    std::fs::write(receipt, old).unwrap();
    let asked = server.count();
    for checked in [1, 0] {
        let watcher = Watcher::new();
        assert_eq!(store.resolve("hf:someone/model", &watcher).unwrap(), first);
        assert_eq!(watcher.stages.into_inner().unwrap().len(), checked);
    }
    assert_eq!(server.count(), asked);
}

#[test]
fn a_single_gguf_is_fetched_with_and_without_its_name() {
    let weights = noise(300_000, 4);
    for spec in ["hf:someone/model", "hf:someone/model/sub/x.Q4_0.gguf"] {
        let (server, _) = Repository::new(&[("sub/x.Q4_0.gguf", &weights)]).serve();
        let folder = tempfile::tempdir().unwrap();
        let resolved = store(&folder, &server.url).resolve(spec, &Silent).unwrap();
        assert_eq!(
            resolved.path,
            commit_folder(&folder, COMMIT).join("sub/x.Q4_0.gguf")
        );
        assert_eq!(resolved.sha256.as_deref(), Some(&*sha256(&weights)));
        assert!(std::fs::read(resolved.path).unwrap() == weights);
    }
}

#[test]
fn shards_are_those_that_the_index_names() {
    let (one, two) = (noise(50_000, 5), noise(60_000, 6));
    let index = br#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
    let (server, _) = Repository::new(&[
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors.index.json", index),
        ("m-1.safetensors", &one),
        ("m-2.safetensors", &two),
        ("m-3.safetensors", b"of another model"),
    ])
    .serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let path = store.resolve("hf:someone/model", &Silent).unwrap().path;
    assert!(std::fs::read(path.join("m-1.safetensors")).unwrap() == one);
    assert!(std::fs::read(path.join("m-2.safetensors")).unwrap() == two);
    assert!(!path.join("m-3.safetensors").exists());
    // A shard that is lost is fetched again, and nothing else.
    std::fs::remove_file(path.join("m-1.safetensors")).unwrap();
    let asked = server.count();
    store.resolve("hf:someone/model", &Silent).unwrap();
    // The list of files, the shard at the hub, and its content.
    assert_eq!(server.count() - asked, 3);
    assert!(std::fs::read(path.join("m-1.safetensors")).unwrap() == one);
}

/// Large files lie elsewhere; what the hub's redirect says of them is what they are checked against.
#[test]
fn redirects_lead_to_another_host_without_the_token() {
    let weights = noise(80_000, 7);
    let mut repository = Repository::folder(&weights);
    let elsewhere = repository.clone();
    let content = Server::start(move |request| elsewhere.content(request));
    repository.content_url = Some(content.url.clone());
    let (hub, _) = repository.serve();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = hub_settings(&folder, &hub.url);
    settings.hub.token = Some("secret".to_owned());
    Store::new(settings)
        .resolve("hf:someone/model", &Silent)
        .unwrap();
    let sent = |server: &Server| -> Vec<Option<String>> {
        let requests = server.requests();
        let token = requests
            .iter()
            .map(|request| request.header("authorization").map(str::to_owned));
        token.collect()
    };
    assert_eq!(sent(&hub), vec![Some("Bearer secret".to_owned()); 4]);
    assert_eq!(sent(&content), [None]);
}

#[test]
fn a_file_that_breaks_off_goes_on_where_it_did() {
    let weights = noise(700_000, 8);
    let repository = Repository::folder(&weights);
    let cuts = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let reply = repository.answer(request);
        let is_content = request.path.starts_with("/content/");
        if is_content && cuts.fetch_add(1, Ordering::SeqCst) < 2 {
            return reply.cut_after(200_000);
        }
        reply
    });
    let folder = tempfile::tempdir().unwrap();
    let path = store(&folder, &server.url)
        .resolve("hf:someone/model", &Silent)
        .unwrap()
        .path;
    assert!(std::fs::read(path.join("model.safetensors")).unwrap() == weights);
    let asked = server.requests_for("model.safetensors?signature=1");
    let starts: Vec<_> = asked.iter().map(|request| request.range_start()).collect();
    assert_eq!(starts, [None, Some(200_000), Some(400_000)]);
}

#[test]
fn a_stopped_fetch_goes_on_in_the_next_run() {
    let weights = noise(2_000_000, 9);
    let (server, _) = Repository::folder(&weights).serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let stopped = store.resolve("hf:someone/model", &Watcher::stopping_at(500_000));
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert!(store.list().unwrap().is_empty());
    let partial = commit_folder(&folder, COMMIT).join(".partial/model.safetensors");
    let there = std::fs::metadata(&partial).unwrap().len();
    assert!((500_000..2_000_000).contains(&there), "{there}");

    let path = store.resolve("hf:someone/model", &Silent).unwrap().path;
    assert!(std::fs::read(path.join("model.safetensors")).unwrap() == weights);
    let last = server.requests().pop().unwrap();
    assert_eq!(last.range_start(), Some(there as usize));
}

/// A partial file of another content: its bytes are not those of the file that the hub has now.
#[test]
fn a_wrong_beginning_is_thrown_away() {
    let weights = noise(400_000, 10);
    let (server, _) = Repository::folder(&weights).serve();
    let folder = tempfile::tempdir().unwrap();
    let partial = commit_folder(&folder, COMMIT).join(".partial");
    std::fs::create_dir_all(&partial).unwrap();
    std::fs::write(partial.join("model.safetensors"), noise(100_000, 11)).unwrap();
    let path = store(&folder, &server.url)
        .resolve("hf:someone/model", &Silent)
        .unwrap()
        .path;
    assert!(std::fs::read(path.join("model.safetensors")).unwrap() == weights);
}

/// The limit is on standing still, so that a slow connection is not given up.
#[test]
fn a_server_that_stops_sending_is_asked_again() {
    let weights = noise(300_000, 12);
    let repository = Repository::folder(&weights);
    let silences = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let reply = repository.answer(request);
        let is_content = request.path.starts_with("/content/");
        if is_content && silences.fetch_add(1, Ordering::SeqCst) == 0 {
            return reply.cut_after(100_000).then(Then::Silence);
        }
        reply
    });
    let folder = tempfile::tempdir().unwrap();
    let mut settings = hub_settings(&folder, &server.url);
    settings.stall = Duration::from_secs(3);
    let path = Store::new(settings)
        .resolve("hf:someone/model", &Silent)
        .unwrap()
        .path;
    assert!(std::fs::read(path.join("model.safetensors")).unwrap() == weights);
    let last = server.requests().pop().unwrap();
    assert_eq!(last.range_start(), Some(100_000));
}

#[test]
fn threads_that_ask_at_once_fetch_once() {
    let weights = noise(200_000, 13);
    let (server, _) = Repository::new(&[("x.gguf", &weights)]).serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| store.resolve("hf:someone/model/x.gguf", &Silent).unwrap());
        }
    });
    assert_eq!(server.requests_for("x.gguf?signature=1").len(), 1);
}
