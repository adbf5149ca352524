//! How a model family's checkpoints are written, in both file formats: a page of data. The loaders and the engine know no
//! family; each reads its configuration into a [`Spec`] and names its tensors here.

use std::path::Path;

use super::Error;
use super::settings::Settings;
use super::weights::Weights;
use crate::spec::{Part, Spec, Tensor};

/// All families.
pub(crate) type Families = &'static [&'static Family];

/// A family's files.
pub(crate) struct Family {
    /// Its name, which is GGUF's `general.architecture`.
    pub(crate) architecture: &'static str,
    /// The `model_type`s of config.json whose mathematics this is.
    pub(crate) model_types: &'static [&'static str],
    /// What `architectures` in config.json may name: classes with the family's output head.
    pub(crate) classes: &'static [&'static str],
    /// Classes without it, whose hidden states are read alone.
    pub(crate) base_classes: &'static [&'static str],
    /// Reads config.json. What is left unread is refused by name.
    pub(crate) folder: fn(&mut Settings, &Family) -> Result<Spec, Error>,
    /// Reads a GGUF file's keys `{architecture}.*`, given without that beginning. Tensors go by their GGUF names.
    pub(crate) gguf: fn(&mut Settings, &Weights, &Family) -> Result<Spec, Error>,
    /// What the names of a folder's tensors begin with, but those of the output head; a base model leaves it out.
    pub(crate) base_prefix: &'static str,
    /// What a layer's tensors begin with: this, its number and a dot. In GGUF it is `blk.`
    pub(crate) layer_prefix: &'static str,
    /// Tensors outside the layers.
    pub(crate) outside: &'static [Named],
    /// Tensors of each layer, without the layer's beginning.
    pub(crate) layer: &'static [Named],
    /// Parts of the names of tensors that may be there and take no part in the computation.
    pub(crate) ignored: &'static [&'static str],
    /// Well-known checkpoints to start from.
    pub(crate) examples: &'static [Example],
}

/// A well-known checkpoint of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// What is written after `--model`.
    pub name: &'static str,
    /// Its licence.
    pub license: &'static str,
    /// About how many megabytes its weights take.
    pub megabytes: u64,
    /// Whether this program's tests have run it; the others are read by what their files are published to hold.
    pub tested: bool,
}

impl Example {
    /// One whose weights the tests read.
    pub(crate) const fn tested(name: &'static str, license: &'static str, megabytes: u64) -> Self {
        Self {
            name,
            license,
            megabytes,
            tested: true,
        }
    }

    /// One that was never run here.
    pub(crate) const fn untested(
        name: &'static str,
        license: &'static str,
        megabytes: u64,
    ) -> Self {
        Self {
            name,
            license,
            megabytes,
            tested: false,
        }
    }
}

/// What a family calls a tensor. In the name of one that each expert has for itself, `{}` is the expert's number.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    pub(crate) tensor: Tensor,
    pub(crate) folder: &'static str,
    pub(crate) gguf: &'static str,
    pub(crate) folder_layout: Layout,
    pub(crate) gguf_layout: Layout,
}

/// How a tensor lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As the engine reads it: `[out, in]`.
    Whole,
    /// The halves of each head's rows are interleaved, since llama.cpp turns neighbouring entries by rotary position
    /// embedding.
    InterleavedHalves,
    /// One of several blocks of rows below each other in one tensor: queries, keys, values; or gate and up.
    Block,
    /// For each key/value head its queries, its key and its value one below the other.
    BlockOfEachHead,
    /// [`Layout::Block`], with rows and columns exchanged (`Conv1D` of GPT-2).
    TransposedBlock,
    /// Rows and columns exchanged.
    Transposed,
    /// All experts' in one tensor, one after the other.
    Experts,
    /// [`Layout::Experts`], with rows and columns of each exchanged.
    ExpertsTransposed,
    /// [`Layout::Experts`], each with its gate's rows and its up-projection's in turn.
    ExpertsInterleaved,
    /// [`Layout::ExpertsInterleaved`], with rows and columns of each exchanged.
    ExpertsInterleavedTransposed,
}

impl Layout {
    /// The layout where the numbers stand in blocks along a row, which exchanging rows and columns would cut.
    pub(crate) fn of_blocks(self) -> Self {
        match self {
            Self::ExpertsTransposed => Self::Experts,
            Self::ExpertsInterleavedTransposed => Self::ExpertsInterleaved,
            layout => layout,
        }
    }
}

impl Named {
    /// A tensor that lies as a whole in both formats.
    pub(crate) const fn new(tensor: Tensor, folder: &'static str, gguf: &'static str) -> Self {
        Self {
            tensor,
            folder,
            gguf,
            folder_layout: Layout::Whole,
            gguf_layout: Layout::Whole,
        }
    }

    /// How it lies in a folder.
    pub(crate) const fn folder(self, layout: Layout) -> Self {
        Self {
            folder_layout: layout,
            ..self
        }
    }

    /// How it lies in a GGUF file.
    pub(crate) const fn gguf(self, layout: Layout) -> Self {
        Self {
            gguf_layout: layout,
            ..self
        }
    }
}

/// Which kind of file a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Folder,
    Gguf,
}

impl Family {
    /// The entries of a tensor; of several, the first is the canonical one.
    pub(crate) fn entries(
        &self,
        in_layer: bool,
        tensor: Tensor,
    ) -> impl Iterator<Item = &'static Named> + use<> {
        let table = if in_layer { self.layer } else { self.outside };
        table.iter().filter(move |named| {
            (named.tensor.part, named.tensor.bias) == (tensor.part, tensor.bias)
        })
    }

    /// The name of a tensor in a file of this kind.
    pub(crate) fn file_name(
        &self,
        named: &Named,
        (layer, expert): (Option<usize>, Option<usize>),
        kind: FileKind,
    ) -> String {
        let name = match (layer, kind) {
            (None, FileKind::Folder) => named.folder.to_owned(),
            (None, FileKind::Gguf) => named.gguf.to_owned(),
            (Some(layer), FileKind::Folder) => {
                format!("{}{layer}.{}", self.layer_prefix, named.folder)
            }
            (Some(layer), FileKind::Gguf) => format!("blk.{layer}.{}", named.gguf),
        };
        match expert {
            Some(expert) => name.replace("{}", &expert.to_string()),
            None => name,
        }
    }

    /// The name that a tensor goes by once the checkpoint is open: the folder's, and which part of it where the folder's
    /// holds several.
    ///
    /// # Panics
    /// Where the family's tables lack an entry for a tensor that its specifications ask for.
    pub(crate) fn canonical_name(&self, layer: Option<usize>, tensor: Tensor) -> String {
        let mut entries = self.entries(layer.is_some(), tensor);
        let named = entries
            .next()
            .unwrap_or_else(|| unreachable!("{} has no entry for {tensor:?}", self.architecture));
        let name = self.file_name(named, (layer, tensor.expert), FileKind::Folder);
        let expert = tensor.expert.unwrap_or_default();
        match named.folder_layout {
            Layout::Block | Layout::BlockOfEachHead | Layout::TransposedBlock => {
                format!("{name} ({})", block_name(tensor.part))
            }
            Layout::Experts | Layout::ExpertsTransposed => format!("{name} (expert {expert})"),
            Layout::ExpertsInterleaved | Layout::ExpertsInterleavedTransposed => {
                format!("{name} ({} of expert {expert})", block_name(tensor.part))
            }
            Layout::Whole | Layout::InterleavedHalves | Layout::Transposed => name,
        }
    }

    /// Whether a tensor may be there and takes no part in the computation.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        self.ignored.iter().any(|part| name.contains(part))
    }

    /// Whether a name of a folder's tensor belongs to the output head, which stands outside of the base model.
    pub(crate) fn is_of_head(&self, name: &str) -> bool {
        let mut outside = self.outside.iter();
        outside.any(|named| named.folder == name && !named.folder.starts_with(self.base_prefix))
    }
}

fn block_name(part: Part) -> &'static str {
    match part {
        Part::Q => "queries",
        Part::K => "keys",
        Part::V => "values",
        Part::Gate | Part::ExpertGate => "gate",
        _ => "up",
    }
}

/// The family of a GGUF file's `general.architecture`.
pub(crate) fn by_architecture(
    families: Families,
    found: Option<&str>,
    path: &Path,
) -> Result<&'static Family, Error> {
    let mut all = families.iter().copied();
    all.find(|family| Some(family.architecture) == found)
        .ok_or_else(|| Error::Architecture {
            path: path.to_owned(),
            found: found
                .unwrap_or("unknown (it has no general.architecture)")
                .to_owned(),
            supported: list(families, |family| vec![family.architecture]),
        })
}

/// The family of a config.json's `model_type`.
pub(crate) fn by_model_type(
    families: Families,
    found: Option<&str>,
    path: &Path,
) -> Result<&'static Family, Error> {
    let mut all = families.iter().copied();
    all.find(|family| found.is_some_and(|found| family.model_types.contains(&found)))
        .ok_or_else(|| Error::Architecture {
            path: path.to_owned(),
            found: found.unwrap_or("unknown (it has no model_type)").to_owned(),
            supported: list(families, |family| family.model_types.to_vec()),
        })
}

fn list(families: Families, names: impl Fn(&Family) -> Vec<&'static str>) -> String {
    let names: Vec<&str> = families.iter().flat_map(|family| names(family)).collect();
    names.join(", ")
}
