//! Direct logit attribution: how much each head's own output adds to the difference of two tokens' logits (Elhage et
//! al. 2021; Wang et al. 2022, "Interpretability in the Wild").
//!
//! The last position's residual stream is the embedding plus what every head and feed-forward part wrote, and the
//! logits are linear in it once the final norm's factor is held at its value: so each head's part is
//! (z_h·W_o^h ⊙ g / rms)·(u_a − u_b). The parts of all heads, of the embedding and of the feed-forward layers sum to the
//! difference itself. What a head does through later heads is not in its part.

use std::sync::Mutex;

use lookback_model::{Attended, Encoding, Hooks, Logits, Model, PrefillOptions, Prefix};
use lookback_trace::HeadId;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::Serialize;

use crate::Error;

/// What every head adds to logit(a) − logit(b) at the last token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogitParts {
    /// The two tokens.
    pub tokens: (u32, u32),
    /// logit(a) − logit(b).
    pub difference: f64,
    /// Every head's part, in order.
    pub heads: Vec<HeadPart>,
    /// What the last token's own embedding adds.
    pub embedding: f64,
    /// What is left: what the feed-forward parts add, and biases where there are any.
    pub rest: f64,
}

/// One head's part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeadPart {
    /// The head.
    #[serde(flatten)]
    pub head: HeadId,
    /// What it adds to the difference.
    pub part: f64,
}

/// Keeps the heads' outputs at the last token, and the residual stream before the final norm.
struct Last<'a> {
    hooks: &'a dyn Hooks,
    /// \[H, d_v\] a layer
    z: Mutex<Vec<Array2<f32>>>,
    /// \[d\]
    residual: Mutex<Option<Array1<f32>>>,
}

impl Hooks for Last<'_> {
    fn before_layer(&self, done: usize, layers: usize) -> std::ops::ControlFlow<()> {
        self.hooks.before_layer(done, layers)
    }

    fn interventions(&self) -> Option<&lookback_model::Interventions> {
        self.hooks.interventions()
    }

    fn attended(&self, layer: &Attended) {
        let last = layer.z.len_of(Axis(1)) - 1;
        let mut z = self
            .z
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        z.push(layer.z.slice(s![.., last, ..]).to_owned());
    }

    fn before_final_norm(&self, hidden: ArrayView2<f32>) {
        let mut residual = self
            .residual
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *residual = Some(hidden.row(0).to_owned());
    }
}

/// Takes logit(a) − logit(b) after the last token of a text apart.
///
/// # Errors
/// [`Error::SameToken`], and the model's: one without an output head has no logits, and where norms stand behind the
/// attention, or something other than a matrix behind the final norm, no part of a logit belongs to one head.
pub fn logit_parts(
    model: &Model,
    encoding: &Encoding,
    tokens: (u32, u32),
    hooks: &dyn Hooks,
) -> Result<LogitParts, Error> {
    if tokens.0 == tokens.1 {
        let token = model.tokenizer().decode(&[tokens.0], false);
        return Err(Error::SameToken {
            words: (token.clone(), token.clone()),
            token,
        });
    }
    model.check_linear()?;
    let last = Last {
        hooks,
        z: Mutex::default(),
        residual: Mutex::default(),
    };
    let options = PrefillOptions {
        logits: Logits::Last,
        ..PrefillOptions::default()
    };
    let logits = model.prefill_with(&encoding.ids, &options, &last)?.logits;
    let z = last
        .z
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let residual = last
        .residual
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let residual =
        residual.ok_or_else(|| Error::Numeric("the run gave no last layer".to_owned()))?;
    let direction = model.logit_direction(tokens, residual.view())?;
    let mut heads = Vec::new();
    for (layer, z) in z.iter().enumerate() {
        // W_o·direction: what a number of z adds to the difference.
        let weights = model.attention_weights(layer)?;
        let factor = f64::from(model.spec().layers[layer].residual_scale);
        let adds = weights.w_o.mapv(f64::from).dot(&direction) * factor;
        let d_v = z.ncols();
        for (head, z) in z.outer_iter().enumerate() {
            let adds = adds.slice(s![head * d_v..(head + 1) * d_v]);
            let part = z.iter().zip(adds).map(|(&z, a)| f64::from(z) * a).sum();
            heads.push(HeadPart {
                head: HeadId { layer, head },
                part,
            });
        }
    }
    let token = encoding.ids.last().copied().unwrap_or(0);
    let embedding = model.embeddings(&[token])?.row(0).mapv(f64::from);
    let embedding = embedding.dot(&direction);
    let logit = |token: u32| f64::from(logits[[0, token as usize]]);
    let difference = logit(tokens.0) - logit(tokens.1);
    Ok(LogitParts {
        tokens,
        difference,
        embedding,
        rest: difference - embedding - heads.iter().map(|h| h.part).sum::<f64>(),
        heads,
    })
}

/// The tokens that two words begin with where they continue `text`: see [`next_token`].
///
/// # Errors
/// [`Error::SameToken`] where they begin with one token, and those of [`next_token`].
pub fn next_tokens(model: &Model, text: &str, words: (&str, &str)) -> Result<(u32, u32), Error> {
    let first = next_token(model, text, words.0)?;
    let second = next_token(model, text, words.1)?;
    if first == second {
        return Err(Error::SameToken {
            words: (words.0.trim().to_owned(), words.1.trim().to_owned()),
            token: model.tokenizer().decode(&[first], false).trim().to_owned(),
        });
    }
    Ok((first, second))
}

/// The token that a word begins with where it continues `text`: behind a space, unless the text ends with white
/// space, or is empty.
///
/// # Errors
/// [`Error::NoToken`] where the word has none, and the tokenizer's.
pub fn next_token(model: &Model, text: &str, word: &str) -> Result<u32, Error> {
    let word = word.trim_start();
    let space = match text.chars().next_back() {
        Some(c) if !c.is_whitespace() => " ",
        _ => "",
    };
    let ids = model
        .tokenizer()
        .encode(&format!("{space}{word}"), &Prefix::None)?
        .ids;
    match word.is_empty() {
        true => Err(Error::NoToken),
        false => ids.first().copied().ok_or(Error::NoToken),
    }
}
