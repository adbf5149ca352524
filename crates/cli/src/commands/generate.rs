//! `generate`: continues a text, or answers it.

use std::io::{self, IsTerminal as _, Write};
use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use clap::Args;
use lookback_model::chat::{self, Conversation, Message};
use lookback_model::generate::{End, GenerateOptions, Generation, Sampler, Sampling};
use lookback_model::tokenizer::StreamDecoder;
use lookback_model::{Encoding, Model, Prefix, WeightsKind};
use serde::Serialize;

use crate::args::{InterventionArgs, ModelArgs, TextArgs, WeightsArg};
use crate::context::Context;
use crate::output::count;
use crate::run::InputSize;
use crate::{interrupt, output};

const EXAMPLES: &str = "\
Examples:
  lookback generate \"Once upon a time\" --tokens 50
  lookback generate --chat \"Why is the sky blue?\" --temperature 0.7 --top-p 0.9 --seed 1
  lookback generate --file notes.txt --weights quantized --json

Only new text goes to standard output, as it comes. The text ends at a stop token of the model, after --tokens
tokens, or where the model's context is full.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (what was written so far stands).";

/// Continue a text, or answer it
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    text: TextArgs,
    /// The most tokens to generate
    #[arg(long, value_name = "N", default_value_t = 128)]
    tokens: usize,
    /// 0 takes the likeliest token each time; higher is more varied
    #[arg(
        long,
        value_name = "T",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    temperature: f32,
    /// Draw only from the likeliest tokens that together have this probability
    #[arg(
        long,
        value_name = "P",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    top_p: f32,
    /// Seed of the random numbers: the same seed gives the same text
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Answer the text as a chat model does: by the model's chat template
    #[arg(long, conflicts_with_all = ["prefix", "truncate"])]
    chat: bool,
    /// A system message for --chat; else what the template itself says
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    /// Compute on f32 weights, or faster on quantised ones, whose numbers differ slightly
    #[arg(long, value_name = "FORM", value_enum, default_value_t = WeightsArg::F32)]
    weights: WeightsArg,
    #[command(flatten)]
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// The answer as JSON: see `docs/json/generate.md`.
#[derive(Serialize)]
struct Generated<'a> {
    model: &'a str,
    weights: String,
    /// The whole prompt as the model read it, its prefix or its chat template included.
    prompt_tokens: &'a [u32],
    prefix_tokens: usize,
    /// The text of the prefix; empty with a chat template.
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    text: &'a str,
    #[serde(flatten)]
    generation: &'a Generation,
    sampling: SamplingRecord,
}

#[derive(Serialize)]
struct SamplingRecord {
    temperature: f32,
    top_p: f32,
    seed: u64,
}

/// Runs the command.
pub(crate) fn run(args: &GenerateArgs, context: &Context) -> anyhow::Result<()> {
    let sampling = Sampling {
        temperature: args.temperature,
        top_p: args.top_p,
        seed: args.seed,
    };
    // What cannot be sampled is an error before anything is read.
    Sampler::new(sampling)?;
    let text = args.text.read()?;
    let loaded = context.load(
        args.model.name(),
        &args.model.checkpoint,
        args.weights.into(),
    )?;
    let model = &loaded.model;
    let prompt = match args.chat {
        true => chat_prompt(args, &text, model, context)?,
        false => context.encode(model, &text, &args.model)?,
    };
    let run = context.prepare_encoded(&loaded, prompt, &args.model, &args.interventions)?;
    if let Some(interventions) = args.interventions.describe() {
        output::note(&interventions);
    }
    if model.weights() == WeightsKind::Quantized {
        output::note(&format!(
            "computing on {} weights: numbers differ slightly from those on f32 weights, which looks and traces are computed on",
            model.weights_description()
        ));
    }
    // An interruption ends the text after the token at hand, so that its line can be ended.
    let _graceful = interrupt::graceful();
    let mut stream = Stream::new(model, !context.json);
    let options = GenerateOptions {
        max_tokens: args.tokens,
        sampling,
        stop_tokens: model.checkpoint().stop_tokens().to_vec(),
    };
    let progress = run.progress();
    let hooks = run.interventions.and(&progress);
    let prompt = &run.encoding.ids;
    let generation = model.generate(prompt, &options, &hooks, &mut |token| {
        progress.clear();
        stream.push(token)
    })?;
    let text = stream.finish()?;
    if context.json {
        let InputSize {
            prefix_tokens,
            prefix,
            ..
        } = run.size();
        output::print_json(&Generated {
            model: loaded.name(),
            weights: model.weights_description(),
            prompt_tokens: prompt,
            prefix_tokens,
            prefix,
            interventions: args.interventions.describe(),
            text: &text,
            generation: &generation,
            sampling: SamplingRecord {
                temperature: args.temperature,
                top_p: args.top_p,
                seed: args.seed,
            },
        })?;
    } else {
        describe(&generation, prompt.len());
    }
    interrupt::check()?;
    Ok(())
}

/// The tokens of a chat in which the text asks.
fn chat_prompt(
    args: &GenerateArgs,
    text: &str,
    model: &Model,
    context: &Context,
) -> anyhow::Result<Encoding> {
    let template = model.checkpoint().chat_template().with_context(|| {
        format!(
            "{} has no chat template; leave --chat out to continue the text",
            args.model.name()
        )
    })?;
    let message = |role: &str, content: &str| Message {
        role: role.to_owned(),
        content: content.to_owned(),
    };
    let system = args.system.iter().map(|text| message("system", text));
    let messages: Vec<Message> = system.chain([message("user", text)]).collect();
    let tokenizer = model.tokenizer();
    let special = |id: Option<u32>| {
        id.and_then(|id| tokenizer.token_text(id))
            .unwrap_or_default()
    };
    let most = model.spec().context_length;
    let conversation = Conversation {
        messages: &messages,
        bos: &special(tokenizer.bos()),
        eos: &special(tokenizer.eos()),
        context_length: most,
    };
    let rendered = chat::render(template, &conversation)?;
    // The template has its own beginning: no prefix is added.
    let encoding = model.tokenizer().encode(&rendered, &Prefix::None)?;
    let tokens = encoding.ids.len();
    if tokens > most {
        bail!(
            "the chat has {tokens} tokens, more than the {most} that the model reads; shorten it"
        );
    }
    context.note_input(format!(
        "{}, the chat template's included",
        count(tokens, "token")
    ));
    Ok(encoding)
}

/// Text on its way to standard output, in whole characters, as its tokens come.
struct Stream<'a> {
    /// None once the text is at its end.
    decoder: Option<StreamDecoder<'a>>,
    text: String,
    /// Whether it is written as it comes.
    live: bool,
    failed: Option<io::Error>,
}

impl<'a> Stream<'a> {
    fn new(model: &'a Model, live: bool) -> Self {
        Self {
            decoder: Some(model.tokenizer().stream(true)),
            text: String::new(),
            live,
            failed: None,
        }
    }

    /// Takes one token; `Break` where nobody reads on, or where the run was interrupted.
    fn push(&mut self, token: u32) -> ControlFlow<()> {
        let decoder = self.decoder.as_mut();
        let piece = decoder
            .map(|decoder| decoder.push(token))
            .unwrap_or_default();
        self.write(&piece);
        self.text.push_str(&piece);
        match self.failed {
            Some(_) => ControlFlow::Break(()),
            None => interrupt::flow(),
        }
    }

    fn write(&mut self, piece: &str) {
        if !self.live || piece.is_empty() || self.failed.is_some() {
            return;
        }
        // The model's text as it is: no colours are looked for in it.
        let mut out = io::stdout().lock();
        let written = out.write_all(piece.as_bytes()).and_then(|()| out.flush());
        self.failed = written.err();
    }

    /// Ends the line, and gives the whole text.
    fn finish(mut self) -> anyhow::Result<String> {
        let rest = self
            .decoder
            .take()
            .map(StreamDecoder::finish)
            .unwrap_or_default();
        self.write(&rest);
        self.text.push_str(&rest);
        self.write("\n");
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(self.text),
        }
    }
}

/// Says on a terminal how fast it went and why it ended.
fn describe(generation: &Generation, prompt_tokens: usize) {
    if generation.end == End::ContextFull {
        output::note("the model's context is full: the text ends here");
    }
    if !io::stderr().is_terminal() {
        return;
    }
    let tokens = generation.tokens.len();
    let ended = match generation.end {
        End::Stop(_) => "at a stop token",
        End::MaxTokens => "at --tokens",
        End::ContextFull => "with the context full",
        End::Cancelled => "interrupted",
    };
    output::note(&format!(
        "{} read in {:.2} s, {tokens} written at {:.1} tokens/s, ended {ended}",
        count(prompt_tokens, "token"),
        generation.prefill_seconds,
        tokens as f64 / generation.decode_seconds.max(1e-9),
    ));
}
