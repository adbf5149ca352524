//! A text on its way through a model: its tokens, its prefix, the interventions, and its trace.

use anyhow::{Context as _, bail};
use lookback_heads::head;
use lookback_heads::mean_output::MeanOutputs;
use lookback_model::{Encoding, Interventions, Model, TraceOptions};
use lookback_trace::{HeadId, Trace, Words};
use serde::Serialize;

use crate::args::{InterventionArgs, ModelArgs, ReferenceArgs, read_file};
use crate::context::{Context, Loaded};
use crate::layer_progress::LayerProgress;
use crate::output::{self, count};

/// A text that a model is about to read.
pub(crate) struct TextRun<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) encoding: Encoding,
    /// Empty where none are asked for; then they change nothing.
    pub(crate) interventions: Interventions,
}

/// How many tokens were read, and behind which prefix, in every command's JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InputSize {
    /// The prefix's included.
    pub(crate) tokens: usize,
    pub(crate) prefix_tokens: usize,
    /// The text of the prefix tokens; empty where there are none.
    pub(crate) prefix: String,
}

impl InputSize {
    pub(crate) fn new(model: &Model, encoding: &Encoding) -> Self {
        Self {
            tokens: encoding.ids.len(),
            prefix_tokens: encoding.prefix_tokens,
            prefix: prefix_texts(model, encoding).concat(),
        }
    }

    /// As a trace file has it. One that does not hold the texts of its prefix shows their numbers.
    pub(crate) fn of_trace(trace: &Trace) -> Self {
        let meta = trace.meta();
        let ids = meta.tokens[..meta.prefix_tokens].iter();
        let prefix = match trace.prefix_texts() {
            [] => ids.map(|id| format!("[{id}]")).collect(),
            texts => texts.concat(),
        };
        Self {
            tokens: trace.n(),
            prefix_tokens: meta.prefix_tokens,
            prefix,
        }
    }
}

/// `21 tokens, 1 of them the prefix <|endoftext|>`.
impl std::fmt::Display for InputSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tokens = count(self.tokens, "token");
        match self.prefix_tokens {
            0 => write!(f, "{tokens}, no prefix: the first word acts as the sink"),
            n => write!(f, "{tokens}, {n} of them the prefix {}", self.prefix),
        }
    }
}

/// The texts of the prefix tokens.
fn prefix_texts(model: &Model, encoding: &Encoding) -> Vec<String> {
    let name = |&id: &u32| {
        let text = model.tokenizer().token_text(id);
        text.unwrap_or_else(|| format!("[{id}]"))
    };
    let prefix = &encoding.ids[..encoding.prefix_tokens];
    prefix.iter().map(name).collect()
}

impl Context {
    /// A text behind its prefix, with the interventions on the run over it. What is named that is not there is an
    /// error here, before the model runs.
    pub(crate) fn prepare<'a>(
        &self,
        loaded: &'a Loaded,
        text: &str,
        args: &ModelArgs,
        interventions: &InterventionArgs,
    ) -> anyhow::Result<TextRun<'a>> {
        let encoding = self.encode(&loaded.model, text, args)?;
        self.prepare_encoded(loaded, encoding, args, interventions)
    }

    /// [`Context::prepare`] of a text that is encoded already.
    pub(crate) fn prepare_encoded<'a>(
        &self,
        loaded: &'a Loaded,
        encoding: Encoding,
        args: &ModelArgs,
        interventions: &InterventionArgs,
    ) -> anyhow::Result<TextRun<'a>> {
        let model = &loaded.model;
        let means =
            self.mean_outputs(model, &interventions.ablate, &interventions.reference, args)?;
        let interventions = interventions.named().on_with(model, &encoding, &means)?;
        Ok(TextRun {
            loaded,
            encoding,
            interventions,
        })
    }

    /// Tokens of `text` behind its prefix. Every command reads every text through here, so that all of them see
    /// the same tokens; how many there are, and which prefix, is printed with the answer.
    ///
    /// A text longer than the model's context is an error, or cut at its end with `--truncate`.
    pub(crate) fn encode(
        &self,
        model: &Model,
        text: &str,
        args: &ModelArgs,
    ) -> anyhow::Result<Encoding> {
        let encoding = encode(model, text, args)?;
        let size = InputSize::new(model, &encoding);
        if encoding.prefix_was_in_text {
            output::note(&format!(
                "the text already begins with {}; it is not added again",
                size.prefix
            ));
        }
        self.note_input(size.to_string());
        Ok(encoding)
    }

    /// The heads' mean outputs over the reference set, each text behind the same prefix; none without a set.
    pub(crate) fn mean_outputs(
        &self,
        model: &Model,
        heads: &[HeadId],
        reference: &ReferenceArgs,
        args: &ModelArgs,
    ) -> anyhow::Result<MeanOutputs> {
        let Some(file) = &reference.mean_over else {
            return Ok(MeanOutputs::default());
        };
        let lines = read_file(file)?;
        let lines = lines.lines().filter(|line| !line.trim().is_empty());
        let texts = lines
            .map(|line| encode(model, line, args))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let progress = LayerProgress::start(texts.iter().map(|text| text.ids.len()).sum());
        MeanOutputs::over(model, &texts, heads, &progress)
            .with_context(|| format!("cannot average over {}", file.display()))
    }
}

impl TextRun<'_> {
    /// The model's trace of the text, under the interventions.
    pub(crate) fn trace(&self) -> anyhow::Result<Trace> {
        self.trace_with(&self.loaded.trace_options())
    }

    /// [`TextRun::trace`] with options of its own.
    pub(crate) fn trace_with(&self, options: &TraceOptions) -> anyhow::Result<Trace> {
        let progress = self.progress();
        let hooks = self.interventions.and(&progress);
        let traced = self.loaded.model.trace(&self.encoding, options, &hooks);
        Ok(traced.context("the text cannot be read")?.trace)
    }

    /// Hooks that show how far the reading of the text is.
    pub(crate) fn progress(&self) -> LayerProgress {
        LayerProgress::start(self.encoding.ids.len())
    }

    pub(crate) fn size(&self) -> InputSize {
        InputSize::new(&self.loaded.model, &self.encoding)
    }

    /// The texts of the prefix tokens.
    pub(crate) fn prefix_texts(&self) -> Vec<String> {
        prefix_texts(&self.loaded.model, &self.encoding)
    }

    /// The text's words with their tokens, as its trace has them.
    pub(crate) fn words(&self) -> Words {
        Words::new(&self.encoding.text, &self.encoding.spans)
    }

    /// Which tokens are special.
    pub(crate) fn special(&self) -> Vec<bool> {
        let tokenizer = self.loaded.model.tokenizer();
        let special = |&id: &u32| tokenizer.is_special(id).unwrap_or(false);
        self.encoding.ids.iter().map(special).collect()
    }

    /// Fails where the model has no such head.
    pub(crate) fn check_heads(&self, heads: &[HeadId]) -> anyhow::Result<()> {
        let config = self.loaded.model.config();
        for &one in heads {
            head::check(one, config.layers, config.heads)?;
        }
        Ok(())
    }
}

fn encode(model: &Model, text: &str, args: &ModelArgs) -> anyhow::Result<Encoding> {
    let encoding = model.tokenizer().encode(text, &args.prefix())?;
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
    let kept = truncate(encoding, context);
    output::note(&format!(
        "the text is cut to its first {} of {tokens} tokens: the model reads no more",
        kept.ids.len()
    ));
    Ok(kept)
}

/// The first tokens of `encoding` with those that follow the text, `context` in all; fewer where the cut would go through
/// a character.
fn truncate(mut encoding: Encoding, context: usize) -> Encoding {
    if encoding.ids.len() <= context {
        return encoding;
    }
    let after = encoding.text_tokens().end..encoding.ids.len();
    let mut kept = context
        .saturating_sub(after.len())
        .max(encoding.prefix_tokens);
    // Tokens that share a character share its span: all of them are kept, or none.
    while kept > encoding.prefix_tokens && encoding.spans[kept].0 < encoding.spans[kept - 1].1 {
        kept -= 1;
    }
    encoding.ids.drain(kept..after.start);
    encoding.spans.truncate(kept);
    let end = encoding.spans.iter().map(|span| span.1).max().unwrap_or(0);
    encoding.spans.resize(encoding.ids.len(), (end, end));
    encoding.text.truncate(end);
    encoding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_said_in_one_way() {
        let size = |tokens, prefix_tokens, prefix: &str| InputSize {
            tokens,
            prefix_tokens,
            prefix: prefix.to_owned(),
        };
        assert_eq!(
            size(21, 1, "<s>").to_string(),
            "21 tokens, 1 of them the prefix <s>"
        );
        assert_eq!(
            size(1, 0, "").to_string(),
            "1 token, no prefix: the first word acts as the sink"
        );
    }

    #[test]
    fn a_cut_keeps_characters_whole() {
        // "aé": é in two tokens, each with its whole span; one prefix token.
        let encoding = Encoding {
            ids: vec![0, 1, 2, 3, 4],
            spans: vec![(0, 0), (0, 1), (1, 3), (1, 3), (3, 4)],
            prefix_tokens: 1,
            prefix_was_in_text: false,
            suffix_tokens: 0,
            text: "aéb".to_owned(),
        };
        let cut = truncate(encoding.clone(), 3);
        assert_eq!((cut.ids, cut.text), (vec![0, 1], "a".to_owned()));
        let cut = truncate(encoding.clone(), 4);
        assert_eq!((cut.ids, cut.text), (vec![0, 1, 2, 3], "aé".to_owned()));
        assert_eq!(truncate(encoding.clone(), 9), encoding);
    }

    #[test]
    fn a_cut_keeps_what_follows_the_text() {
        let encoding = Encoding {
            ids: vec![0, 1, 2, 3, 9],
            spans: vec![(0, 0), (0, 1), (1, 2), (2, 3), (3, 3)],
            prefix_tokens: 1,
            prefix_was_in_text: false,
            suffix_tokens: 1,
            text: "abc".to_owned(),
        };
        let cut = truncate(encoding.clone(), 4);
        assert_eq!((cut.ids, cut.text), (vec![0, 1, 2, 9], "ab".to_owned()));
        assert_eq!(cut.spans, [(0, 0), (0, 1), (1, 2), (2, 2)]);
        assert_eq!(cut.suffix_tokens, 1);
        assert_eq!(truncate(encoding.clone(), 5), encoding);
    }
}
