//! Self-attention explained with one head's real numbers, in the order of the notes that the project implements
//! (`docs/notes.md`): similarity of the frozen embeddings first, then query, key and value, the scaled scores, the mask, the softmax, the
//! weighted sum, the heads side by side, and W_o.
//!
//! Everything is computed twice: step by step in f64 from the layer's input on
//! ([`lookback_attention::reference`]), and as the model ran it (f32, [`lookback_attention::forward`] and
//! [`lookback_attention::weights`]). What is shown is the former; each step's [`Check`]s say how far the latter is
//! from it. Where the model departs from the notes (norm before the head, rotary positions, grouped heads, residual
//! stream), the step says so.

mod build;
mod compute;
mod explanation;
mod first_idea;
mod fused;
mod inputs;
mod projections;
mod together;
mod weighing;

use lookback_model::{Encoding, Hooks, Model};
use lookback_trace::{HeadId, PREFIX_NAME, Words};
use ndarray::{Array2, ArrayView1};

use compute::Exact;
pub use explanation::{
    CandidateWeight, Check, Column, Dimensions, Excerpt, Explanation, FollowedWord, Outcome,
    Shapes, Step,
};
use first_idea::FirstIdea;
use inputs::Inputs;

use crate::select::{label_of, tokens_of};
use crate::{Error, WordName, candidates, head, interest};

/// Name of the serialised form.
const FORMAT: &str = "lookback-explain/2";

/// The longest text that is explained. Each N×N matrix, which the fused kernel never builds, is built here in
/// f64: 32 MB at this length, about ten at a time.
pub const MAX_TOKENS: usize = 2048;

/// What is explained.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainOptions {
    /// The head.
    pub head: HeadId,
    /// The word whose row is followed; where none, the first pronoun, else the last word.
    pub word: Option<WordName>,
    /// Name of the model as a person would write it.
    pub model_name: String,
    /// How many rows and columns of a matrix are shown, at least 1.
    pub entries: usize,
}

/// Explains one head of `model` on a text, step by step.
///
/// # Errors
/// [`Error::NoSuchHead`], [`Error::TooLong`], those of [`interest`](crate::interest()), and the model's.
///
/// ```no_run
/// use lookback_heads::explain::{ExplainOptions, explain};
/// use lookback_heads::head;
/// use lookback_model::{LoadOptions, Model, Prefix};
///
/// let model = Model::load("model.gguf".as_ref(), &LoadOptions::default())?;
/// let encoding = model.tokenizer().encode("Jack saw Ann. Yet she left.", &Prefix::Declared)?;
/// let options = ExplainOptions {
///     head: head::parse("9.4")?,
///     word: Some("she".parse()?),
///     model_name: "my model".to_owned(),
///     entries: 6,
/// };
/// let explanation = explain(&model, &encoding, &options)?;
/// for step in &explanation.steps {
///     println!("{}: {}", step.name, step.formula);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn explain(
    model: &Model,
    encoding: &Encoding,
    options: &ExplainOptions,
) -> Result<Explanation, Error> {
    explain_with(model, encoding, options, &())
}

/// [`explain`] in a run under hooks. Interventions among them belong to the layers before the head's own, whose input
/// they change: the steps compute the head as the model defines it.
///
/// # Errors
/// As [`explain`].
pub fn explain_with(
    model: &Model,
    encoding: &Encoding,
    options: &ExplainOptions,
    hooks: &dyn Hooks,
) -> Result<Explanation, Error> {
    let spec = model.spec();
    head::check(options.head, spec.layers.len(), spec.heads)?;
    check_length(encoding)?;
    let words = Words::new(&encoding.text, &encoding.spans);
    let named: Vec<WordName> = options.word.iter().cloned().collect();
    // `interest` gives at least one word.
    let word = interest(&encoding.text, &words, &named)?.swap_remove(0);
    let internals = model.inspect_with(&encoding.ids, options.head.layer, hooks)?;
    let token = tokens_of(&words, &word).end.max(1) - 1;
    let seen = internals.scoring.mask.visible(token, encoding.ids.len());
    let sees = |w: &usize| {
        let tokens = tokens_of(&words, &(*w..*w + 1));
        !word.contains(w) && seen.contains(&tokens.start)
    };
    let inputs = Inputs {
        text: &encoding.text,
        words: &words,
        token_names: token_names(model, encoding),
        prefix_tokens: encoding.prefix_tokens,
        head: options.head,
        layers: spec.layers.len(),
        candidates: candidates(&words, (0..words.len()).filter(sees)),
        word,
        embeddings: model.embeddings(&encoding.ids)?,
        internals,
        has_output_head: spec.head.is_some(),
        embedding: spec.embedding.clone(),
        layer: spec.layers[options.head.layer].clone(),
        entries: options.entries.max(1),
    };
    all_steps(&inputs, &options.model_name)
}

/// Checks that a text is not too long to be explained.
///
/// # Errors
/// [`Error::TooLong`].
pub fn check_length(encoding: &Encoding) -> Result<(), Error> {
    let tokens = encoding.ids.len();
    if tokens > MAX_TOKENS {
        return Err(Error::TooLong {
            tokens,
            limit: MAX_TOKENS,
        });
    }
    Ok(())
}

/// All steps in order.
fn all_steps(inputs: &Inputs<'_>, model: &str) -> Result<Explanation, Error> {
    let first = first_idea::first_idea(inputs)?;
    let exact = Exact::new(inputs)?;
    let outcome = outcome(inputs, &exact.weighing.weights, &first);
    let mut steps = Vec::from(first.steps);
    steps.extend(projections::projections(inputs, &exact));
    steps.extend(weighing::weighing(inputs, &exact, &outcome)?);
    steps.extend(together::together(inputs, &exact));
    let excess = |check: &Check| check.largest_difference / check.allowed;
    let worst_check = steps
        .iter()
        .flat_map(|step| &step.checks)
        .max_by(|a, b| excess(a).total_cmp(&excess(b)))
        .cloned();
    Ok(Explanation {
        format: FORMAT,
        model: model.to_owned(),
        text: inputs.text.to_owned(),
        tokens: inputs.token_names.clone(),
        prefix_tokens: inputs.prefix_tokens,
        layer: inputs.head.layer,
        head: inputs.head.head,
        kv_head: inputs.kv_head(),
        dimensions: inputs.dimensions(),
        word: FollowedWord {
            label: label_of(inputs.text, inputs.words, &inputs.word),
            tokens: tokens_of(inputs.words, &inputs.word).collect(),
            token: inputs.token(),
        },
        steps,
        outcome,
        worst_check,
    })
}

fn outcome(inputs: &Inputs<'_>, weights: &Array2<f64>, first: &FirstIdea) -> Outcome {
    let i = inputs.token();
    let row = weights.row(i);
    let of_text = inputs.prefix_tokens..row.len();
    let above = of_text.clone().filter(|&j| row[j] > row[i]).count();
    let sum = |row: ArrayView1<f64>, tokens: &[usize]| tokens.iter().map(|&t| row[t]).sum();
    let candidate = |candidate: &crate::Candidate| {
        let tokens = inputs.candidate_tokens(candidate);
        CandidateWeight {
            text: candidate.text.clone(),
            weight: sum(row, &tokens),
            similarity_weight: sum(first.weights.row(i), &tokens),
            similarity_scaled_weight: sum(first.scaled.view(), &tokens),
            tokens,
        }
    };
    Outcome {
        self_weight: row[i],
        self_rank: above + 1,
        mean_self_weight: of_text.clone().map(|j| weights[[j, j]]).sum::<f64>()
            / of_text.len() as f64,
        sink_share: row.iter().take(inputs.prefix_tokens).sum(),
        candidates: inputs.candidates.iter().map(candidate).collect(),
    }
}

/// What each token is: its part of the text without the space before it, or the prefix token's own text.
fn token_names(model: &Model, encoding: &Encoding) -> Vec<String> {
    let name = |index: usize, id: u32, (start, end): (usize, usize)| {
        if index < encoding.prefix_tokens {
            return model
                .tokenizer()
                .token_text(id)
                .unwrap_or_else(|| PREFIX_NAME.to_owned());
        }
        let text = encoding.text.get(start..end).unwrap_or_default();
        match text.trim() {
            "" => text.to_owned(),
            trimmed => trimmed.to_owned(),
        }
    };
    let tokens = encoding.ids.iter().zip(&encoding.spans).enumerate();
    tokens
        .map(|(index, (&id, &span))| name(index, id, span))
        .collect()
}
