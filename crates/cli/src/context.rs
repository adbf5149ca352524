//! What commands share: loading a model, encoding a text, and the terminal.

use std::ops::ControlFlow;

use anyhow::bail;
use lookback_model::store::{self, DEFAULT_MODEL, PRONOUN, Resolved, Store};
use lookback_model::{Encoding, Hooks, LoadOptions, Model, Prefix, WeightsKind};
use lookback_trace::Trace;

use crate::args::{GlobalArgs, ModelArgs, TextArgs};
use crate::progress::{FetchBar, Spinner};
use crate::{interrupt, output, text};

/// A model that is loaded, and where it came from.
pub(crate) struct Loaded {
    pub(crate) model: Model,
    pub(crate) resolved: Resolved,
}

/// What holds for the whole run of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Whether the answer is printed as JSON.
    pub(crate) json: bool,
}

impl Context {
    pub(crate) fn new(global: &GlobalArgs) -> Self {
        Self { json: global.json }
    }

    /// Columns that a line may have: the terminal's, or where standard output is none those of `COLUMNS`, or 80.
    pub(crate) fn width(&self) -> usize {
        let asked = || {
            let columns = std::env::var("COLUMNS").ok()?.trim().parse().ok()?;
            (columns > 0).then_some(columns)
        };
        terminal_size::terminal_size_of(std::io::stdout())
            .map(|(width, _)| usize::from(width.0))
            .or_else(asked)
            .unwrap_or(80)
            .clamp(20, 1000)
    }

    /// Fetches the model if it has to be, and loads it.
    pub(crate) fn load(&self, spec: &str, weights: WeightsKind) -> anyhow::Result<Loaded> {
        let resolved = if spec == PRONOUN.name {
            // Needs no cache, which may not be there.
            PRONOUN.resolved()
        } else {
            let store = Store::from_env()?;
            let _graceful = interrupt::graceful();
            store.resolve(spec, &FetchBar::new())?
        };
        let spinner = Spinner::start(format!("loading {}", resolved.name));
        let model = Model::load(&resolved.path, &LoadOptions { weights })?;
        spinner.finish();
        model.notes().iter().for_each(|note| output::note(note));
        Ok(Loaded { model, resolved })
    }

    /// [`Context::load`], or where the default model cannot be had, the one that is built in; says so.
    pub(crate) fn load_or_built_in(
        &self,
        spec: &str,
        weights: WeightsKind,
    ) -> anyhow::Result<Loaded> {
        match self.load(spec, weights) {
            Err(error) if spec == DEFAULT_MODEL && could_not_be_had(&error) => {
                output::note(&format!(
                    "{error}; shown is what the built-in model {} makes of it, which was only taught whom a pronoun \
                     stands for in sentences like \"A works hard, B does not. Yet he …\"",
                    PRONOUN.name
                ));
                self.load(PRONOUN.name, weights)
            }
            loaded => loaded,
        }
    }

    /// The text that the arguments name.
    pub(crate) fn text(&self, args: &TextArgs) -> anyhow::Result<String> {
        text::read(args)
    }

    /// Tokens of `text`, after the prefix of the arguments, else after `default`.
    ///
    /// A text longer than the model's context is refused, or cut at its end with `--truncate`.
    pub(crate) fn encode(
        &self,
        model: &Model,
        text: &str,
        args: &ModelArgs,
        default: Prefix,
    ) -> anyhow::Result<Encoding> {
        let prefix = args
            .prefix
            .as_ref()
            .map_or(default, |prefix| prefix.0.clone());
        let encoding = model.tokenizer().encode(text, &prefix)?;
        let context = model.config().context_length;
        let tokens = encoding.ids.len();
        if tokens <= context {
            return Ok(encoding);
        }
        if !args.truncate {
            bail!(
                "the text has {tokens} tokens, {} more than the {context} that the model reads; \
                 shorten it, or cut it with --truncate",
                tokens - context
            );
        }
        let kept = text::truncate(encoding, context);
        output::note(&format!(
            "the text is cut to its first {} of {tokens} tokens: the model reads no more",
            kept.ids.len()
        ));
        Ok(kept)
    }

    /// Hooks that show on a terminal how far the reading of `tokens` tokens is.
    pub(crate) fn reading(&self, tokens: usize) -> Reading {
        Reading {
            spinner: Spinner::start(format!("reading {tokens} tokens")),
        }
    }
}

/// Says what f32 cannot tell of a trace's weights, where that is worth a word.
pub(crate) fn note_precision(trace: &Trace) {
    if let Some(note) = trace.precision().note() {
        output::note(&note);
    }
}

/// Whether a model is missing, and not damaged, and nobody asked to stop.
fn could_not_be_had(error: &anyhow::Error) -> bool {
    let of_store = error.downcast_ref::<store::Error>();
    of_store.is_some_and(|error| !matches!(error, store::Error::Interrupted))
}

/// Shows which layer a run has reached; the line is gone once it is dropped.
pub(crate) struct Reading {
    spinner: Spinner,
}

impl Reading {
    /// Takes the line off before something else is printed.
    pub(crate) fn finish(&self) {
        self.spinner.clear();
    }
}

impl Hooks for Reading {
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        self.spinner.position(done, layers);
        if interrupt::requested() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
