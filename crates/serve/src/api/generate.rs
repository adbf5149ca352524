//! Continues a text, token by token.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use lookback_model::Interventions;
use lookback_model::generate::{End, GenerateOptions, Sampling};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::request;
use super::stream::{Lines, lines};
use crate::NamedModel;
use crate::app::App;
use crate::failure::Failure;
use crate::queue::Cancel;
use crate::trace_job::Ready;

/// Tokens of one answer at most.
const MOST_TOKENS: usize = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The trace whose text is continued.
    trace: String,
    #[serde(default = "default_tokens")]
    max_tokens: usize,
    #[serde(default)]
    temperature: f32,
    #[serde(default = "one")]
    top_p: f32,
    #[serde(default)]
    seed: u64,
}

fn default_tokens() -> usize {
    32
}

fn one() -> f32 {
    1.0
}

/// One line of the answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Token {
        token: u32,
        text: String,
    },
    End {
        end: End,
        text: String,
        tokens: usize,
        seconds: f64,
    },
    Error {
        error: String,
    },
}

pub(super) async fn generate(
    State(app): State<Arc<App>>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, ApiError> {
    let asked = request::sent(body)?;
    if asked.max_tokens == 0 || asked.max_tokens > MOST_TOKENS {
        return Err(ApiError::invalid(format!(
            "max_tokens is {}; give 1 to {MOST_TOKENS}",
            asked.max_tokens
        )));
    }
    let model = app.traces.model.clone().ok_or(Failure::NeedsModel)?;
    let job = app.traces.find(&asked.trace)?;
    let ready = job.get()?;
    // What was changed while the text was read is changed while it is continued.
    let interventions = job.interventions.on(&model.model, &ready.encoding())?;
    let sampling = Sampling {
        temperature: asked.temperature,
        top_p: asked.top_p,
        seed: asked.seed,
    };
    // What cannot be sampled is said before the answer begins.
    lookback_model::generate::Sampler::new(sampling)?;
    let options = GenerateOptions {
        max_tokens: asked.max_tokens,
        sampling,
        stop_tokens: model.model.checkpoint().stop_tokens().to_vec(),
    };
    let (lines, answer) = lines();
    app.queue
        .stream(move |cancel| write_on(&model, (&ready, &interventions), &options, &lines, cancel))
        .await?;
    Ok(answer)
}

fn write_on(
    model: &NamedModel,
    (ready, interventions): (&Ready, &Interventions),
    options: &GenerateOptions,
    lines: &Lines,
    cancel: &AtomicBool,
) {
    let model = &model.model;
    let prompt = &ready.trace.meta().tokens;
    let mut decoder = model.tokenizer().stream(true);
    let mut whole = ready.trace.meta().text.clone();
    let mut on_token = |token| {
        let text = decoder.push(token);
        whole.push_str(&text);
        let gone = lines.send(&Line::Token { token, text }).is_err();
        if gone || cancel.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let line = match model.generate(
        prompt,
        options,
        &interventions.and(&Cancel(cancel)),
        &mut on_token,
    ) {
        Ok(done) => {
            whole.push_str(&decoder.finish());
            let seconds = done.prefill_seconds + done.decode_seconds;
            Line::End {
                end: done.end,
                text: whole,
                tokens: done.tokens.len(),
                seconds,
            }
        }
        Err(error) => Line::Error {
            error: error.to_string(),
        },
    };
    // A client that is gone needs no last line.
    let _ = lines.send(&line);
}
