//! What is written after `--model`.

use std::path::{Path, PathBuf};

use super::{EmbeddedModel, Error, KnownModel, PRONOUN};

/// A model, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spec {
    /// By its short name.
    Known(&'static KnownModel),
    /// Built into the program.
    Embedded(&'static EmbeddedModel),
    /// On the Hugging Face hub.
    Hub(HubSpec),
    /// A file or folder that exists.
    Path(PathBuf),
}

/// A model on the Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubSpec {
    pub(super) owner: String,
    pub(super) name: String,
    /// A path inside the repository, with `/`.
    pub(super) file: Option<String>,
}

impl HubSpec {
    /// OWNER/NAME.
    pub(super) fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// `hf:OWNER/NAME[/FILE]`.
impl std::fmt::Display for HubSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hf:{}/{}", self.owner, self.name)?;
        match &self.file {
            Some(file) => write!(f, "/{file}"),
            None => Ok(()),
        }
    }
}

/// Reads `spec`. A short name wins over a file of that name: `./NAME` is the file.
pub(super) fn parse(spec: &str, known: &'static [KnownModel]) -> Result<Spec, Error> {
    if let Some(model) = known.iter().find(|model| model.name == spec) {
        return Ok(Spec::Known(model));
    }
    if spec == PRONOUN.name {
        return Ok(Spec::Embedded(&PRONOUN));
    }
    if let Some(address) = spec.strip_prefix("hf:") {
        return parse_hub(address)
            .map(Spec::Hub)
            .map_err(|why| Error::Spec {
                spec: spec.to_owned(),
                why,
            });
    }
    let path = Path::new(spec);
    if !spec.is_empty() && path.exists() {
        return Ok(Spec::Path(path.to_path_buf()));
    }
    Err(Error::UnknownModel {
        spec: spec.to_owned(),
        hint: hint(spec, known),
    })
}

fn hint(spec: &str, known: &[KnownModel]) -> String {
    if parse_hub(spec).is_ok() && !spec.ends_with(".gguf") {
        return format!(
            "there is no such file or folder; for the model on the Hugging Face hub write hf:{spec}"
        );
    }
    if spec.contains(std::path::is_separator) || spec.ends_with(".gguf") {
        return "there is no such file or folder".to_owned();
    }
    let known = known.iter().map(|model| model.name);
    let names: Vec<_> = known.chain([PRONOUN.name]).collect();
    format!(
        "give {}, a folder, a .gguf file, or hf:OWNER/NAME[/FILE]",
        names.join(", ")
    )
}

fn parse_hub(address: &str) -> Result<HubSpec, &'static str> {
    let mut parts = address.splitn(3, '/');
    let owner = parts.next().unwrap_or_default();
    let name = parts.next().ok_or("the name after the owner is missing")?;
    let file = parts.next();
    if !is_repository_part(owner) || !is_repository_part(name) {
        return Err("owner and name are made of letters, digits, '-', '_' and '.'");
    }
    if let Some(file) = file {
        if !is_file_path(file) {
            return Err("the file is no plain path inside the repository");
        }
        if !file.to_ascii_lowercase().ends_with(".gguf") {
            return Err("only a .gguf file can be named; a folder model is named without a file");
        }
    }
    Ok(HubSpec {
        owner: owner.to_owned(),
        name: name.to_owned(),
        file: file.map(str::to_owned),
    })
}

/// Whether `part` may be an owner or a repository's name. What passes is safe as one part of a path.
pub(super) fn is_repository_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=96).contains(&part.len())
        && part.starts_with(word)
        && part.chars().all(|c| word(c) || matches!(c, '-' | '.'))
        && !part.contains("..")
        && !part.contains("--")
}

/// Whether `path` stays inside the folder that it is joined to, on every platform, and hides nothing.
pub(super) fn is_file_path(path: &str) -> bool {
    path.len() <= 512
        && path.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.contains(['\\', ':', '*', '?', '"', '<', '>', '|'])
                && !part.contains(char::is_control)
        })
}

#[cfg(test)]
mod tests {
    use super::super::KNOWN;
    use super::*;

    #[test]
    fn hub_addresses_are_read() {
        let Ok(Spec::Hub(spec)) = parse("hf:HuggingFaceTB/SmolLM2-135M", KNOWN) else {
            panic!()
        };
        assert_eq!(
            (
                spec.owner.as_str(),
                spec.name.as_str(),
                spec.file.as_deref()
            ),
            ("HuggingFaceTB", "SmolLM2-135M", None)
        );
        let Ok(Spec::Hub(spec)) = parse("hf:a/b.c/sub/d.gguf", KNOWN) else {
            panic!()
        };
        assert_eq!(spec.file.as_deref(), Some("sub/d.gguf"));
        assert_eq!(spec.to_string(), "hf:a/b.c/sub/d.gguf");
    }

    #[test]
    fn nothing_leaves_the_cache() {
        for spec in [
            "hf:",
            "hf:a",
            "hf:a/",
            "hf:/b",
            "hf:../b",
            "hf:a/..",
            "hf:a/b..c",
            "hf:.a/b",
            "hf:a/.b",
            "hf:a b/c",
            "hf:a\\b/c",
            "hf:a/b/",
            "hf:a/b//c.gguf",
            "hf:a/b/../c.gguf",
            "hf:a/b/./c.gguf",
            "hf:a/b/.c.gguf",
            "hf:a/b/c\\d.gguf",
            "hf:a/b/C:d.gguf",
            "hf:a/b/c\0.gguf",
            "hf:a/b/c.gguf/",
            "hf:a/b/config.json",
            "hf:-a/b",
            "hf:a/é",
            "hf:a--b/c",
        ] {
            assert!(
                matches!(parse(spec, KNOWN), Err(Error::Spec { .. })),
                "{spec:?}"
            );
        }
        let long = format!("hf:{}/b", "a".repeat(97));
        assert!(matches!(parse(&long, KNOWN), Err(Error::Spec { .. })));
    }

    #[test]
    fn what_is_not_there_is_named_with_what_may_be_meant() {
        let message = |spec: &str| parse(spec, KNOWN).unwrap_err().to_string();
        assert!(
            message("HuggingFaceTB/SmolLM2-135M").contains("write hf:HuggingFaceTB/SmolLM2-135M")
        );
        assert!(message("missing.gguf").contains("no such file"));
        assert!(message("smollm2").contains("smollm2-135m"));
        assert!(message("").contains("smollm2-135m"));
    }

    #[test]
    fn a_short_name_and_a_path_are_distinguished() {
        assert!(matches!(parse("smollm2-135m", KNOWN), Ok(Spec::Known(_))));
        assert!(matches!(parse(".", KNOWN), Ok(Spec::Path(_))));
    }
}
