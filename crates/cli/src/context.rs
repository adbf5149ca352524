//! What commands share: the terminal, the model, and what is said beside the answer.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::bail;
use lookback_model::checkpoint::Checkpoint;
use lookback_model::store::{self, PRONOUN, Resolved, Store};
use lookback_model::{LoadOptions, Model, TraceOptions, WeightsKind};
use lookback_trace::Trace;
use serde::Serialize;

use crate::args::{CheckpointArgs, GlobalArgs, ModelArgs};
use crate::progress::{FetchBar, Line};
use crate::{interrupt, output};

/// What holds for the whole run of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Whether the answer is printed as JSON.
    pub(crate) json: bool,
    /// What is said of each text that was read, once the answer stands: see [`Context::note_input`].
    inputs: RefCell<Vec<String>>,
}

impl Context {
    pub(crate) fn new(global: &GlobalArgs) -> Self {
        Self {
            json: global.json,
            inputs: RefCell::default(),
        }
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

    /// Keeps how many tokens a text has and behind which prefix it is read. It is printed with the answer, by
    /// [`Context::print_inputs`], and not beside an error.
    pub(crate) fn note_input(&self, line: String) {
        let mut inputs = self.inputs.borrow_mut();
        if !inputs.contains(&line) {
            inputs.push(line);
        }
    }

    /// Prints what was kept of the texts. JSON has it in the answer.
    pub(crate) fn print_inputs(&self) {
        for line in self.inputs.take() {
            if !self.json {
                output::note(&line);
            }
        }
    }

    /// Forgets what was kept of the texts: the answer itself says it.
    pub(crate) fn answer_names_prefix(&self) {
        self.inputs.take();
    }

    /// Fetches the model if it has to be, and loads it.
    pub(crate) fn load(
        &self,
        spec: &str,
        args: &CheckpointArgs,
        weights: WeightsKind,
    ) -> anyhow::Result<Loaded> {
        let resolved = resolve(spec)?;
        let line = Line::spinner(format!("loading {}", resolved.name));
        let checkpoint = open(&resolved, args)?;
        let model = Model::from_checkpoint(checkpoint, &LoadOptions { weights })?;
        line.clear();
        model.notes().iter().for_each(|note| output::note(note));
        Ok(Loaded {
            model,
            resolved,
            instead_of: None,
        })
    }

    /// [`Context::load`], or where no model is named and the default one cannot be had, the one that is built in; says so.
    pub(crate) fn load_or_built_in(
        &self,
        args: &ModelArgs,
        weights: WeightsKind,
    ) -> anyhow::Result<Loaded> {
        match self.load(args.name(), &args.checkpoint, weights) {
            Err(error) if args.model.is_none() && is_unavailable(&error) => {
                output::note(&format!(
                    "{error}; the built-in model {} is used instead",
                    PRONOUN.name
                ));
                let instead_of = InsteadOf {
                    model: args.name().to_owned(),
                    reason: error.to_string(),
                };
                Ok(Loaded {
                    instead_of: Some(instead_of),
                    ..self.load(PRONOUN.name, &CheckpointArgs::default(), weights)?
                })
            }
            loaded => loaded,
        }
    }
}

/// Where a model lies, which is fetched if it has to be.
pub(crate) fn resolve(spec: &str) -> anyhow::Result<Resolved> {
    if spec == PRONOUN.name {
        // Needs no cache, which may not be there.
        return Ok(PRONOUN.resolved());
    }
    let store = Store::from_env()?;
    let _graceful = interrupt::graceful();
    Ok(store.resolve(spec, &FetchBar::new())?)
}

/// The checkpoint that lies there.
pub(crate) fn open(resolved: &Resolved, args: &CheckpointArgs) -> anyhow::Result<Checkpoint> {
    let base = match &args.base {
        Some(spec) => Some(resolve(spec)?.path),
        None => base_on_disk(&resolved.path),
    };
    let opened = Checkpoint::open_with(&resolved.path, &args.options(base));
    let opened = opened.map_err(lookback_model::Error::from)?;
    check_opened(resolved, &opened)?;
    Ok(opened)
}

/// Where the model lies that the adapter in `folder` names, if it is one on the hub that is on this machine: none is fetched
/// without being asked for.
fn base_on_disk(folder: &Path) -> Option<PathBuf> {
    let name = Checkpoint::base_of_adapter(folder)?;
    if Path::new(&name).is_dir() {
        return None;
    }
    let mut settings = Store::from_env().ok()?.settings().clone();
    settings.hub.offline = true;
    let found = Store::new(settings).resolve(&format!("hf:{name}"), &store::Silent);
    found.ok().map(|resolved| resolved.path)
}

/// Fails where the file that was opened is not the one whose SHA-256 is known: what is recorded was taken of the bytes that
/// were read.
fn check_opened(resolved: &Resolved, opened: &Checkpoint) -> anyhow::Result<()> {
    if resolved.stamp.is_some() && resolved.stamp != opened.provenance().stamp() {
        bail!(
            "{} was replaced or overwritten while it was being opened; run this again",
            resolved.path.display()
        );
    }
    Ok(())
}

/// Says what f32 cannot tell of a trace's weights, where that is worth a word.
pub(crate) fn note_precision(trace: &Trace) {
    if let Some(note) = trace.precision().note() {
        output::note(&note);
    }
}

/// Whether a model is missing, and not damaged, and nobody asked to stop.
fn is_unavailable(error: &anyhow::Error) -> bool {
    let of_store = error.downcast_ref::<store::Error>();
    of_store.is_some_and(|error| !matches!(error, store::Error::Interrupted))
}

/// A model that is loaded, and where it came from.
pub(crate) struct Loaded {
    pub(crate) model: Model,
    pub(crate) resolved: Resolved,
    /// The model that would have been used, where this is another: an answer says so.
    pub(crate) instead_of: Option<InsteadOf>,
}

/// Why the default model does not answer. In JSON as it stands here.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InsteadOf {
    model: String,
    reason: String,
}

impl std::fmt::Display for InsteadOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "This is the answer of {}, the built-in model, and not of {}, which could not be had: {}. {} was only taught \
             which name a pronoun refers to in sentences like \"A works hard, B does not. Yet he …\"",
            PRONOUN.name, self.model, self.reason, PRONOUN.name
        )
    }
}

impl Loaded {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.resolved.name
    }

    /// The SHA-256 of its files, taken now where the store does not know it.
    pub(crate) fn sha256(&self) -> anyhow::Result<String> {
        if let Some(known) = &self.resolved.sha256 {
            return Ok(known.clone());
        }
        let _line = Line::spinner(format!("taking the SHA-256 of {}", self.name()));
        Ok(self.model.checkpoint().provenance().sha256()?)
    }

    /// A trace that names this model, and computes no logits.
    pub(crate) fn trace_options(&self) -> TraceOptions {
        TraceOptions {
            logits: lookback_model::Logits::None,
            model_name: Some(self.name().to_owned()),
            model_sha256: self.resolved.sha256.clone(),
            ..TraceOptions::default()
        }
    }
}
