//! What is said of a trace file.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use lookback_trace::Trace;
use serde::Serialize;

use super::contents::Contents;
use crate::output;

/// Longest piece of the text that is shown, in characters.
const SHOWN: usize = 60;

/// A trace file in numbers; its JSON form is described in `docs/json/trace.md`.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    file: String,
    format: &'static str,
    bytes: u64,
    /// How much of it the values take; 0 where there are none.
    values_bytes: u64,
    model: String,
    model_sha256: Option<String>,
    library: String,
    text: String,
    tokens: usize,
    prefix_tokens: usize,
    layers: usize,
    /// Of the first layer.
    heads: usize,
    kv_heads: usize,
    qk_dtype: &'static str,
    /// The largest change of a weight that came from rounding to 16 bits.
    qk_rounding_max_weight_change: Option<f32>,
    /// Whether edges were cut, or heads ablated or scaled.
    edited: bool,
    #[serde(flatten)]
    contents: Contents,
    /// How long reading and saving took, where the model has just run.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl Summary {
    /// Reads it off a file.
    pub(super) fn open(file: &Path) -> anyhow::Result<Self> {
        let trace = Trace::open(file)?;
        let name = file.display().to_string();
        let bytes = std::fs::metadata(file)
            .with_context(|| format!("cannot read {name}"))?
            .len();
        let (meta, first) = (trace.meta(), trace.layer_ids()[0]);
        Ok(Self {
            file: name,
            format: trace.version().name(),
            bytes,
            values_bytes: trace.values_bytes(meta.qk_dtype).unwrap_or(0),
            model: meta.model.clone(),
            model_sha256: meta.model_sha256.clone(),
            library: meta.library.clone(),
            text: meta.text.clone(),
            tokens: trace.n(),
            prefix_tokens: meta.prefix_tokens,
            layers: trace.layer_count(),
            heads: trace.head_count(first),
            kv_heads: trace.kv_head_count(first),
            qk_dtype: meta.qk_dtype.name(),
            qk_rounding_max_weight_change: meta.qk_rounding_max_weight_change,
            edited: !meta.interventions.is_empty(),
            contents: Contents::of(&trace),
            seconds: None,
        })
    }

    /// With the seconds that reading and saving have just taken.
    pub(super) fn after(self, seconds: f64) -> Self {
        Self {
            seconds: Some(seconds),
            ..self
        }
    }

    /// Prints it for a person; `what` is what the file is said to be.
    pub(super) fn print(&self, what: &str) -> anyhow::Result<()> {
        let bold = anstyle::Style::new().bold();
        let mut out = output::stdout();
        let file = output::one_line(&self.file);
        writeln!(
            out,
            "{bold}{file}{bold:#}  {what}, {}, {}",
            self.format,
            output::bytes(self.bytes)
        )?;
        self.print_run(&mut out)?;
        self.print_numbers(&mut out)?;
        out.flush()?;
        Ok(())
    }

    /// Which model read what.
    fn print_run(&self, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        let hash = self.model_sha256.as_deref().map_or(String::new(), |hash| {
            let short: String = hash.chars().take(12).collect();
            format!(" (SHA-256 {}…)", output::one_line(&short))
        });
        writeln!(out, "  model   {}{hash}", output::one_line(&self.model))?;
        if let Some(seconds) = self.seconds {
            let tokens = output::count(self.tokens, "token");
            writeln!(out, "  took    {seconds:.2} s for {tokens}")?;
        } else {
            writeln!(out, "  made by {}", output::one_line(&self.library))?;
        }
        let line = output::one_line(&self.text);
        let mut shown: String = line.chars().take(SHOWN).collect();
        if line.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        writeln!(out, "  text    {shown}")?;
        Ok(())
    }

    /// What is kept, and how.
    fn print_numbers(&self, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        let prefix = match self.prefix_tokens {
            0 => "no prefix".to_owned(),
            n => format!("{n} of them the prefix"),
        };
        let tokens = output::count(self.tokens, "token");
        let tokens = self.contents.tokens(self.tokens).unwrap_or(tokens);
        writeln!(out, "  tokens  {tokens}, {prefix}")?;
        writeln!(
            out,
            "  heads   {} of {} and {}",
            output::count(self.layers, "layer"),
            output::count(self.heads, "query head"),
            output::count(self.kv_heads, "key head")
        )?;
        let change = self
            .qk_rounding_max_weight_change
            .map_or(String::new(), |change| {
                format!("; rounding changed no weight by more than {change:.1e}")
            });
        writeln!(out, "  q and k {}{change}", self.qk_dtype)?;
        if self.values_bytes > 0 {
            let size = output::bytes(self.values_bytes);
            writeln!(out, "  values  {}, {size} of the file", self.qk_dtype)?;
        }
        if self.edited {
            writeln!(
                out,
                "  edited  edges were cut, or heads ablated or scaled, while the model ran"
            )?;
        }
        self.contents.print(out)
    }
}
