//! GGUF files made by hand, good ones and lying ones.

use lookback_model::checkpoint::{Checkpoint, Error};

/// A metadata value.
#[derive(Clone)]
pub(crate) enum Entry {
    U32(u32),
    F32(f32),
    Bool(u8),
    Text(&'static str),
    Texts(Vec<&'static str>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
    /// A type number and the bytes of a value, whatever they are.
    Raw(u32, Vec<u8>),
}

/// A tensor; what is said of it need not be true.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    /// Fastest first.
    pub(crate) dimensions: Vec<u64>,
    pub(crate) kind: u32,
    /// Where it is said to be; None: where it is.
    pub(crate) offset: Option<u64>,
    pub(crate) data: Vec<u8>,
}

/// A file to be.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u32,
    pub(crate) tensor_count: Option<u64>,
    pub(crate) entry_count: Option<u64>,
    pub(crate) entries: Vec<(String, Entry)>,
    pub(crate) tensors: Vec<Tensor>,
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text);
}

impl Entry {
    fn write(&self, bytes: &mut Vec<u8>) {
        let array = |bytes: &mut Vec<u8>, kind: u32, len: usize| {
            bytes.extend(9_u32.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend((len as u64).to_le_bytes());
        };
        let scalar = |bytes: &mut Vec<u8>, kind: u32, value: &[u8]| {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        };
        match self {
            Entry::U32(value) => scalar(bytes, 4, &value.to_le_bytes()),
            Entry::F32(value) => scalar(bytes, 6, &value.to_le_bytes()),
            Entry::Bool(value) => scalar(bytes, 7, &[*value]),
            Entry::Raw(kind, value) => scalar(bytes, *kind, value),
            Entry::Text(value) => {
                bytes.extend(8_u32.to_le_bytes());
                text(bytes, value.as_bytes());
            }
            Entry::Texts(values) => {
                array(bytes, 8, values.len());
                values
                    .iter()
                    .for_each(|value| text(bytes, value.as_bytes()));
            }
            Entry::I32s(values) => {
                array(bytes, 5, values.len());
                values
                    .iter()
                    .for_each(|value| bytes.extend(value.to_le_bytes()));
            }
            Entry::F32s(values) => {
                array(bytes, 6, values.len());
                values
                    .iter()
                    .for_each(|value| bytes.extend(value.to_le_bytes()));
            }
        }
    }
}

impl File {
    pub(crate) fn set(&mut self, key: &str, entry: Entry) {
        self.remove(key);
        self.entries.push((key.to_owned(), entry));
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.entries.retain(|(name, _)| name != key);
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut Tensor {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        found.expect("a tensor of this file")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        const ALIGNMENT: usize = 32;
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        let counts = [
            self.tensor_count.unwrap_or(self.tensors.len() as u64),
            self.entry_count.unwrap_or(self.entries.len() as u64),
        ];
        counts
            .iter()
            .for_each(|count| bytes.extend(count.to_le_bytes()));
        for (key, entry) in &self.entries {
            text(&mut bytes, key.as_bytes());
            entry.write(&mut bytes);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
            text(&mut bytes, tensor.name.as_bytes());
            bytes.extend((tensor.dimensions.len() as u32).to_le_bytes());
            tensor
                .dimensions
                .iter()
                .for_each(|d| bytes.extend(d.to_le_bytes()));
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(tensor.offset.unwrap_or(data.len() as u64).to_le_bytes());
            data.extend(&tensor.data);
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend(data);
        bytes
    }

    /// Writes the file and opens it.
    pub(crate) fn open(&self) -> Result<Checkpoint, Error> {
        open(&self.bytes())
    }

    /// The message with which it is refused.
    pub(crate) fn refusal(&self) -> String {
        refusal(&self.bytes())
    }
}

pub(crate) fn open(bytes: &[u8]) -> Result<Checkpoint, Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).expect("room for a small file");
    Checkpoint::open(&path)
}

pub(crate) fn refusal(bytes: &[u8]) -> String {
    match open(bytes) {
        Ok(_) => panic!("the file was taken to be good"),
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains('\n'), "{message}");
            message
        }
    }
}

pub(crate) fn matrix(name: &str, columns: u64, rows: u64) -> Tensor {
    let values = (0..columns * rows).map(|at| (at % 7) as f32 / 7.0 - 0.4);
    Tensor {
        name: name.to_owned(),
        dimensions: vec![columns, rows],
        kind: 0,
        offset: None,
        data: values.flat_map(f32::to_le_bytes).collect(),
    }
}

fn vector(name: &str, entries: u64) -> Tensor {
    Tensor {
        dimensions: vec![entries],
        ..matrix(name, entries, 1)
    }
}

/// A good file: one layer, d 8, two heads of 4, six tokens.
pub(crate) fn llama() -> File {
    let mut tensors = vec![
        matrix("token_embd.weight", 8, 6),
        vector("output_norm.weight", 8),
    ];
    for (name, columns, rows) in [
        ("attn_q", 8, 8),
        ("attn_k", 8, 4),
        ("attn_v", 8, 4),
        ("attn_output", 8, 8),
        ("ffn_gate", 8, 16),
        ("ffn_up", 8, 16),
        ("ffn_down", 16, 8),
    ] {
        tensors.push(matrix(&format!("blk.0.{name}.weight"), columns, rows));
    }
    tensors.push(vector("blk.0.attn_norm.weight", 8));
    tensors.push(vector("blk.0.ffn_norm.weight", 8));
    let entries = [
        ("general.architecture", Entry::Text("llama")),
        ("llama.block_count", Entry::U32(1)),
        ("llama.context_length", Entry::U32(64)),
        ("llama.embedding_length", Entry::U32(8)),
        ("llama.feed_forward_length", Entry::U32(16)),
        ("llama.attention.head_count", Entry::U32(2)),
        ("llama.attention.head_count_kv", Entry::U32(1)),
        ("llama.attention.layer_norm_rms_epsilon", Entry::F32(1e-5)),
        ("tokenizer.ggml.model", Entry::Text("llama")),
        (
            "tokenizer.ggml.tokens",
            Entry::Texts(vec!["<unk>", "<s>", "</s>", "▁", "a", "▁a"]),
        ),
        (
            "tokenizer.ggml.scores",
            Entry::F32s(vec![0.0, 0.0, 0.0, -1.0, -2.0, -0.5]),
        ),
        (
            "tokenizer.ggml.token_type",
            Entry::I32s(vec![2, 3, 3, 1, 1, 1]),
        ),
        ("tokenizer.ggml.bos_token_id", Entry::U32(1)),
    ];
    File {
        magic: *b"GGUF",
        version: 3,
        tensor_count: None,
        entry_count: None,
        entries: entries
            .into_iter()
            .map(|(key, entry)| (key.to_owned(), entry))
            .collect(),
        tensors,
    }
}
