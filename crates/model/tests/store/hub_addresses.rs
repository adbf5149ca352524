//! What `hf:OWNER/NAME` and `hf:OWNER/NAME/FILE` stand for, whatever was fetched before.

use std::path::Path;

use lookback_model::store::{Error, Origin, Silent, Store};

use super::hub::{commit_folder, hub_settings, store};
use super::support::noise;
use super::support::repository::{COMMIT, NEXT_COMMIT, Repository};

#[test]
fn a_named_file_does_not_answer_for_the_repository() {
    let (a, b) = (noise(1000, 20), noise(1000, 21));
    let (server, _) = Repository::new(&[("x.Q2_K.gguf", &a), ("x.Q8_0.gguf", &b)]).serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    store
        .resolve("hf:someone/model/x.Q2_K.gguf", &Silent)
        .unwrap();
    let error = store.resolve("hf:someone/model", &Silent).unwrap_err();
    assert!(matches!(error, Error::NotAModel { .. }), "{error:?}");
    let message = error.to_string();
    assert!(
        message.contains("x.Q2_K.gguf, x.Q8_0.gguf") && message.contains("must be named"),
        "{message}"
    );
}

#[test]
fn a_named_file_does_not_hide_the_folder_model() {
    let mut repository = Repository::folder(b"weights");
    repository.move_on(&[("x.gguf", b"quantised")]);
    let (server, _) = repository.serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let file = store.resolve("hf:someone/model/x.gguf", &Silent).unwrap();
    let whole = store.resolve("hf:someone/model", &Silent).unwrap();
    assert_eq!(file.path, whole.path.join("x.gguf"));
    assert!(whole.path.join("model.safetensors").exists());
}

#[test]
fn a_file_of_a_newer_commit_leaves_the_folder_model_as_it_is() {
    let (server, repository) = Repository::folder(b"old").serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    let before = store.resolve("hf:someone/model", &Silent).unwrap();
    assert_eq!(before.path, commit_folder(&folder, COMMIT));
    repository
        .lock()
        .unwrap()
        .move_on(&[("model.safetensors", b"new"), ("x.gguf", b"quantised")]);
    let file = store.resolve("hf:someone/model/x.gguf", &Silent).unwrap();
    assert_eq!(
        file.path,
        commit_folder(&folder, NEXT_COMMIT).join("x.gguf")
    );
    // Both are found without asking, each where it was.
    let asked = server.count();
    assert_eq!(store.resolve("hf:someone/model", &Silent).unwrap(), before);
    assert_eq!(
        store.resolve("hf:someone/model/x.gguf", &Silent).unwrap(),
        file
    );
    assert_eq!(server.count(), asked);
    let weights = std::fs::read(before.path.join("model.safetensors")).unwrap();
    assert_eq!(weights, b"old");
}

#[test]
fn what_was_fetched_is_listed_by_what_to_write() {
    let (server, repository) = Repository::folder(b"weights").serve();
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, &server.url);
    store.resolve("hf:someone/model", &Silent).unwrap();
    repository.lock().unwrap().move_on(&[("x.gguf", &[7; 300])]);
    store.resolve("hf:someone/model/x.gguf", &Silent).unwrap();
    let list = store.list().unwrap();
    let entries: Vec<_> = list
        .iter()
        .map(|entry| (&*entry.name, entry.bytes, entry.origin, entry.ready))
        .collect();
    // config.json, tokenizer.json and the weights.
    let bytes = 2 + 18 + 7;
    assert_eq!(
        entries,
        [
            ("hf:someone/model", bytes, Origin::Hub, true),
            ("hf:someone/model/x.gguf", 300, Origin::Hub, true),
        ]
    );
    for entry in &list {
        assert_eq!(
            store.resolve(&entry.name, &Silent).unwrap().path,
            entry.path
        );
    }
    // Half of it is not there.
    std::fs::remove_file(list[0].path.join("config.json")).unwrap();
    assert_eq!(store.list().unwrap(), list[1..]);
}

/// A cache as Hugging Face's own tools lay it out.
fn shared_cache(root: &Path, files: &[(&str, &[u8])]) {
    let repository = root.join("models--someone--model");
    let snapshot = repository.join("snapshots").join(COMMIT);
    std::fs::create_dir_all(repository.join("refs")).unwrap();
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::write(repository.join("refs/main"), COMMIT).unwrap();
    for (name, bytes) in files {
        std::fs::write(snapshot.join(name), bytes).unwrap();
    }
}

const FOLDER: [(&str, &[u8]); 3] = [
    ("config.json", b"{}"),
    ("tokenizer.json", b"{}"),
    ("model.safetensors", b"weights"),
];

#[test]
fn what_hugging_faces_tools_fetched_is_used_without_asking() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    shared_cache(&shared, &FOLDER);
    shared_cache(&shared, &[("x.gguf", b"quantised")]);
    let mut settings = hub_settings(&folder, "http://127.0.0.1:9");
    settings.hub.shared_cache = Some(shared.clone());
    settings.hub.offline = true;
    let store = Store::new(settings);
    let snapshot = shared.join("models--someone--model/snapshots").join(COMMIT);
    let whole = store.resolve("hf:someone/model", &Silent).unwrap();
    assert_eq!(whole.path, snapshot);
    let file = store.resolve("hf:someone/model/x.gguf", &Silent).unwrap();
    assert_eq!(file.path, snapshot.join("x.gguf"));
    let names: Vec<_> = store
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| (entry.name, entry.origin))
        .collect();
    assert_eq!(
        names,
        [
            ("hf:someone/model".to_owned(), Origin::SharedHubCache),
            ("hf:someone/model/x.gguf".to_owned(), Origin::SharedHubCache),
        ]
    );
}

/// Whether the GGUF file there is the only one that the repository has cannot be seen in the cache.
#[test]
fn a_single_gguf_of_the_shared_cache_is_used_once_the_hub_says_it_is_the_one() {
    let weights = noise(5000, 22);
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    shared_cache(&shared, &[("x.gguf", &weights)]);
    let (server, repository) = Repository::new(&[("x.gguf", &weights)]).serve();
    let mut settings = hub_settings(&folder, &server.url);
    settings.hub.shared_cache = Some(shared.clone());

    let mut offline = settings.clone();
    offline.hub.offline = true;
    let error = Store::new(offline).resolve("hf:someone/model", &Silent);
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("HF_HUB_OFFLINE") && message.ends_with("hf:someone/model/x.gguf"),
        "{message}"
    );

    let store = Store::new(settings);
    let found = store.resolve("hf:someone/model", &Silent).unwrap();
    assert!(found.path.starts_with(&shared));
    assert_eq!(
        server.count(),
        1,
        "the list is asked for, and nothing is fetched"
    );
    repository.lock().unwrap().move_on(&[("y.gguf", b"")]);
    let error = store.resolve("hf:someone/model", &Silent);
    assert!(matches!(error, Err(Error::NotAModel { .. })), "{error:?}");
}
