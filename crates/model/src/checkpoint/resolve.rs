//! From a file's tensors to those that a specification asks for.

use std::collections::{HashMap, HashSet};

use super::family::{Family, FileKind, Layout, Named};
use super::weights::{Order, StoredTensor, Weights};
use super::{Error, StoredType};
use crate::spec::{Part, Spec, Tensor};

/// Gives the tensors that `spec` asks for their canonical names. Each must be there with its shape, and none may be there that
/// the model would not use.
pub(crate) fn resolve(
    family: &Family,
    spec: &Spec,
    weights: Weights,
    kind: FileKind,
) -> Result<Weights, Error> {
    let mut resolver = Resolver {
        family,
        spec,
        kind,
        weights: &weights,
        found: HashMap::new(),
        used: HashSet::new(),
    };
    for (tensor, shape) in spec.outside() {
        resolver.find(None, tensor, &shape)?;
    }
    for (index, layer) in spec.layers.iter().enumerate() {
        for (tensor, shape) in spec.of_layer(layer) {
            resolver.find(Some(index), tensor, &shape)?;
        }
    }
    let Resolver { found, used, .. } = resolver;
    let unknown = |name: &&str| !used.contains(*name) && !is_spare(family, spec, name, kind);
    if let Some(name) = weights.names().filter(unknown).min() {
        return Err(Error::UnknownTensor {
            name: name.to_owned(),
            architecture: family.architecture,
        });
    }
    let (files, _) = weights.into_parts();
    Ok(Weights::new(files, found))
}

/// Whether a tensor may be there without being asked for: what the family ignores, copies of a tied output head, and a tensor
/// that is there under another of its names too.
fn is_spare(family: &Family, spec: &Spec, name: &str, kind: FileKind) -> bool {
    let head = [Part::Head.weight(), Part::Head.bias()];
    let is_head = |tensor: Tensor| {
        let mut entries = family.entries(false, tensor);
        entries.any(|named| family.file_name(named, (None, None), kind) == name)
    };
    let tied = spec.tied() && head.into_iter().any(is_head);
    let again = spec
        .outside()
        .into_iter()
        .any(|(tensor, _)| is_head(tensor));
    let none = spec.head.is_none() && kind == FileKind::Folder && family.is_of_head(name);
    family.ignores(name) || tied || again || none
}

struct Resolver<'a> {
    family: &'a Family,
    spec: &'a Spec,
    kind: FileKind,
    weights: &'a Weights,
    found: HashMap<String, StoredTensor>,
    /// Names in the file.
    used: HashSet<String>,
}

impl Resolver<'_> {
    fn find(&mut self, layer: Option<usize>, tensor: Tensor, shape: &[usize]) -> Result<(), Error> {
        let canonical = self.family.canonical_name(layer, tensor);
        let name_of = |named: &Named| {
            let place = (layer, tensor.expert);
            self.family.file_name(named, place, self.kind)
        };
        let mut entries = self.family.entries(layer.is_some(), tensor);
        let Some(named) = entries.find(|named| self.weights.contains(&name_of(named))) else {
            let mut entries = self.family.entries(layer.is_some(), tensor);
            let name = entries.next().map(name_of);
            return Err(Error::MissingTensor {
                name: name.unwrap_or(canonical),
            });
        };
        let name = name_of(named);
        let stored = self.weights.get(&name)?;
        let layout = match self.kind {
            FileKind::Folder => named.folder_layout,
            FileKind::Gguf => named.gguf_layout,
        };
        let layout = match stored.dtype {
            StoredType::Mxfp4Apart => layout.of_blocks(),
            _ => layout,
        };
        let place = Place::new(self.spec, layer, tensor, layout);
        let expected = place.stored_shape(shape);
        // Whole tensors may have dimensions of 1 in front, as positions do in some files.
        if stored.shape != expected {
            return Err(Error::Shape {
                name,
                found: stored.shape.clone(),
                expected,
            });
        }
        self.found.insert(canonical, place.taken(stored, shape));
        self.used.insert(name);
        Ok(())
    }
}

/// Where a tensor lies in a stored one.
struct Place {
    layout: Layout,
    head_dim: usize,
    /// Rows of the stored tensor before the block.
    before: usize,
    /// All its rows.
    rows: usize,
    /// Which of each pair of rows.
    index: usize,
    /// Which of how many experts.
    expert: (usize, usize),
    /// Into how many parts the rows fall where each key/value head has its own.
    kv_heads: usize,
}

impl Place {
    fn new(spec: &Spec, layer: Option<usize>, tensor: Tensor, layout: Layout) -> Self {
        let q = spec.heads * spec.head_dim;
        let kv = spec.kv_heads * spec.head_dim;
        let feed_forward = layer.and_then(|layer| spec.layers[layer].feed_forward);
        let d_ff = feed_forward.map_or(0, |feed_forward| feed_forward.d_ff);
        let experts = feed_forward.and_then(|feed_forward| feed_forward.experts);
        let (index, before, rows) = match tensor.part {
            Part::Q => (0, 0, q + 2 * kv),
            Part::K => (0, q, q + 2 * kv),
            Part::V => (0, q + kv, q + 2 * kv),
            Part::Gate | Part::ExpertGate => (0, 0, 2 * d_ff),
            _ => (1, d_ff, 2 * d_ff),
        };
        Self {
            layout,
            head_dim: spec.head_dim,
            before,
            rows,
            index,
            expert: (
                tensor.expert.unwrap_or_default(),
                experts.map_or(1, |experts| experts.count),
            ),
            kv_heads: spec.kv_heads,
        }
    }

    /// The shape of the stored tensor where `shape` is that of the tensor asked for.
    fn stored_shape(&self, shape: &[usize]) -> Vec<usize> {
        let mut stored = shape.to_vec();
        match self.layout {
            Layout::Whole | Layout::InterleavedHalves => {}
            Layout::Block | Layout::BlockOfEachHead => stored[0] = self.rows,
            Layout::TransposedBlock => {
                stored[0] = self.rows;
                stored.reverse();
            }
            Layout::Transposed => stored.reverse(),
            Layout::Experts => stored.insert(0, self.expert.1),
            Layout::ExpertsTransposed => {
                stored.reverse();
                stored.insert(0, self.expert.1);
            }
            Layout::ExpertsInterleaved => {
                stored[0] *= 2;
                stored.insert(0, self.expert.1);
            }
            Layout::ExpertsInterleavedTransposed => {
                stored[0] *= 2;
                stored.reverse();
                stored.insert(0, self.expert.1);
            }
        }
        stored
    }

    /// In which order a tensor of this shape stands within what is stored of its expert.
    fn order_of_expert(&self, shape: &[usize]) -> Order {
        let (first, is_matrix) = (self.index, shape.len() > 1);
        match self.layout {
            Layout::ExpertsTransposed if is_matrix => Order::Transposed {
                first: 0,
                width: shape[0],
                step: 1,
            },
            Layout::ExpertsInterleavedTransposed if is_matrix => Order::Transposed {
                first,
                width: 2 * shape[0],
                step: 2,
            },
            Layout::ExpertsInterleaved | Layout::ExpertsInterleavedTransposed => {
                Order::EveryOther { first }
            }
            _ => Order::AsStored,
        }
    }

    /// The tensor asked for, of this shape, in `stored`.
    fn taken(&self, stored: &StoredTensor, shape: &[usize]) -> StoredTensor {
        let mut taken = stored.clone();
        taken.shape = shape.to_vec();
        let is_matrix = shape.len() > 1;
        match self.layout {
            Layout::Whole => {}
            Layout::InterleavedHalves => {
                taken.order = Order::InterleavedHalves {
                    head_dim: self.head_dim,
                };
            }
            Layout::TransposedBlock | Layout::Transposed if is_matrix => {
                let (first, width) = match self.layout {
                    Layout::Transposed => (0, shape[0]),
                    _ => (self.before, self.rows),
                };
                taken.order = Order::Transposed {
                    first,
                    width,
                    step: 1,
                };
            }
            Layout::Transposed => {}
            Layout::Block | Layout::TransposedBlock => {
                let rows = stored.parts(self.before, shape[0], self.rows);
                taken = StoredTensor {
                    shape: taken.shape,
                    ..rows
                };
            }
            Layout::BlockOfEachHead => {
                taken.order = Order::BlockOfEachHead {
                    rows: shape[0] / self.kv_heads,
                    first: self.before / self.kv_heads,
                    stride: self.rows / self.kv_heads,
                };
            }
            Layout::Experts
            | Layout::ExpertsTransposed
            | Layout::ExpertsInterleaved
            | Layout::ExpertsInterleavedTransposed => {
                let (expert, experts) = self.expert;
                taken = StoredTensor {
                    shape: taken.shape,
                    order: self.order_of_expert(shape),
                    ..stored.parts(expert, 1, experts)
                };
            }
        }
        taken
    }
}
