//! The cache that Hugging Face's own tools share: `models--OWNER--NAME/snapshots/COMMIT/`.

use std::path::{Path, PathBuf};

use super::files::{self, is_commit, is_whole};
use crate::store::Resolved;
use crate::store::spec::{HubSpec, is_repository_part};

/// The model in `cache`, if all of it is there. Without a name only a folder model is found: whether a single GGUF
/// file there is the repository's only one, the hub alone knows.
pub(super) fn find(spec: &HubSpec, cache: &Path) -> Option<Resolved> {
    let snapshot = snapshot(&repository(spec, cache))?;
    let path = match &spec.file {
        Some(file) => has_parts(&snapshot, file).then(|| snapshot.join(file)),
        None => is_whole(&snapshot).then_some(snapshot),
    }?;
    Some(resolved(spec, path))
}

/// One file of one commit.
pub(super) fn find_file(
    spec: &HubSpec,
    cache: &Path,
    commit: &str,
    file: &str,
) -> Option<Resolved> {
    let snapshot = repository(spec, cache).join("snapshots").join(commit);
    has_parts(&snapshot, file).then(|| resolved(spec, snapshot.join(file)))
}

/// Whether a GGUF file is there, with all its parts.
fn has_parts(snapshot: &Path, file: &str) -> bool {
    let mut parts = files::parts(file).into_iter();
    parts.all(|part| snapshot.join(part).is_file())
}

fn repository(spec: &HubSpec, cache: &Path) -> PathBuf {
    cache.join(format!("models--{}--{}", spec.owner, spec.name))
}

fn resolved(spec: &HubSpec, path: PathBuf) -> Resolved {
    Resolved {
        name: spec.to_string(),
        path,
        sha256: None,
        stamp: None,
    }
}

/// The snapshot that `refs/main` names, or else the only one.
fn snapshot(repository: &Path) -> Option<PathBuf> {
    let snapshots = repository.join("snapshots");
    if let Ok(commit) = std::fs::read_to_string(repository.join("refs").join("main")) {
        let commit = commit.trim();
        return is_commit(commit)
            .then(|| snapshots.join(commit))
            .filter(|path| path.is_dir());
    }
    let mut folders = std::fs::read_dir(snapshots)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let only = folders.next()?;
    folders.next().is_none().then_some(only)
}

/// The `.gguf` files directly in `folder`, in order.
fn ggufs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<_> = entries
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
        })
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// The models in `cache`: what each is called after `hf:`, and its folder or file.
pub(crate) fn models(cache: &Path) -> Vec<(String, PathBuf)> {
    let mut models = Vec::new();
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((owner, name)) = name
            .strip_prefix("models--")
            .and_then(|name| name.split_once("--"))
        else {
            continue;
        };
        if !is_repository_part(owner) || !is_repository_part(name) {
            continue;
        }
        let Some(snapshot) = snapshot(&entry.path()) else {
            continue;
        };
        if is_whole(&snapshot) {
            models.push((format!("{owner}/{name}"), snapshot.clone()));
        }
        for path in ggufs(&snapshot) {
            let file = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            models.push((format!("{owner}/{name}/{file}"), path));
        }
    }
    models.sort();
    models
}
