//! What is fed: every kind of file that may be hostile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lookback_heads::who::set::Set;
use lookback_model::chat::{Conversation, Message, render};
use lookback_model::checkpoint::Checkpoint;
use lookback_model::{LoadOptions, Model, Prefix, TraceOptions};
use lookback_trace::{Dtype, SaveOptions, Trace};

use crate::server::{self, Client};
use crate::words;

/// A kind of input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Gguf,
    Safetensors,
    Configuration,
    Tokenizer,
    Template,
    Trace,
    Set,
    Server,
}

pub(crate) const ALL: [(&str, Target); 8] = [
    ("gguf", Target::Gguf),
    ("safetensors", Target::Safetensors),
    ("config", Target::Configuration),
    ("tokenizer", Target::Tokenizer),
    ("template", Target::Template),
    ("trace", Target::Trace),
    ("set", Target::Set),
    ("server", Target::Server),
];

impl Target {
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Gguf => &[],
            Self::Safetensors | Self::Trace => words::HEADER,
            Self::Configuration => words::CONFIGURATION,
            Self::Tokenizer => words::TOKENIZER,
            Self::Template => words::TEMPLATE,
            Self::Set => words::SET,
            Self::Server => words::SERVER,
        }
    }

    /// How much of the beginning of a file is changed: what follows are weights.
    pub(crate) fn reach(self) -> usize {
        match self {
            Self::Gguf => 8192,
            Self::Safetensors | Self::Trace => 4096,
            _ => usize::MAX,
        }
    }
}

/// The test data, of which the corpora are made.
fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests/data")
}

/// The inputs that are changed: the files of the tiny checkpoints, the templates of the tests, and a trace of each of two
/// models; and what was added to `corpus/NAME`.
pub(crate) fn corpus(target: Target, name: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut corpus = Vec::new();
    let added = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    if added.is_dir() {
        for file in fs::read_dir(added)? {
            corpus.push(fs::read(file?.path())?);
        }
    }
    let file = match target {
        Target::Gguf => "model.gguf",
        Target::Safetensors => "model.safetensors",
        Target::Configuration => "config.json",
        Target::Tokenizer => "tokenizer.json",
        Target::Template => {
            for file in fs::read_dir(data().join("hostile"))? {
                corpus.push(fs::read(file?.path())?);
            }
            let cases = fs::read_to_string(data().join("jinja2.json"))?;
            let cases: Vec<(String, Option<String>)> = serde_json::from_str(&cases)?;
            corpus.extend(cases.into_iter().map(|(template, _)| template.into_bytes()));
            return Ok(corpus);
        }
        Target::Set => {
            let lines =
                fs::read_to_string(data().join("../../../heads/tests/data/pronouns.jsonl"))?;
            corpus.extend(lines.lines().map(|line| line.as_bytes().to_vec()));
            return Ok(corpus);
        }
        Target::Server => {
            corpus.extend(server::requests());
            return Ok(corpus);
        }
        Target::Trace => {
            // Numbers of bf16 need version 2 of the format.
            for (name, dtype) in [("tied", Dtype::F32), ("grouped", Dtype::Bf16)] {
                let traced = traced(&data().join("tiny").join(name), dtype);
                corpus.push(traced.map_err(io::Error::other)?);
            }
            return Ok(corpus);
        }
    };
    for folder in fs::read_dir(data().join("tiny"))? {
        let path = folder?.path().join(file);
        if path.is_file() {
            corpus.push(fs::read(path)?);
        }
    }
    Ok(corpus)
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

/// A folder that an input is put into.
pub(crate) struct Place {
    target: Target,
    folder: tempfile::TempDir,
    file: PathBuf,
    server: Option<Client>,
}

impl Place {
    pub(crate) fn new(target: Target) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        // What the input is not.
        let rest = data().join("tiny/tied");
        let name = match target {
            Target::Gguf => "model.gguf",
            Target::Safetensors => "model.safetensors",
            Target::Configuration => "config.json",
            Target::Tokenizer => "tokenizer.json",
            Target::Template => "chat_template.jinja",
            Target::Trace => "trace",
            Target::Set | Target::Server => "unused",
        };
        let server = match target {
            Target::Server => {
                Some(Client::start(&data().join("tiny/tied")).map_err(io::Error::other)?)
            }
            _ => None,
        };
        let is_folder = matches!(
            target,
            Target::Safetensors | Target::Configuration | Target::Tokenizer
        );
        if is_folder {
            for other in ["config.json", "model.safetensors", "tokenizer.json"] {
                fs::copy(rest.join(other), folder.path().join(other))?;
            }
        }
        let file = folder.path().join(name);
        Ok(Self {
            target,
            folder,
            file,
            server,
        })
    }

    /// Does with an input what the program does: whether it was taken to be good.
    pub(crate) fn feed(&self, bytes: &[u8]) -> io::Result<bool> {
        match (self.target, &self.server) {
            (Target::Template, _) => return Ok(template(&String::from_utf8_lossy(bytes))),
            (Target::Set, _) => {
                return Ok(!Set::parse(&String::from_utf8_lossy(bytes)).items.is_empty());
            }
            (Target::Server, Some(server)) => return server.ask(bytes),
            _ => {}
        }
        fs::write(&self.file, bytes)?;
        Ok(match self.target {
            Target::Trace => trace(&self.file),
            Target::Gguf => checkpoint(&self.file),
            _ => checkpoint(self.folder.path()),
        })
    }
}

fn template(text: &str) -> bool {
    let message = |role: &str, content: &str| Message {
        role: role.to_owned(),
        content: content.to_owned(),
    };
    let messages = [message("system", "Be brief."), message("user", " Who? é日")];
    let conversation = Conversation {
        messages: &messages,
        bos: "<s>",
        eos: "</s>",
        context_length: 8192,
    };
    render(text, &conversation).is_ok()
}

fn checkpoint(path: &Path) -> bool {
    let Ok(checkpoint) = Checkpoint::open(path) else {
        return false;
    };
    let tokenizer = checkpoint.tokenizer();
    let text = "The 2 <s> <|im_start|> lamps’ é日\n";
    if let Ok(encoding) = tokenizer.encode(text, &Prefix::Declared) {
        let _ = tokenizer.decode(&encoding.ids, false);
    }
    let name = "model.layers.0.self_attn.q_proj.weight";
    if checkpoint.shape(name).is_ok() {
        // An error is an answer: a weight may have become NaN.
        let _ = checkpoint.tensor_f32(name);
    }
    true
}

fn trace(path: &Path) -> bool {
    let Ok(trace) = Trace::open(path) else {
        return false;
    };
    let _ = trace.meta();
    true
}
