//! What a model family must say about its files. The loaders know no family; a new one is added
//! to [`FAMILIES`].

use super::gguf::GgufFile;
use super::llama::Llama;
use super::settings::Settings;
use super::weights::{RowOrder, Weights};
use super::{Config, Error};

/// All families whose checkpoints can be opened.
pub(crate) const FAMILIES: &[&dyn Family] = &[&Llama];

/// How one family's checkpoints are written.
pub(crate) trait Family: Sync {
    /// Its name, which is GGUF's `general.architecture`.
    fn architecture(&self) -> &'static str;

    /// The `model_type`s of config.json whose mathematics this is.
    fn model_types(&self) -> &'static [&'static str];

    /// Reads config.json. Every key must be accounted for.
    fn folder_config(&self, settings: Settings) -> Result<Config, Error>;

    /// Reads a GGUF file's keys `{architecture}.*`, given in `settings` without that beginning.
    /// Tensors still go by their GGUF names, with their rows as stored.
    fn gguf_config(&self, settings: Settings, weights: &Weights) -> Result<Config, Error>;

    /// The canonical name of a GGUF tensor, and in which order its rows stand. None for a
    /// tensor that this family does not have.
    fn canonical_name(&self, name: &str, config: &Config) -> Option<(String, RowOrder)>;

    /// Tensors that may be there and take no part in the computation.
    fn is_ignored(&self, name: &str, config: &Config) -> bool;

    /// Names and shapes of all tensors of a model, in order. Lazily: a lying configuration may
    /// ask for any number of layers.
    fn tensors(&self, config: &Config) -> Box<dyn Iterator<Item = (String, Vec<usize>)>>;
}

/// The family whose GGUF name, or one of whose model types, is `name`.
pub(crate) fn by_architecture(
    file: &GgufFile,
    path: &std::path::Path,
) -> Result<&'static dyn Family, Error> {
    let found = file
        .text("general.architecture")
        .map_err(|source| Error::Gguf {
            path: path.to_owned(),
            source,
        })?;
    FAMILIES
        .iter()
        .copied()
        .find(|family| Some(family.architecture()) == found)
        .ok_or_else(|| Error::Architecture {
            path: path.to_owned(),
            found: found
                .unwrap_or("unknown (it has no general.architecture)")
                .to_owned(),
            supported: supported(|family| vec![family.architecture()]),
        })
}

/// The family of a config.json's `model_type`.
pub(crate) fn by_model_type(
    model_type: Option<&str>,
    path: &std::path::Path,
) -> Result<&'static dyn Family, Error> {
    FAMILIES
        .iter()
        .copied()
        .find(|family| model_type.is_some_and(|found| family.model_types().contains(&found)))
        .ok_or_else(|| Error::Architecture {
            path: path.to_owned(),
            found: model_type
                .unwrap_or("unknown (it has no model_type)")
                .to_owned(),
            supported: supported(|family| family.model_types().to_vec()),
        })
}

fn supported(names: impl Fn(&dyn Family) -> Vec<&'static str>) -> String {
    let names: Vec<&str> = FAMILIES.iter().flat_map(|family| names(*family)).collect();
    names.join(", ")
}
