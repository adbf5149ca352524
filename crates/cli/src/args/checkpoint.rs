//! What is said of a checkpoint whose files leave something open.

use std::path::PathBuf;

use clap::Args;
use lookback_model::checkpoint::OpenOptions;

/// What is said of a checkpoint whose files leave something open.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct CheckpointArgs {
    /// How texts are cut into words, for a GGUF file that does not say it (tokenizer.ggml.pre) or names a way that is not
    /// known: gpt-2, llama-bpe, qwen2, tekken …; the error names all
    #[arg(long, value_name = "NAME")]
    pub(crate) pre_tokenizer: Option<String>,
    /// A key of the model's configuration that is not known here and that you know to change nothing; may be given several
    /// times
    #[arg(long = "accept-key", value_name = "NAME")]
    pub(crate) accept_keys: Vec<String>,
    /// The model that a LoRA adapter belongs to, named as for --model: for adapters whose own model is not found
    #[arg(long, value_name = "MODEL")]
    pub(crate) base: Option<String>,
}

impl CheckpointArgs {
    /// How the checkpoint is opened, an adapter with the base that lies at this path.
    pub(crate) fn options(&self, base: Option<PathBuf>) -> OpenOptions {
        OpenOptions {
            base,
            pre_tokenizer: self.pre_tokenizer.clone(),
            accept_keys: self.accept_keys.clone(),
        }
    }

    /// The same, as a process is given it.
    pub(crate) fn written(&self) -> Vec<String> {
        let pre_tokenizer = self.pre_tokenizer.iter();
        let accept_keys = self.accept_keys.iter();
        pre_tokenizer
            .map(|name| format!("--pre-tokenizer={name}"))
            .chain(accept_keys.map(|key| format!("--accept-key={key}")))
            .chain(self.base.iter().map(|base| format!("--base={base}")))
            .collect()
    }
}
