//! What is fed: every kind of file that may be hostile.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lookback_heads::who::set::Set;
use lookback_model::Prefix;
use lookback_model::chat::{Conversation, Message, render};
use lookback_model::checkpoint::Checkpoint;
use lookback_model::spec::Spec;
use lookback_trace::Trace;

use crate::corpus::{Corpus, Input, data};
use crate::server::Client;
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

/// Of the inputs whose configuration and tensors are good, every which is opened whole, with its tokenizer: that takes a hundred times as
/// long.
const OPENED_WHOLE: u64 = 32;

/// What is read from a checkpoint.
const TEXT: &str = "The 2 <s> <|im_start|> lamps’ é日\n";

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

    /// What the file is called.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Gguf => "model.gguf",
            Self::Safetensors => "model.safetensors",
            Self::Configuration => "config.json",
            Self::Tokenizer => "tokenizer.json",
            Self::Trace => "trace",
            Self::Template | Self::Set | Self::Server => "unused",
        }
    }

    /// Whether it is one of several files of a checkpoint.
    fn is_part(self) -> bool {
        matches!(
            self,
            Self::Safetensors | Self::Configuration | Self::Tokenizer
        )
    }
}

/// Folders that inputs are put into, each with what the input is not.
pub(crate) struct Place {
    target: Target,
    _folder: tempfile::TempDir,
    /// By an input's origin.
    folders: Vec<PathBuf>,
    server: Option<Client>,
    good: Cell<u64>,
}

impl Place {
    pub(crate) fn new(target: Target, corpus: &Corpus) -> io::Result<Self> {
        // A disk in memory, where there is one: millions of files are written.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)?
        } else {
            tempfile::tempdir()?
        };
        let server = match target {
            Target::Server => {
                Some(Client::start(&data().join("tiny/tied")).map_err(io::Error::other)?)
            }
            _ => None,
        };
        let mut folders = Vec::new();
        for (origin, source) in corpus.folders.iter().enumerate() {
            let path = folder.path().join(origin.to_string());
            fs::create_dir(&path)?;
            if target.is_part() {
                for file in fs::read_dir(source)? {
                    let file = file?.path();
                    let name = file.file_name().unwrap_or_default();
                    let is_needed = ["config", "model", "tokenizer"]
                        .iter()
                        .any(|part| name.to_string_lossy().starts_with(part));
                    if is_needed && name != "model.gguf" {
                        fs::copy(&file, path.join(name))?;
                    }
                }
            }
            folders.push(path);
        }
        Ok(Self {
            target,
            _folder: folder,
            folders,
            server,
            good: Cell::new(0),
        })
    }

    /// Does with an input what the program does: whether it was taken to be good.
    pub(crate) fn feed(&self, input: &Input) -> io::Result<bool> {
        let bytes = &input.bytes;
        match (self.target, &self.server) {
            (Target::Template, _) => return Ok(template(&String::from_utf8_lossy(bytes))),
            (Target::Set, _) => {
                return Ok(!Set::parse(&String::from_utf8_lossy(bytes)).items.is_empty());
            }
            (Target::Server, Some(server)) => return server.ask(bytes),
            _ => {}
        }
        let folder = &self.folders[input.origin];
        let file = folder.join(self.target.file());
        fs::write(&file, bytes)?;
        Ok(match self.target {
            Target::Trace => trace(&file),
            Target::Gguf => self.described(Spec::of_checkpoint(&file).is_ok(), &file),
            Target::Safetensors => self.described(Spec::of_checkpoint(folder).is_ok(), folder),
            Target::Configuration => self.described(Spec::of_config(&file).is_ok(), folder),
            _ => checkpoint(folder),
        })
    }

    /// Opens some of the checkpoints whose description is good.
    fn described(&self, is_good: bool, path: &Path) -> bool {
        let seen = self.good.get() + u64::from(is_good);
        self.good.set(seen);
        if is_good && seen % OPENED_WHOLE == 1 {
            checkpoint(path);
        }
        is_good
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
    if let Ok(encoding) = tokenizer.encode(TEXT, &Prefix::Declared) {
        let _ = tokenizer.decode(&encoding.ids, false);
    }
    for name in [
        "model.layers.0.self_attn.q_proj.weight",
        "transformer.h.0.attn.c_attn.weight (keys)",
        "bert.encoder.layer.0.attention.self.query.weight",
    ] {
        if checkpoint.shape(name).is_ok() {
            // An error is an answer: a weight may have become NaN.
            let _ = checkpoint.tensor_f32(name);
        }
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
