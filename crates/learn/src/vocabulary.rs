//! The part of a frozen embedding table that a small model needs, with its tokenizer.
//!
//! Byte-level BPE merges the pair of lowest rank first. A vocabulary that keeps, with every token, all those that it is
//! merged from, merges a text exactly as the whole one does wherever the text's tokens are inside, and splits it
//! into smaller pieces where they are not. Rows of the table keep their quantised blocks byte for byte.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use lookback_model::Prefix;
use lookback_model::checkpoint::Checkpoint;
use lookback_model::store::EmbeddedModel;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

pub(crate) const TABLE: &str = "token_embd.weight";

/// Tokens, merges and rows of the embedding table that belong together.
pub struct Vocabulary {
    /// The tokens' texts as the tokenizer spells them; their index is their id.
    pub(crate) tokens: Vec<String>,
    /// What each is for, as GGUF numbers it.
    pub(crate) kinds: Vec<i32>,
    pub(crate) merges: Vec<String>,
    /// Name of the pre-tokenizer.
    pub(crate) pre: String,
    pub(crate) bos: u32,
    pub(crate) eos: u32,
    /// Row of each token in the table that it was taken from.
    rows: Vec<usize>,
    dtype: GgmlDType,
    d: usize,
    blocks: Vec<u8>,
}

impl Vocabulary {
    /// The first `keep` tokens of a GGUF file's vocabulary, whose order is that of the merges and so of frequency, and
    /// all tokens of `texts`.
    ///
    /// # Errors
    /// [`Error::Tensor`] or [`Error::Model`] where the file is no GGUF file with a byte-level BPE vocabulary.
    pub fn reduce(source: &Path, keep: usize, texts: &[String]) -> Result<Self, Error> {
        let mut file = open(source)?;
        let content = Content::read(&mut file)?;
        let list = |key: &str| texts_of(&content, key);
        let (tokens, merges) = (
            list("tokenizer.ggml.tokens")?,
            list("tokenizer.ggml.merges")?,
        );
        let mut wanted: BTreeSet<usize> = (0..keep.min(tokens.len())).collect();
        let checkpoint = Checkpoint::open(source).map_err(lookback_model::Error::from)?;
        for text in texts {
            let ids = checkpoint.tokenizer().encode(text, &Prefix::None)?.ids;
            wanted.extend(ids.iter().map(|&id| id as usize));
        }
        close(&mut wanted, &tokens, &merges);
        let rows: Vec<usize> = wanted.into_iter().collect();
        let kept: HashMap<&str, u32> = rows
            .iter()
            .zip(0..)
            .map(|(&row, id)| (tokens[row].as_str(), id))
            .collect();
        let inside = |merge: &&String| {
            merge.split_once(' ').is_some_and(|(left, right)| {
                [left, right, &format!("{left}{right}")]
                    .iter()
                    .all(|part| kept.contains_key(*part))
            })
        };
        let table = content.tensor(&mut file, TABLE, &Device::Cpu)?;
        let kinds = integers_of(&content, "tokenizer.ggml.token_type")?;
        let special = |key: &str| -> Result<u32, Error> {
            let id = value(&content, key)?.to_u32()?;
            let known = tokens
                .get(id as usize)
                .and_then(|token| kept.get(token.as_str()));
            known.copied().ok_or_else(|| missing(key))
        };
        Ok(Self {
            kinds: rows.iter().map(|&row| kinds[row]).collect(),
            merges: merges.iter().filter(inside).cloned().collect(),
            pre: value(&content, "tokenizer.ggml.pre")?.to_string()?.clone(),
            bos: special("tokenizer.ggml.bos_token_id")?,
            eos: special("tokenizer.ggml.eos_token_id")?,
            dtype: table.dtype(),
            d: table.shape().dims2()?.1,
            blocks: rows_of(&table, &rows)?,
            tokens: rows.iter().map(|&row| tokens[row].clone()).collect(),
            rows,
        })
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// d, the embeddings' dimension.
    #[must_use]
    pub fn d(&self) -> usize {
        self.d
    }

    /// SHA-256 of the table's bytes, in lower-case hexadecimal.
    #[must_use]
    pub fn table_sha256(&self) -> String {
        Sha256::digest(&self.blocks)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The table in the type it is stored in, \[tokens, d\].
    pub(crate) fn table(&self) -> Result<QTensor, Error> {
        let storage = QStorage::from_data(Cow::Borrowed(&self.blocks), &Device::Cpu, self.dtype)?;
        Ok(QTensor::new(storage, (self.rows.len(), self.d))?)
    }

    /// The table's rows, dequantised: \[tokens · d\].
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn embeddings(&self) -> Result<Vec<f32>, Error> {
        Ok(self
            .table()?
            .dequantize(&Device::Cpu)?
            .flatten_all()?
            .to_vec1()?)
    }
}

/// A source of bytes that a GGUF file is read from.
trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

fn open(source: &Path) -> Result<Box<dyn Source>, Error> {
    Ok(match EmbeddedModel::at(source) {
        Some(model) => Box::new(Cursor::new(model.bytes)),
        None => Box::new(BufReader::new(
            File::open(source).map_err(Error::io(source))?,
        )),
    })
}

/// Adds to `wanted` every token that one of its tokens is merged from.
fn close(wanted: &mut BTreeSet<usize>, tokens: &[String], merges: &[String]) {
    let ids: HashMap<&str, usize> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| (token.as_str(), id))
        .collect();
    let mut parts: HashMap<usize, Vec<[usize; 2]>> = HashMap::new();
    for (left, right) in merges.iter().filter_map(|merge| merge.split_once(' ')) {
        let whole = format!("{left}{right}");
        if let (Some(&left), Some(&right), Some(&whole)) =
            (ids.get(left), ids.get(right), ids.get(whole.as_str()))
        {
            parts.entry(whole).or_default().push([left, right]);
        }
    }
    let mut open: Vec<usize> = wanted.iter().copied().collect();
    while let Some(token) = open.pop() {
        for part in parts.get(&token).into_iter().flatten().flatten() {
            if wanted.insert(*part) {
                open.push(*part);
            }
        }
    }
}

/// The stored bytes of some rows of a matrix.
fn rows_of(table: &QTensor, rows: &[usize]) -> Result<Vec<u8>, Error> {
    let bytes = table.data()?;
    let row_bytes = bytes.len() / table.shape().dims2()?.0;
    Ok(rows
        .iter()
        .flat_map(|row| &bytes[row * row_bytes..(row + 1) * row_bytes])
        .copied()
        .collect())
}

fn missing(key: &str) -> Error {
    Error::Tensor(candle_core::Error::msg(format!(
        "the file has no {key} that can be used"
    )))
}

fn value<'a>(content: &'a Content, key: &str) -> Result<&'a Value, Error> {
    content.metadata.get(key).ok_or_else(|| missing(key))
}

fn texts_of(content: &Content, key: &str) -> Result<Vec<String>, Error> {
    let values = value(content, key)?.to_vec()?;
    values
        .iter()
        .map(|text| Ok(text.to_string()?.clone()))
        .collect()
}

fn integers_of(content: &Content, key: &str) -> Result<Vec<i32>, Error> {
    let values = value(content, key)?.to_vec()?;
    values.iter().map(|number| Ok(number.to_i32()?)).collect()
}
