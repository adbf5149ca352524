//! The trace that a command looks into: of a text that is read now, or one that was kept.

use std::path::Path;

use anyhow::Context as _;
use lookback_heads::WordName;
use lookback_model::WeightsKind;
use lookback_trace::{HeadId, Trace};

use crate::args::SourceArgs;
use crate::context::{Context, note_precision};
use crate::run::{InputSize, TextRun};

/// A trace, and the texts of its prefix tokens where they are known.
pub(super) struct Source {
    pub(super) trace: Trace,
    pub(super) prefix: Vec<String>,
    pub(super) size: InputSize,
}

impl Source {
    /// Opens the trace, or reads the text. Heads and words that are asked about and are not there are an error before
    /// the model runs.
    pub(super) fn open(
        args: &SourceArgs,
        (heads, words): (&[HeadId], &[WordName]),
        context: &Context,
    ) -> anyhow::Result<Self> {
        if let Some(path) = &args.trace {
            let source = Self::of_file(path, context)?;
            for &head in heads {
                lookback_heads::head::check_in(head, &source.trace)?;
            }
            return Ok(source);
        }
        let text = args.text.read()?;
        let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
        let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
        run.check_heads(heads)?;
        let in_text = run.words();
        for word in words {
            word.find_one(&run.encoding.text, &in_text)?;
        }
        Self::of_run(&run)
    }

    /// The trace of a text that a model reads now.
    pub(super) fn of_run(run: &TextRun) -> anyhow::Result<Self> {
        let trace = run.trace()?;
        note_precision(&trace);
        Ok(Self {
            trace,
            prefix: run.prefix_texts(),
            size: run.size(),
        })
    }

    /// A trace that was kept.
    pub(super) fn of_file(path: &Path, context: &Context) -> anyhow::Result<Self> {
        let trace =
            Trace::open(path).with_context(|| format!("cannot look into {}", path.display()))?;
        let size = InputSize::of_trace(&trace);
        context.note_input(size.to_string());
        note_precision(&trace);
        Ok(Self {
            prefix: (trace.meta().prefix_texts().iter())
                .map(|&text| text.to_owned())
                .collect(),
            trace,
            size,
        })
    }
}
