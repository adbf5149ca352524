//! What a model is called, and which prefix is declared for it.

use std::path::Path;

/// Models, by the beginning of their name in lower case, for which another token than the
/// file's own bos does better before a text. SmolLM2 was trained on documents that
/// `<|endoftext|>` separates; its file names `<|im_start|>`, which begins a turn of a chat.
const DECLARED: &[(&str, &str)] = &[("smollm2", "<|endoftext|>"), ("pronoun", "<|endoftext|>")];

/// The prefix declared for the model of this name.
pub(super) fn declared(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    DECLARED
        .iter()
        .find(|(beginning, _)| name.starts_with(beginning))
        .map(|(_, prefix)| *prefix)
}

/// A model's name by the folder it lies in. Caches of downloads keep a model in a folder named
/// by a commit, below one with its name: `NAME/COMMIT`, or `models--OWNER--NAME/snapshots/COMMIT`.
pub(crate) fn folder_name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let named = full.iter().rev().map(|part| part.to_string_lossy());
    let is_commit = |part: &str| part.len() == 40 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let name = named
        .into_iter()
        .find(|part| !is_commit(part) && part != "snapshots");
    match name {
        Some(name) => name.rsplit("--").next().unwrap_or(&name).to_owned(),
        None => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_downloads_are_named_by_their_model() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let name = |path: &str| folder_name(Path::new(path));
        assert_eq!(name("/models/tiny"), "tiny");
        assert_eq!(
            name(&format!("/hub/OWNER/SmolLM2-135M/{commit}")),
            "SmolLM2-135M"
        );
        let cached = format!("/hub/models--OWNER--SmolLM2-135M/snapshots/{commit}");
        assert_eq!(name(&cached), "SmolLM2-135M");
        assert_eq!(declared(&name(&cached)), Some("<|endoftext|>"));
        assert_eq!(declared("llama-3"), None);
    }
}
