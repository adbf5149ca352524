//! What is said of a trace file.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use lookback_heads::head;
use lookback_trace::{HeadId, InterventionRecord, Trace};
use lookback_view::terminal::points;
use serde::Serialize;

use super::contents::Contents;
use crate::output;

/// The format of its JSON.
const FORMAT: &str = "lookback-trace-info/2";

/// Heads that are named; of more, only how many.
const NAMED: usize = 4;

/// Longest piece of the text that is shown, in characters.
const SHOWN: usize = 60;

/// A trace file in numbers; its JSON form is described in `docs/json/trace.md`.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    file: String,
    format: &'static str,
    /// The file's own format.
    trace_format: &'static str,
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
    /// What was changed while the model ran, in words.
    interventions: Option<String>,
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
            format: FORMAT,
            trace_format: trace.version().name(),
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
            interventions: described(&meta.interventions),
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
            self.trace_format,
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
                let most = points(change.into());
                format!("; rounding changed no weight by more than {most}")
            });
        writeln!(out, "  q and k {}{change}", self.qk_dtype)?;
        if self.values_bytes > 0 {
            let size = output::bytes(self.values_bytes);
            writeln!(out, "  values  {}, {size} of the file", self.qk_dtype)?;
        }
        if let Some(interventions) = &self.interventions {
            writeln!(out, "  changed {interventions}, while the model ran")?;
        }
        self.contents.print(out)
    }
}

/// What was changed: `L5H1 ablated, 12 edges cut`; none where nothing was.
fn described(record: &InterventionRecord) -> Option<String> {
    let scaled = record.scaled.iter().map(|of| HeadId {
        layer: of.layer,
        head: of.head,
    });
    let rows = record.patched.iter().map(|of| of.rows).sum();
    let heads = [
        (heads(record.ablated.iter().copied()), "ablated"),
        (
            heads(record.mean_ablated.iter().copied()),
            "ablated to the mean output",
        ),
        (heads(scaled), "scaled"),
        (several(record.cut.len(), "edge"), "cut"),
        (several(rows, "row"), "patched"),
    ];
    let said: Vec<String> = heads
        .into_iter()
        .filter_map(|(what, how)| Some(format!("{} {how}", what?)))
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn heads(of: impl ExactSizeIterator<Item = HeadId>) -> Option<String> {
    match of.len() {
        1..=NAMED => Some(of.map(head::name).collect::<Vec<_>>().join(", ")),
        more => several(more, "head"),
    }
}

fn several(count: usize, one: &str) -> Option<String> {
    (count > 0).then(|| output::count(count, one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_trace::Cut;

    #[test]
    fn interventions_are_said_in_words() {
        let head = |head| HeadId { layer: 5, head };
        let cut = Cut {
            layer: 1,
            head: 0,
            i: 4,
            j: 2,
        };
        let record = InterventionRecord {
            ablated: vec![head(1)],
            mean_ablated: (0..5).map(head).collect(),
            cut: vec![cut; 12],
            ..InterventionRecord::default()
        };
        assert_eq!(
            described(&record).unwrap(),
            "L5H1 ablated, 5 heads ablated to the mean output, 12 edges cut"
        );
        assert_eq!(described(&InterventionRecord::default()), None);
    }
}
