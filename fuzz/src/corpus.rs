//! What is changed: the test data of the project, and what was added to `corpus/NAME`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lookback_model::{LoadOptions, Model, Prefix, TraceOptions};
use lookback_trace::{Dtype, SaveOptions};

use crate::server;
use crate::targets::Target;

/// An input, and which of the places it came from: what belongs beside it lies there.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    pub(crate) origin: usize,
}

/// Inputs, and the folders that they came from.
#[derive(Default)]
pub(crate) struct Corpus {
    pub(crate) inputs: Vec<Input>,
    /// The checkpoint that an input with this number as its origin belongs to.
    pub(crate) folders: Vec<PathBuf>,
}

/// The test data.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests/data")
}

impl Corpus {
    /// The files of the tiny checkpoints of every family, the templates of the tests, a trace of each of two models, questions.
    pub(crate) fn of(target: Target, name: &str) -> io::Result<Self> {
        let mut corpus = Self {
            folders: vec![data().join("tiny/tied")],
            ..Self::default()
        };
        let added = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        if added.is_dir() {
            for path in sorted(&added)? {
                corpus.push(fs::read(path)?);
            }
        }
        match target {
            Target::Template => {
                for path in sorted(&data().join("hostile"))? {
                    corpus.push(fs::read(path)?);
                }
                let cases = fs::read_to_string(data().join("jinja2.json"))?;
                let cases: Vec<(String, Option<String>)> = serde_json::from_str(&cases)?;
                for (template, _) in cases {
                    corpus.push(template.into_bytes());
                }
            }
            Target::Set => {
                let lines = data().join("../../../heads/tests/data/pronouns.jsonl");
                for line in fs::read_to_string(lines)?.lines() {
                    corpus.push(line.as_bytes().to_vec());
                }
            }
            Target::Server => server::requests()
                .into_iter()
                .for_each(|request| corpus.push(request)),
            Target::Trace => {
                // Numbers of bf16 need version 2 of the format.
                for (name, dtype) in [("tied", Dtype::F32), ("grouped", Dtype::Bf16)] {
                    let traced = traced(&data().join("tiny").join(name), dtype);
                    corpus.push(traced.map_err(io::Error::other)?);
                }
            }
            Target::Gguf | Target::Safetensors | Target::Configuration | Target::Tokenizer => {
                corpus.add_checkpoints(target.file())?;
            }
        }
        Ok(corpus)
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.inputs.push(Input { bytes, origin: 0 });
    }

    /// A file of each checkpoint of the test data, and the folder that it lies in.
    fn add_checkpoints(&mut self, file: &str) -> io::Result<()> {
        for kind in ["tiny", "families"] {
            for folder in sorted(&data().join(kind))? {
                let path = folder.join(file);
                if !path.is_file() {
                    continue;
                }
                self.inputs.push(Input {
                    bytes: fs::read(path)?,
                    origin: self.folders.len(),
                });
                self.folders.push(folder);
            }
        }
        Ok(())
    }
}

/// What lies in a folder, by name: the same seed is to give the same inputs on every machine.
fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// A trace file of a tiny model.
fn traced(
    model: &Path,
    qk_dtype: Dtype,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let model = Model::load(model, &LoadOptions::default())?;
    let encoding = model
        .tokenizer()
        .encode("The lamps of a harbour.", &Prefix::Declared)?;
    let traced = model.trace(&encoding, &TraceOptions::default(), &())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("trace");
    let options = SaveOptions {
        qk_dtype,
        ..SaveOptions::default()
    };
    traced.trace.save(&path, &options)?;
    Ok(fs::read(path)?)
}
