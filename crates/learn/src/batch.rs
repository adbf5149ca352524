//! Sentences as a model reads them.

use candle_core::{Device, Tensor, Var};
use lookback_model::Prefix;
use lookback_model::tokenizer::Tokenizer;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::error::Error;
use crate::model::Input;
use crate::sentences::{Item, ReadFrom};

/// A sentence in tokens, up to the row that is read: what stands after it cannot be seen from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Token ids, the prefix's included.
    pub ids: Vec<u32>,
    /// Which tokens name each candidate, where it is named first.
    pub candidates: [Vec<usize>; 2],
    /// Index of the answer among the candidates.
    pub answer: u32,
}

impl Example {
    /// Encodes `item` after the prefix that is declared for the model.
    ///
    /// # Errors
    /// [`Error::Tokenizer`]; [`Error::Setting`] where a span or a name is not in the text before the row that is read.
    pub fn new(item: &Item, tokenizer: &Tokenizer, read: ReadFrom) -> Result<Self, Error> {
        let encoding = tokenizer.encode(&item.text, &Prefix::Declared)?;
        let within = |place: Option<[usize; 2]>| -> Vec<usize> {
            let Some([start, end]) = place else {
                return Vec::new();
            };
            let spans = encoding.spans.iter().enumerate();
            spans
                .filter(|(_, span)| span.0 < end && start < span.1)
                .map(|(token, _)| token)
                .collect()
        };
        let row = match read {
            ReadFrom::Last => encoding.ids.len().checked_sub(1),
            ReadFrom::Pronoun => within(item.word_bytes()).last().copied(),
        };
        let candidates = [0, 1].map(|index| within(item.candidate_bytes(index)));
        let misplaced = |tokens: &Vec<usize>| tokens.is_empty() || tokens.last().copied() > row;
        match row {
            Some(row) if !candidates.iter().any(misplaced) => Ok(Self {
                ids: encoding.ids[..=row].to_vec(),
                candidates,
                answer: item.answer_index() as u32,
            }),
            _ => Err(Error::Setting {
                setting: "item",
                value: format!("{:?}", item.text),
                expected: "a sentence that names both candidates before the word in word_span",
            }),
        }
    }

    /// Encodes many, in parallel.
    ///
    /// # Errors
    /// As [`Example::new`].
    pub fn all(items: &[Item], tokenizer: &Tokenizer, read: ReadFrom) -> Result<Vec<Self>, Error> {
        use rayon::prelude::*;
        items
            .par_iter()
            .map(|item| Self::new(item, tokenizer, read))
            .collect()
    }
}

/// The embedding table that a model reads.
#[derive(Debug, Clone)]
pub enum Table {
    /// Constant: \[tokens · d\], d.
    Frozen(std::sync::Arc<Vec<f32>>, usize),
    /// Trained with the rest: \[tokens, d\].
    Free(Var),
}

impl Table {
    /// What a model reads of these examples. `dropout` sets that share of the embeddings' entries to 0 and scales the
    /// rest, by a seed of its own (Srivastava et al. 2014).
    ///
    /// # Errors
    /// [`Error::Size`] where there is no example.
    pub fn input(&self, examples: &[Example], dropout: Option<(f32, u64)>) -> Result<Input, Error> {
        let n = examples
            .iter()
            .map(|example| example.ids.len())
            .max()
            .unwrap_or(0);
        if n == 0 {
            return Err(Error::Size {
                what: "the number of examples",
                found: 0,
                expected: 1,
            });
        }
        let b = examples.len();
        let padded = examples
            .iter()
            .flat_map(|e| e.ids.iter().copied().chain(std::iter::repeat(0)).take(n));
        let ids: Vec<u32> = padded.collect();
        let x = match self {
            Self::Frozen(values, d) => {
                let mut x: Vec<f32> = Vec::with_capacity(b * n * d);
                for &id in &ids {
                    x.extend_from_slice(&values[id as usize * d..][..*d]);
                }
                if let Some((share, seed)) = dropout {
                    drop_entries(&mut x, share, seed);
                }
                Tensor::from_vec(x, (b, n, *d), &Device::Cpu)?
            }
            Self::Free(table) => {
                let d = table.dim(1)?;
                let ids = Tensor::from_vec(ids, b * n, &Device::Cpu)?;
                table.index_select(&ids, 0)?.reshape((b, n, d))?
            }
        };
        let mut candidates = vec![0.0_f32; b * n * 2];
        for (text, example) in examples.iter().enumerate() {
            for (index, tokens) in example.candidates.iter().enumerate() {
                for &token in tokens {
                    candidates[(text * n + token) * 2 + index] = 1.0;
                }
            }
        }
        Ok(Input {
            x,
            rows: examples
                .iter()
                .map(|example| example.ids.len() - 1)
                .collect(),
            candidates: Tensor::from_vec(candidates, (b, n, 2), &Device::Cpu)?,
        })
    }
}

/// Sets about `share` of the entries to 0, in steps of 1/256, and scales the others so that means stay.
fn drop_entries(x: &mut [f32], share: f32, seed: u64) {
    let limit = (share.clamp(0.0, 0.9) * 256.0) as u8;
    let scale = 256.0 / (256.0 - f32::from(limit));
    let mut chance = vec![0; x.len()];
    StdRng::seed_from_u64(seed).fill_bytes(&mut chance);
    for (x, chance) in x.iter_mut().zip(chance) {
        *x = if chance < limit { 0.0 } else { *x * scale };
    }
}
