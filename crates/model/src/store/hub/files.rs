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
    /// One GGUF file, or all parts of one.
    Gguf(Vec<String>),
    /// These files of a folder model; where it is sharded, those that its index names as well.
    Folder {
        /// Paths inside the repository.
        files: Vec<String>,
        /// The index of the shards, if there is one.
        index: Option<&'static str>,
    },
}

const INDEX: &str = "model.safetensors.index.json";
const WEIGHTS: &str = "model.safetensors";
const PICKLED: &str = "pytorch_model.bin";
const PICKLED_INDEX: &str = "pytorch_model.bin.index.json";
const ADAPTER: &str = "adapter_config.json";
const ADAPTER_WEIGHTS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// Files that a folder model must have.
const REQUIRED: [&str; 2] = ["config.json", "tokenizer.json"];

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
        return gguf(listing, file);
    }
    let weights = [WEIGHTS, INDEX].into_iter().find(|name| listing.has(name));
    match (weights, ggufs.as_slice()) {
        (Some(weights), _) => folder(listing, weights),
        (None, []) => others(listing),
        (None, [only]) => gguf(listing, only),
        (None, [first, ..]) if parts(first) == ggufs => gguf(listing, first),
        (None, _) => Err(format!(
            "it has several .gguf files, so one must be named{}",
            choices(&ggufs)
        )),
    }
}

fn gguf(listing: &Listing, file: &str) -> Result<Plan, String> {
    let files = parts(file);
    match files.iter().find(|part| !listing.has(part)) {
        Some(missing) => Err(format!("it has {file}, and not its part {missing}")),
        None => Ok(Plan::Gguf(files)),
    }
}

/// The files of the model that a GGUF file belongs to: itself, or where its name ends in `-00001-of-00003.gguf` all parts, in order.
pub(super) fn parts(file: &str) -> Vec<String> {
    /// Parts are of a gigabyte at least.
    const MOST: usize = 10_000;
    let named = || {
        let stem = file.strip_suffix(".gguf")?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (beginning, number) = rest.rsplit_once('-')?;
        let read = |text: &str| {
            let digits = text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<usize>().ok()).flatten()
        };
        let (number, count) = (read(number)?, read(count)?);
        ((1..=count).contains(&number) && count < MOST).then_some((beginning, count))
    };
    match named() {
        Some((beginning, count)) => (1..=count)
            .map(|number| format!("{beginning}-{number:05}-of-{count:05}.gguf"))
            .collect(),
        None => vec![file.to_owned()],
    }
}

/// A model in PyTorch's own files, or an adapter.
fn others(listing: &Listing) -> Result<Plan, String> {
    let pickled = [PICKLED, PICKLED_INDEX];
    if let Some(weights) = pickled.into_iter().find(|name| listing.has(name)) {
        return folder(listing, weights);
    }
    let weights = ADAPTER_WEIGHTS.into_iter().find(|name| listing.has(name));
    match weights.filter(|_| listing.has(ADAPTER)) {
        Some(weights) => {
            let tokenizer = ["tokenizer.json"].into_iter().chain(OPTIONAL);
            let files = [ADAPTER]
                .into_iter()
                .chain(tokenizer.filter(|name| listing.has(name)));
            Ok(Plan::Folder {
                files: files.chain([weights]).map(str::to_owned).collect(),
                index: None,
            })
        }
        None => Err(format!(
            "it has neither {WEIGHTS} nor {PICKLED} nor a .gguf file"
        )),
    }
}

fn folder(listing: &Listing, weights: &'static str) -> Result<Plan, String> {
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
        index: [INDEX, PICKLED_INDEX]
            .into_iter()
            .find(|index| *index == weights),
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
pub(super) fn shards(folder: &Path, index: &str) -> Result<Vec<String>, String> {
    const MAX_INDEX: u64 = 64 << 20;
    let ending = match index == INDEX {
        true => ".safetensors",
        false => ".bin",
    };
    let path = folder.join(index);
    let bytes = std::fs::metadata(&path)
        .map_err(|error| format!("{index}: {error}"))?
        .len();
    if bytes > MAX_INDEX {
        return Err(format!("{index} has {bytes} bytes, too many for an index"));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{index}: {error}"))?;
    let listed: Index = serde_json::from_str(&text).map_err(|error| {
        format!(
            "{index} is not as expected: {}",
            printable(&error.to_string())
        )
    })?;
    let shards: BTreeSet<_> = listed.weight_map.into_values().collect();
    if let Some(shard) = shards
        .iter()
        .find(|shard| !is_file_path(shard) || !shard.ends_with(ending))
    {
        return Err(format!(
            "{index} names {}, which is no {ending} file inside the repository",
            printable(&format!("{shard:?}"))
        ));
    }
    Ok(shards.into_iter().collect())
}

/// Whether a folder holds a whole model, or an adapter.
pub(super) fn is_whole(folder: &Path) -> bool {
    let has = |file: &str| folder.join(file).is_file();
    let has_shards = |index: &str| {
        has(index) && shards(folder, index).is_ok_and(|all| all.iter().all(|file| has(file)))
    };
    let weights = || has(WEIGHTS) || has_shards(INDEX) || has(PICKLED) || has_shards(PICKLED_INDEX);
    let model = REQUIRED.iter().all(|file| has(file)) && weights();
    model || (has(ADAPTER) && ADAPTER_WEIGHTS.iter().any(|file| has(file)))
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
            Ok(Plan::Folder { files, index: None })
        );
        assert_eq!(
            plan(&listing, Some("x.gguf")),
            Ok(Plan::Gguf(vec!["x.gguf".to_owned()]))
        );
    }

    #[test]
    fn a_single_gguf_needs_no_name_and_several_do() {
        assert_eq!(
            plan(&listing(&["a.gguf", "README.md"]), None),
            Ok(Plan::Gguf(vec!["a.gguf".to_owned()]))
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
            (&["flax_model.msgpack", "config.json"][..], None, "neither"),
            (&["adapter_config.json"], None, "neither"),
            (
                &["pytorch_model.bin", "config.json"],
                None,
                "tokenizer.json",
            ),
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
            (
                &["a-00001-of-00002.gguf"],
                None,
                "not its part a-00002-of-00002.gguf",
            ),
            (
                &["a-00001-of-00002.gguf"],
                Some("a-00001-of-00002.gguf"),
                "not its part a-00002-of-00002.gguf",
            ),
            (&["../a.gguf"], None, "neither"),
        ] {
            let why = plan(&listing(files), named).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn pickled_models_and_adapters_are_folders_too() {
        let files = |plan| match plan {
            Ok(Plan::Folder { files, index }) => (files.join(" "), index),
            other => panic!("{other:?}"),
        };
        let pickled = ["config.json", "tokenizer.json", PICKLED, "optimizer.pt"];
        assert_eq!(
            files(plan(&listing(&pickled), None)),
            (
                "config.json tokenizer.json pytorch_model.bin".to_owned(),
                None
            )
        );
        let sharded = ["config.json", "tokenizer.json", PICKLED_INDEX];
        assert_eq!(files(plan(&listing(&sharded), None)).1, Some(PICKLED_INDEX));
        let adapter = [
            "README.md",
            ADAPTER,
            "adapter_model.safetensors",
            "tokenizer.json",
        ];
        assert_eq!(
            files(plan(&listing(&adapter), None)).0,
            "adapter_config.json tokenizer.json adapter_model.safetensors"
        );
    }

    #[test]
    fn any_part_of_a_gguf_file_stands_for_all() {
        let names = ["x/a-00001-of-00002.gguf", "x/a-00002-of-00002.gguf"];
        let all = names.map(str::to_owned).to_vec();
        for named in [None, Some(names[0]), Some(names[1])] {
            assert_eq!(plan(&listing(&names), named), Ok(Plan::Gguf(all.clone())));
        }
        for alone in [
            "of-00001.gguf",
            "a-b-c.gguf",
            ".gguf",
            "a-00003-of-00002.gguf",
            "a-00000-of-00002.gguf",
            "a-1-of-2.gguf",
            "a-00001-of-99999.gguf",
        ] {
            assert_eq!(parts(alone), [alone]);
        }
    }

    #[test]
    fn an_index_cannot_name_files_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join(INDEX), text).unwrap();
        write(
            r#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#,
        );
        assert_eq!(
            shards(folder.path(), INDEX).unwrap(),
            ["m-1.safetensors", "m-2.safetensors"]
        );
        for name in [
            "../m.safetensors",
            "/m.safetensors",
            "m.bin",
            ".m.safetensors",
        ] {
            write(&format!(r#"{{"weight_map": {{"a": "{name}"}}}}"#));
            assert!(shards(folder.path(), INDEX).is_err(), "{name}");
        }
        write("{}");
        assert!(shards(folder.path(), INDEX).is_err());
        std::fs::write(
            folder.path().join(PICKLED_INDEX),
            r#"{"weight_map": {"a": "m.bin"}}"#,
        )
        .unwrap();
        assert_eq!(shards(folder.path(), PICKLED_INDEX).unwrap(), ["m.bin"]);
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
