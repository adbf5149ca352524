//! Models on the hub, served here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lookback_model::store::{Error, Origin, Settings, Silent, Store};

use super::support::repository::{COMMIT, Repository};
use super::support::server::{Reply, Server, Then};
use super::support::{Watcher, files, noise, settings, sha256};

/// A hub with one repository, its files served by the same server.
struct Hub {
    server: Server,
    folder: tempfile::TempDir,
}

impl Hub {
    /// `change` may put another answer in place of the usual one: it is given the path and the usual answer.
    fn new(
        files: &[(&'static str, &[u8])],
        change: impl Fn(&str, Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let repository = Repository::new(files);
        let server = Server::start(move |request| {
            // Redirects lead back here.
            let mut repository = repository.clone();
            let host = request.header("host").unwrap_or_default();
            repository.content_url = Some(format!("http://{host}"));
            change(&request.path, repository.answer(request))
        });
        let folder = tempfile::tempdir().unwrap();
        Self { server, folder }
    }

    fn settings(&self) -> Settings {
        let mut settings = settings(self.folder.path());
        settings.hub.endpoint = self.server.url.clone();
        settings
    }

    fn resolve(&self, spec: &str) -> Result<lookback_model::store::Resolved, Error> {
        Store::new(self.settings()).resolve(spec, &Silent)
    }

    fn cached(&self) -> Vec<String> {
        files(&self.folder.path().join("cache"))
    }
}

fn as_it_is(_: &str, reply: Reply) -> Reply {
    reply
}

#[test]
fn a_folder_is_fetched_once() {
    let weights = noise(300_000, 1);
    let repository: &[(&str, &[u8])] = &[
        ("README.md", b"# A model"),
        ("config.json", b"{}"),
        ("tokenizer.json", b"{\"version\": \"1.0\"}"),
        ("model.safetensors", &weights),
    ];
    let hub = Hub::new(repository, as_it_is);
    let found = hub.resolve("hf:someone/model").unwrap();
    assert_eq!(found.name, "hf:someone/model");
    assert!(found.path.ends_with(COMMIT));
    assert_eq!(
        std::fs::read(found.path.join("model.safetensors")).unwrap(),
        weights
    );
    assert!(!found.path.join("README.md").exists());
    let asked = hub.server.requests().len();
    assert_eq!(hub.resolve("hf:someone/model").unwrap(), found);
    assert_eq!(hub.server.requests().len(), asked);
    let list = Store::new(hub.settings()).list().unwrap();
    assert!(
        list.iter()
            .any(|entry| entry.name == found.name && entry.ready && entry.origin == Origin::Hub)
    );
}

#[test]
fn one_file_is_fetched_and_its_checksum_known() {
    let bytes = noise(100_000, 2);
    let hub = Hub::new(&[("m.gguf", &bytes), ("other.gguf", b"x")], as_it_is);
    let found = hub.resolve("hf:someone/model/m.gguf").unwrap();
    assert_eq!(std::fs::read(&found.path).unwrap(), bytes);
    assert_eq!(found.sha256, Some(sha256(&bytes)));
    assert!(hub.server.requests_for("other.gguf?signature=1").is_empty());
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let bytes = noise(400_000, 3);
    let tries = AtomicUsize::new(0);
    let hub = Hub::new(&[("m.gguf", &bytes)], move |path, reply| {
        let content = path.starts_with("/content/");
        match content && tries.fetch_add(1, Ordering::SeqCst) == 0 {
            true => reply.cut_after(150_000),
            false => reply,
        }
    });
    let found = hub.resolve("hf:someone/model/m.gguf").unwrap();
    assert_eq!(std::fs::read(&found.path).unwrap(), bytes);
    let asked = hub.server.requests_for("m.gguf?signature=1");
    assert!(
        asked[1..]
            .iter()
            .any(|request| request.range_start().is_some_and(|start| start > 0))
    );
}

#[test]
fn a_file_that_is_another_is_not_used() {
    let bytes = noise(50_000, 4);
    let hub = Hub::new(&[("m.gguf", &bytes)], |path, mut reply| {
        if path.starts_with("/content/") {
            reply.body[10] ^= 1;
        }
        reply
    });
    let error = hub.resolve("hf:someone/model/m.gguf").unwrap_err();
    assert!(matches!(error, Error::Checksum { .. }), "{error:?}");
    assert!(
        !hub.cached().iter().any(|file| file.ends_with("/m.gguf")),
        "{:?}",
        hub.cached()
    );
}

#[test]
fn what_is_refused_or_not_there_is_told_apart() {
    let status = |status: u16| Hub::new(&[("m.gguf", b"x")], move |_, _| Reply::new(status, ""));
    let error = |hub: &Hub| hub.resolve("hf:someone/model").unwrap_err();
    assert!(matches!(error(&status(404)), Error::NotFound { .. }));
    for code in [401, 403] {
        let found = error(&status(code));
        assert!(
            matches!(found, Error::Access { .. } | Error::NotFound { .. }),
            "{found:?}"
        );
    }
    let hub = Hub::new(&[("README.md", b"words")], as_it_is);
    let found = error(&hub);
    assert!(matches!(found, Error::NotAModel { .. }), "{found:?}");
}

/// As long as a try brings bytes there is another; one that brings none, again and again, ends it.
#[test]
fn silence_is_not_waited_for_for_ever() {
    let tries = AtomicUsize::new(0);
    let bytes = noise(50_000, 5);
    let hub = Hub::new(&[("m.gguf", &bytes)], move |path, reply| {
        if !path.starts_with("/content/") {
            return reply;
        }
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        reply
            .cut_after(if first { 1000 } else { 0 })
            .then(Then::Silence)
    });
    let mut settings = hub.settings();
    settings.stall = Duration::from_millis(200);
    let error = Store::new(settings).resolve("hf:someone/model/m.gguf", &Silent);
    assert!(matches!(error, Err(Error::Hub { .. })), "{error:?}");
}

#[test]
fn without_a_network_the_host_is_named_and_offline_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    let error = Store::new(settings.clone())
        .resolve("hf:someone/model", &Silent)
        .unwrap_err();
    assert!(matches!(error, Error::Hub { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1"));
    settings.hub.offline = true;
    let error = Store::new(settings)
        .resolve("hf:someone/model", &Silent)
        .unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error:?}");
}

#[test]
fn two_at_once_fetch_once() {
    let bytes = noise(200_000, 6);
    let hub = Arc::new(Hub::new(&[("m.gguf", &bytes)], as_it_is));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| hub.resolve("hf:someone/model/m.gguf").unwrap());
        }
    });
    assert_eq!(hub.server.requests_for("m.gguf?signature=1").len(), 1);
}

#[test]
fn a_stopped_fetch_is_not_in_use() {
    let bytes = noise(2_000_000, 7);
    let hub = Hub::new(&[("m.gguf", &bytes)], as_it_is);
    let stopped =
        Store::new(hub.settings()).resolve("hf:someone/model/m.gguf", &Watcher::stopping_at(1));
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert!(
        !hub.cached()
            .iter()
            .any(|file| file.ends_with(&format!("{COMMIT}/m.gguf")))
    );
}

#[test]
fn the_cache_of_the_hubs_own_tools_is_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    let snapshot = shared.join("models--someone--model/snapshots").join(COMMIT);
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::write(snapshot.join("m.gguf"), "x").unwrap();
    let mut settings = settings(folder.path());
    settings.hub.shared_cache = Some(shared);
    let found = Store::new(settings)
        .resolve("hf:someone/model/m.gguf", &Silent)
        .unwrap();
    assert_eq!(found.path, snapshot.join("m.gguf"));
}
