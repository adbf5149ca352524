//! From token ids to the first layer's input.

use std::ops::Range;

use ndarray::Array2;

use super::state::Activations;
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::layers::{Norm, RopeTable, from_rows, rows, to_array};
use crate::spec::{Part, Rope};

/// The embeddings: rows of the table with its scale, positions, segments and norm.
pub(super) struct Embedding {
    /// The table's name.
    table: String,
    scale: f32,
    /// The name of the positions' table, and the row of position 0.
    positions: Option<(String, usize)>,
    /// \[d\]: what segment 0 adds.
    segment: Option<Vec<f32>>,
    norm: Option<Norm>,
    /// The rotary embeddings of the layers, each once.
    ropes: Vec<Rope>,
}

impl Embedding {
    pub(super) fn load(checkpoint: &Checkpoint) -> Result<Self, Error> {
        let spec = checkpoint.spec();
        let name = |part: Part| checkpoint.name(None, part.weight());
        let embedding = &spec.embedding;
        let mut ropes: Vec<Rope> = Vec::new();
        for rope in spec
            .layers
            .iter()
            .filter_map(|layer| layer.attention.rope.as_ref())
        {
            if !ropes.contains(rope) {
                ropes.push(rope.clone());
            }
        }
        Ok(Self {
            table: name(Part::Embedding),
            scale: embedding.scale,
            positions: embedding
                .positions
                .map(|positions| (name(Part::Positions), positions.first)),
            segment: match embedding.segments {
                Some(_) => {
                    let first = checkpoint.rows_f32(&name(Part::Segments), &[0])?;
                    Some(first.flatten_all()?.to_vec1()?)
                }
                None => None,
            },
            norm: match embedding.norm {
                Some(norm) => Some(Norm::load(checkpoint, None, Part::EmbeddingNorm, norm)?),
                None => None,
            },
            ropes,
        })
    }

    /// Which of a text's rotary tables a layer with this embedding uses.
    pub(super) fn rotation_of(&self, rope: &Option<Rope>) -> Option<usize> {
        let rope = rope.as_ref()?;
        self.ropes.iter().position(|other| other == rope)
    }

    /// Rows of the table with its scale: \[tokens, d\].
    pub(super) fn of_tokens(
        &self,
        checkpoint: &Checkpoint,
        tokens: &[u32],
    ) -> Result<Array2<f32>, Error> {
        let mut hidden = to_array(&checkpoint.rows_f32(&self.table, tokens)?)?;
        if self.scale != 1.0 {
            hidden *= self.scale;
        }
        Ok(hidden)
    }

    /// The first layer's input for texts one after the other: of each the tokens, and the position of the first.
    pub(super) fn begin(
        &self,
        checkpoint: &Checkpoint,
        texts: &[(&[u32], usize)],
    ) -> Result<Activations, Error> {
        let tokens: Vec<u32> = texts
            .iter()
            .flat_map(|(tokens, _)| *tokens)
            .copied()
            .collect();
        let runs: Vec<Range<usize>> = texts
            .iter()
            .map(|(tokens, first)| *first..first + tokens.len())
            .collect();
        let mut hidden = self.of_tokens(checkpoint, &tokens)?;
        if let Some((name, offset)) = &self.positions {
            // Fewer than 2³² positions: the context is checked before.
            let rows: Vec<u32> = runs
                .iter()
                .flat_map(Clone::clone)
                .map(|position| (offset + position) as u32)
                .collect();
            hidden += &to_array(&checkpoint.rows_f32(name, &rows)?)?;
        }
        if let Some(segment) = &self.segment {
            hidden += &ndarray::aview1(segment);
        }
        if let Some(norm) = &self.norm {
            let d = hidden.ncols();
            hidden = from_rows(norm.apply(rows(&hidden.view(), 0..tokens.len())), d);
        }
        let rotations = self.ropes.iter();
        let rotations = rotations.map(|rope| RopeTable::new(rope, &runs));
        Ok(Activations {
            hidden,
            rotations: rotations.collect(),
        })
    }
}
