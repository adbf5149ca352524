//! What pictures are made from: a text that is read now, or a trace that was kept.

use std::path::PathBuf;

use clap::Args;
use lookback_model::{Logits, Prefix, TraceOptions, WeightsKind};
use lookback_trace::Trace;

use crate::args::{ModelArgs, TextArgs};
use crate::context::{Context, note_precision};

/// A text and the model that reads it, or a trace.
#[derive(Debug, Clone, Args)]
pub(super) struct SourceArgs {
    /// The text; `-` reads standard input
    #[arg(required_unless_present_any = ["file", "trace"])]
    text: Option<std::ffi::OsString>,
    /// Read the text from a file, in UTF-8
    #[arg(long, value_name = "PATH", conflicts_with_all = ["text", "trace"])]
    file: Option<PathBuf>,
    /// Take a trace that `lookback trace` kept, instead of reading a text
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

/// A trace, and the texts of its prefix tokens where they are known.
pub(super) struct Source {
    pub(super) trace: Trace,
    pub(super) prefix: Vec<String>,
}

impl Source {
    /// Reads the text, or opens the trace.
    pub(super) fn open(args: &SourceArgs, context: &Context) -> anyhow::Result<Self> {
        if let Some(path) = &args.trace {
            return Ok(Self::new(Trace::open(path)?));
        }
        let text = context.text(&TextArgs {
            text: args.text.clone(),
            file: args.file.clone(),
        })?;
        let loaded = context.load(&args.model.model, WeightsKind::F32)?;
        let model = &loaded.model;
        let encoding = context.encode(model, &text, &args.model, Prefix::Declared)?;
        let options = TraceOptions {
            logits: Logits::None,
            model_name: Some(loaded.resolved.name.clone()),
            model_sha256: loaded.resolved.sha256.clone(),
            keep_v: false,
        };
        let traced = model.trace(&encoding, &options, &context.reading(encoding.ids.len()))?;
        Ok(Self::new(traced.trace))
    }

    fn new(trace: Trace) -> Self {
        note_precision(&trace);
        let prefix = trace.prefix_texts().to_vec();
        Self { trace, prefix }
    }
}
