//! How a model family's checkpoints are written, in both formats. The loaders know no family:
//! each describes its files in a [`Format`], beside its mathematics.

use std::path::Path;

use super::settings::Settings;
use super::weights::{RowOrder, Weights};
use super::{Config, Error};

/// The formats of all families.
pub(crate) type Formats = &'static [&'static Format];

/// A family's files.
pub(crate) struct Format {
    /// Its name, which is GGUF's `general.architecture`.
    pub(crate) architecture: &'static str,
    /// The `model_type`s of config.json whose mathematics this is.
    pub(crate) model_types: &'static [&'static str],
    /// What `architectures` in config.json may name.
    pub(crate) classes: &'static [&'static str],
    /// Settings that config.json must have, be it null, where it is of this `model_type`:
    /// transformers takes something else than nothing where they are absent.
    pub(crate) explicit: &'static [(&'static str, &'static [&'static str])],
    /// Reads config.json. Every key must be accounted for.
    pub(crate) folder_config: fn(Settings, &Format) -> Result<Config, Error>,
    /// Reads a GGUF file's keys `{architecture}.*`, given without that beginning. Tensors still
    /// go by their GGUF names, with their rows as stored.
    pub(crate) gguf_config: fn(Settings, &Weights, &Format) -> Result<Config, Error>,
    /// Tensors outside the layers.
    pub(crate) outside: &'static [TensorFormat],
    /// What a layer's tensors begin with: this, its number and a dot. In GGUF it is `blk.`
    pub(crate) layer_prefix: &'static str,
    /// Tensors of each layer, without that beginning.
    pub(crate) layer: &'static [TensorFormat],
    /// Ends of the names of tensors that may be there and take no part in the computation.
    pub(crate) ignored: &'static [&'static str],
}

/// One tensor of a family.
pub(crate) struct TensorFormat {
    /// Its canonical name, which is that of a folder.
    name: &'static str,
    gguf: &'static str,
    /// `[out, in]` for a matrix.
    shape: fn(&Config) -> Vec<usize>,
    interleaved: bool,
    tied_to: Option<&'static str>,
    not_in_last: bool,
}

impl TensorFormat {
    pub(crate) const fn new(
        name: &'static str,
        gguf: &'static str,
        shape: fn(&Config) -> Vec<usize>,
    ) -> Self {
        Self {
            name,
            gguf,
            shape,
            interleaved: false,
            tied_to: None,
            not_in_last: false,
        }
    }

    /// GGUF interleaves the halves of each head's rows, since llama.cpp turns neighbouring
    /// entries by rotary position embedding.
    pub(crate) const fn interleaved(self) -> Self {
        Self {
            interleaved: true,
            ..self
        }
    }

    /// The output head, of which there is none where it is the embedding table, of this name.
    pub(crate) const fn tied_to(self, embeddings: &'static str) -> Self {
        Self {
            tied_to: Some(embeddings),
            ..self
        }
    }

    /// The last layer has none.
    pub(crate) const fn not_in_last(self) -> Self {
        Self {
            not_in_last: true,
            ..self
        }
    }

    fn rows(&self, config: &Config) -> RowOrder {
        if self.interleaved {
            RowOrder::InterleavedHalves {
                head_dim: config.head_dim,
            }
        } else {
            RowOrder::AsStored
        }
    }
}

impl Format {
    /// The canonical name of a GGUF tensor, and in which order its rows stand. None for a
    /// tensor that this family does not have.
    pub(crate) fn canonical_name(&self, gguf: &str, config: &Config) -> Option<(String, RowOrder)> {
        if let Some(tensor) = self.outside.iter().find(|tensor| tensor.gguf == gguf) {
            return Some((tensor.name.to_owned(), tensor.rows(config)));
        }
        let (layer, gguf) = gguf.strip_prefix("blk.")?.split_once('.')?;
        let layer: usize = layer.parse().ok().filter(|&layer| layer < config.layers)?;
        let tensor = self.layer.iter().find(|tensor| tensor.gguf == gguf)?;
        let name = format!("{}{layer}.{}", self.layer_prefix, tensor.name);
        Some((name, tensor.rows(config)))
    }

    /// Whether a tensor may be there and takes no part in the computation.
    pub(crate) fn is_ignored(&self, name: &str, config: &Config) -> bool {
        let ignored = |end: &&str| name.ends_with(*end);
        let is = |tensor: &TensorFormat| tensor.tied_to.is_some() && tensor.name == name;
        self.ignored.iter().any(ignored) || (config.tied && self.outside.iter().any(is))
    }

    /// The names of the output head and of the embedding table that it may be tied to, where the family has both.
    pub(crate) fn output_head(&self) -> Option<(&'static str, &'static str)> {
        let mut tensors = self.outside.iter();
        tensors.find_map(|tensor| Some((tensor.name, tensor.tied_to?)))
    }

    /// Names and shapes of all tensors of a model. Lazily: a lying configuration may ask for
    /// any number of layers.
    pub(crate) fn tensors(&self, config: &Config) -> impl Iterator<Item = (String, Vec<usize>)> {
        let outside = self
            .outside
            .iter()
            .filter(|tensor| !(tensor.tied_to.is_some() && config.tied))
            .map(|tensor| (tensor.name.to_owned(), (tensor.shape)(config)));
        let layers = (0..config.layers).flat_map(move |layer| {
            let last = layer + 1 == config.layers;
            let there = move |tensor: &&TensorFormat| !(last && tensor.not_in_last);
            self.layer.iter().filter(there).map(move |tensor| {
                let name = format!("{}{layer}.{}", self.layer_prefix, tensor.name);
                (name, (tensor.shape)(config))
            })
        });
        outside.chain(layers)
    }
}

/// The format of a GGUF file's `general.architecture`.
pub(crate) fn by_architecture(
    formats: Formats,
    found: Option<&str>,
    path: &Path,
) -> Result<&'static Format, Error> {
    formats
        .iter()
        .copied()
        .find(|format| Some(format.architecture) == found)
        .ok_or_else(|| Error::Architecture {
            path: path.to_owned(),
            found: found
                .unwrap_or("unknown (it has no general.architecture)")
                .to_owned(),
            supported: list(formats, |format| vec![format.architecture]),
        })
}

/// The format of a config.json's `model_type`.
pub(crate) fn by_model_type(
    formats: Formats,
    found: Option<&str>,
    path: &Path,
) -> Result<&'static Format, Error> {
    formats
        .iter()
        .copied()
        .find(|format| found.is_some_and(|found| format.model_types.contains(&found)))
        .ok_or_else(|| Error::Architecture {
            path: path.to_owned(),
            found: found.unwrap_or("unknown (it has no model_type)").to_owned(),
            supported: list(formats, |format| format.model_types.to_vec()),
        })
}

fn list(formats: Formats, names: impl Fn(&Format) -> Vec<&'static str>) -> String {
    let names: Vec<&str> = formats.iter().flat_map(|format| names(format)).collect();
    names.join(", ")
}
