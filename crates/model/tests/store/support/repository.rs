//! A repository as the hub serves it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::server::{Reply, Request, Server};
use super::sha256;

/// The commit that a repository is at first.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A commit that it may move to.
pub(crate) const NEXT_COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Files of `hf:someone/model`.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    files: BTreeMap<&'static str, Vec<u8>>,
    pub(crate) commit: &'static str,
    /// Where large files are kept; else the hub itself serves them.
    pub(crate) content_url: Option<String>,
}

impl Repository {
    pub(crate) fn new(files: &[(&'static str, &[u8])]) -> Self {
        let files = files
            .iter()
            .map(|(name, bytes)| (*name, bytes.to_vec()))
            .collect();
        Self {
            files,
            commit: COMMIT,
            content_url: None,
        }
    }

    /// A folder model with these weights.
    pub(crate) fn folder(weights: &[u8]) -> Self {
        Self::new(&[
            ("README.md", b"# A model"),
            ("config.json", b"{}"),
            ("tokenizer.json", b"{\"version\": \"1.0\"}"),
            ("model.safetensors", weights),
        ])
    }

    /// Adds files, or changes them, in a new commit.
    pub(crate) fn move_on(&mut self, files: &[(&'static str, &[u8])]) {
        self.commit = NEXT_COMMIT;
        let files = files.iter().map(|(name, bytes)| (*name, bytes.to_vec()));
        self.files.extend(files);
    }

    /// A server of it, and what it holds from now on.
    pub(crate) fn serve(self) -> (Server, Arc<Mutex<Self>>) {
        let repository = Arc::new(Mutex::new(self));
        let served = Arc::clone(&repository);
        let server = Server::start(move |request| served.lock().unwrap().answer(request));
        (server, repository)
    }

    /// What the hub answers: the list of files, a redirect for a large file, or the file.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        if request.path == "/api/models/someone/model/revision/main" {
            let siblings: Vec<_> = self
                .files
                .keys()
                .map(|name| serde_json::json!({ "rfilename": name }))
                .collect();
            let listing =
                serde_json::json!({ "sha": self.commit, "siblings": siblings, "downloads": 1 });
            return Reply::new(200, listing.to_string());
        }
        if let Some(name) = request
            .path
            .strip_prefix(&format!("/someone/model/resolve/{}/", self.commit))
        {
            let Some(bytes) = self.files.get(name) else {
                return Reply::new(404, "no such file");
            };
            if name.ends_with(".json") {
                return Reply::new(200, bytes.as_slice()).with("ETag", "\"0123456789abcdef\"");
            }
            let content = self.content_url.as_deref().unwrap_or_default();
            return Reply::new(302, "")
                .with("X-Linked-Etag", format!("\"{}\"", sha256(bytes)))
                .with("X-Linked-Size", bytes.len())
                .with("Location", format!("{content}/content/{name}?signature=1"));
        }
        self.content(request)
    }

    /// What the server of large files answers: all of the file, or what is asked for by its range.
    pub(crate) fn content(&self, request: &Request) -> Reply {
        let path = request.path.strip_prefix("/content/");
        let name = path.and_then(|path| path.strip_suffix("?signature=1"));
        let Some(bytes) = name.and_then(|name| self.files.get(name)) else {
            return Reply::new(404, "");
        };
        let total = bytes.len();
        match request.range_start() {
            None => Reply::new(200, bytes.as_slice()),
            Some(start) if start < total => Reply::new(206, &bytes[start..]).with(
                "Content-Range",
                format!("bytes {start}-{}/{total}", total - 1),
            ),
            Some(_) => Reply::new(416, "").with("Content-Range", format!("bytes */{total}")),
        }
    }
}
