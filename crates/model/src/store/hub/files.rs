//! Which of a repository's files make up the model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::printable::printable;
use crate::store::spec::is_file_path;

/// What the hub says a repository holds.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Listing {
    /// The commit that the list is of.
    pub(super) fn commit(&self) -> Result<String, String> {
        if is_commit(&self.sha) {
            return Ok(self.sha.clone());
        }
        let sha = printable(&format!("{:?}", self.sha));
        Err(format!("{sha} is no commit"))
    }

    fn has(&self, file: &str) -> bool {
        self.siblings
            .iter()
            .any(|sibling| sibling.rfilename == file)
    }
}

/// Whether `text` is a commit's name: safe as one part of a path.
pub(super) fn is_commit(text: &str) -> bool {
    (40..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is to be fetched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// One GGUF file.
    File(String),
    /// These files of a folder model; where it is sharded, those that its index names as well.
    Folder {
        /// Paths inside the repository.
        files: Vec<String>,
        /// Whether the last of them is the index of the shards.
        sharded: bool,
    },
}

pub(super) const INDEX: &str = "model.safetensors.index.json";
pub(super) const WEIGHTS: &str = "model.safetensors";

/// Files that a folder model must have.
pub(super) const REQUIRED: [&str; 2] = ["config.json", "tokenizer.json"];

/// Files that say more about a folder model, where it has them.
const OPTIONAL: [&str; 3] = [
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
];

/// Chooses the files, or says why there is no model among them. `file` is the one that was named.
pub(super) fn plan(listing: &Listing, file: Option<&str>) -> Result<Plan, String> {
    let mut ggufs: Vec<_> = listing
        .siblings
        .iter()
        .map(|sibling| sibling.rfilename.as_str())
        .filter(|name| name.to_ascii_lowercase().ends_with(".gguf") && is_file_path(name))
        .collect();
    ggufs.sort_unstable();
    if let Some(file) = file {
        if !listing.has(file) {
            return Err(format!("it has no file {file}{}", choices(&ggufs)));
        }
        return single(file);
    }
    let weights = [WEIGHTS, INDEX].into_iter().find(|name| listing.has(name));
    match (weights, ggufs.as_slice()) {
        (Some(weights), _) => folder(listing, weights),
        (None, [only]) => single(only),
        (None, []) => Err(format!("it has neither {WEIGHTS} nor a .gguf file")),
        (None, _) => Err(format!(
            "it has several .gguf files, so one must be named{}",
            choices(&ggufs)
        )),
    }
}

fn single(file: &str) -> Result<Plan, String> {
    if is_split(file) {
        return Err(format!(
            "{file} is one part of a split GGUF, which is not supported; take one in a single file"
        ));
    }
    Ok(Plan::File(file.to_owned()))
}

/// Whether the name ends in `-00001-of-00003.gguf`, as parts of a split model do.
fn is_split(file: &str) -> bool {
    let stem = &file[..file.len() - ".gguf".len()];
    let mut parts = stem.rsplitn(3, '-');
    let number = |part: Option<&str>| {
        part.is_some_and(|part| part.len() == 5 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    number(parts.next())
        && parts.next() == Some("of")
        && number(parts.next().and_then(|rest| rest.rsplit('-').next()))
}

fn folder(listing: &Listing, weights: &str) -> Result<Plan, String> {
    if let Some(missing) = REQUIRED.into_iter().find(|name| !listing.has(name)) {
        return Err(format!("it has no {missing}"));
    }
    let optional = OPTIONAL.into_iter().filter(|name| listing.has(name));
    let files = REQUIRED
        .into_iter()
        .chain(optional)
        .chain([weights])
        .map(str::to_owned)
        .collect();
    Ok(Plan::Folder {
        files,
        sharded: weights == INDEX,
    })
}

/// ": a, b, c and 7 more", to choose from.
fn choices(ggufs: &[&str]) -> String {
    const SHOWN: usize = 8;
    let mut text = ggufs
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if ggufs.is_empty() {
        return text;
    }
    if ggufs.len() > SHOWN {
        text.push_str(&format!(" and {} more", ggufs.len() - SHOWN));
    }
    format!("; there are: {text}")
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The weight files that the index in `folder` names.
pub(super) fn shards(folder: &Path) -> Result<Vec<String>, String> {
    const MAX_INDEX: u64 = 64 << 20;
    let path = folder.join(INDEX);
    let bytes = std::fs::metadata(&path)
        .map_err(|error| format!("{INDEX}: {error}"))?
        .len();
    if bytes > MAX_INDEX {
        return Err(format!("{INDEX} has {bytes} bytes, too many for an index"));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{INDEX}: {error}"))?;
    let index: Index = serde_json::from_str(&text).map_err(|error| {
        format!(
            "{INDEX} is not as expected: {}",
            printable(&error.to_string())
        )
    })?;
    let shards: BTreeSet<_> = index.weight_map.into_values().collect();
    if let Some(shard) = shards
        .iter()
        .find(|shard| !is_file_path(shard) || !shard.ends_with(".safetensors"))
    {
        return Err(format!(
            "{INDEX} names {}, which is no .safetensors file inside the repository",
            printable(&format!("{shard:?}"))
        ));
    }
    Ok(shards.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: &[&str]) -> Listing {
        let siblings = files
            .iter()
            .map(|file| Sibling {
                rfilename: (*file).to_owned(),
            })
            .collect();
        Listing {
            sha: "0".repeat(40),
            siblings,
        }
    }

    #[test]
    fn a_folder_model_is_its_known_files() {
        let listing = listing(&[
            "README.md",
            "model.safetensors",
            "config.json",
            "tokenizer.json",
            "x.gguf",
            "pytorch_model.bin",
            "tokenizer_config.json",
        ]);
        let files = [
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "model.safetensors",
        ];
        let files = files.map(str::to_owned).to_vec();
        assert_eq!(
            plan(&listing, None),
            Ok(Plan::Folder {
                files,
                sharded: false
            })
        );
        assert_eq!(
            plan(&listing, Some("x.gguf")),
            Ok(Plan::File("x.gguf".to_owned()))
        );
    }

    #[test]
    fn a_single_gguf_needs_no_name_and_several_do() {
        assert_eq!(
            plan(&listing(&["a.gguf", "README.md"]), None),
            Ok(Plan::File("a.gguf".to_owned()))
        );
        let why = plan(&listing(&["b.gguf", "a.gguf"]), None).unwrap_err();
        assert!(why.ends_with("there are: a.gguf, b.gguf"), "{why}");
        let why = plan(&listing(&["b.gguf"]), Some("c.gguf")).unwrap_err();
        assert!(
            why.contains("no file c.gguf") && why.ends_with("b.gguf"),
            "{why}"
        );
    }

    #[test]
    fn what_cannot_be_loaded_is_not_fetched() {
        for (files, named, word) in [
            (&["pytorch_model.bin", "config.json"][..], None, "neither"),
            (
                &["model.safetensors", "config.json"],
                None,
                "tokenizer.json",
            ),
            (
                &["model.safetensors", "tokenizer.json"],
                None,
                "config.json",
            ),
            (&["a-00001-of-00002.gguf"], None, "split"),
            (
                &["a-00001-of-00002.gguf"],
                Some("a-00001-of-00002.gguf"),
                "split",
            ),
            (&["../a.gguf"], None, "neither"),
        ] {
            let why = plan(&listing(files), named).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
        assert!(!is_split("of-00001.gguf") && !is_split("a-b-c.gguf") && !is_split(".gguf"));
    }

    #[test]
    fn an_index_cannot_name_files_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join(INDEX), text).unwrap();
        write(
            r#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#,
        );
        assert_eq!(
            shards(folder.path()).unwrap(),
            ["m-1.safetensors", "m-2.safetensors"]
        );
        for name in [
            "../m.safetensors",
            "/m.safetensors",
            "m.bin",
            ".m.safetensors",
        ] {
            write(&format!(r#"{{"weight_map": {{"a": "{name}"}}}}"#));
            assert!(shards(folder.path()).is_err(), "{name}");
        }
        write("{}");
        assert!(shards(folder.path()).is_err());
    }

    #[test]
    fn a_commit_is_one_part_of_a_path() {
        assert!(is_commit(&"0a".repeat(20)));
        for text in [
            "",
            "..",
            "main",
            &"0A".repeat(20),
            &"0/".repeat(20),
            &"0".repeat(65),
        ] {
            assert!(!is_commit(text), "{text}");
        }
    }
}
