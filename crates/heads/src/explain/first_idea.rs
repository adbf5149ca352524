//! The first two steps: the frozen embeddings, and attention by their similarity alone.

use lookback_attention::{Mask, Scoring, reference};
use lookback_model::spec::EmbeddingSpec;
use ndarray::{Array1, Array2, ArrayView1};

use super::build::{check_matrix, column, product, shapes, step};
use super::explanation::Step;
use super::fused::Fused;
use super::inputs::Inputs;
use crate::Error;
use crate::similarity::SimilarityWeights;
use crate::text::{count, first_of, percent};

/// The steps, and what they come to.
pub(super) struct FirstIdea {
    pub(super) steps: [Step; 2],
    /// The weights by similarity: \[N, N\].
    pub(super) weights: Array2<f64>,
    /// The followed token's row with the scores divided by √d: \[N\].
    pub(super) scaled: Array1<f64>,
}

pub(super) fn first_idea(inputs: &Inputs<'_>) -> Result<FirstIdea, Error> {
    let x = inputs.embeddings.mapv(f64::from);
    let scores = reference::scores(x.view(), x.view())?;
    let before = Mask::StrictlyBefore { offset: 0 };
    let attended = reference::similarity_only(x.view(), &before)?;
    let weights = attended.weights;

    let i = inputs.token();
    let row = SimilarityWeights::new(x.view(), i..i + 1)?;
    let scaled = row.scaled.row(0).to_owned();
    let mut similarity = similarity_step(inputs, &scores, &weights, &scaled)?;
    let e = inputs.embeddings.view();
    let scoring = Scoring::default().with_scale(1.0).with_mask(before);
    let fused = Fused::run(e, e, e, &scoring)?;
    similarity.checks = vec![
        check_matrix("weights", fused.weights.view(), weights.view()),
        check_matrix("weighted sums", fused.output.view(), attended.output.view()),
    ];
    let symbol = "softmax(X·Xᵀ)";
    similarity.matrices = vec![
        inputs.by_token_pair(
            "X·Xᵀ",
            "similarity of token (row) and token (column)",
            scores.view(),
        ),
        inputs.by_token_pair(symbol, "weights over the tokens before", weights.view()),
        inputs.by_token(
            "softmax(X·Xᵀ)·X",
            "weighted sum of embeddings",
            attended.output.view(),
        ),
    ];
    Ok(FirstIdea {
        steps: [embeddings_step(inputs, &x), similarity],
        weights,
        scaled,
    })
}

fn embeddings_step(inputs: &Inputs<'_>, x: &Array2<f64>) -> Step {
    let (n, d) = x.dim();
    let mut step = step(
        "embeddings",
        "The embeddings",
        "X = one row of the embedding table a token",
    );
    step.shapes = vec![shapes("N×d", format!("{n}×{d}"))];
    step.says.push(format!(
        "{}, {} in the prefix; each is a row of {d} numbers. The table itself stays frozen.",
        count(n, "token"),
        inputs.prefix_tokens
    ));
    step.matrices = vec![inputs.by_token("X", "token × embedding dimension", x.view())];
    let added = added_to_embeddings(&inputs.embedding);
    if let Some(added) = &added {
        step.says.push(format!("Layer 0 reads them with {added}."));
    } else if inputs.internals.layer == 0 {
        let read = inputs.internals.x.view();
        step.checks = vec![check_matrix("what layer 0 reads", read, x.view())];
    }
    step
}

/// What this model does to the table's rows before its first layer, where it does something.
fn added_to_embeddings(spec: &EmbeddingSpec) -> Option<String> {
    let mut added = Vec::new();
    if spec.positions.is_some() {
        added.push("a learned row for each position");
    }
    if spec.segments.is_some() {
        added.push("one for the segment");
    }
    if spec.norm.is_some() {
        added.push("a norm of the sum");
    }
    (!added.is_empty()).then(|| added.join(", "))
}

fn similarity_step(
    inputs: &Inputs<'_>,
    scores: &Array2<f64>,
    weights: &Array2<f64>,
    scaled: &Array1<f64>,
) -> Result<Step, Error> {
    let (n, d) = inputs.embeddings.dim();
    let (i, name) = (inputs.token(), &inputs.token_names[inputs.token()]);
    let mut step = step(
        "similarity",
        "The first idea: similarity alone",
        "attention_i = Σ_{j<i} W_ij · x_j,  W_ij = softmax(x_i · x_j)",
    );
    step.shapes = vec![
        product("N×d · d×N = N×N", [n, d, n]),
        product("N×N · N×d = N×d", [n, n, d]),
    ];
    step.row = vec![
        column("dot", "x_i·x_j", scores.row(i).iter().copied()),
        column("weight", "weight", weights.row(i).iter().copied()),
    ];
    step.says = vec![nearest(inputs, weights)];
    step.says.extend(candidates(inputs, weights, scaled));
    let with_self =
        reference::similarity_only(inputs.embeddings.mapv(f64::from).view(), &Mask::default())?;
    step.says.push(format!(
        "If a token could see itself as well, “{name}” would give itself {}.",
        percent(with_self.weights[[i, i]])
    ));
    step.departs = Some(
        "No model does this; it is where the notes start. Queries, keys and values follow because similarity in the \
         table is the same in every sentence."
            .to_owned(),
    );
    Ok(step)
}

/// Which tokens are nearest to the followed one.
fn nearest(inputs: &Inputs<'_>, weights: &Array2<f64>) -> String {
    let i = inputs.token();
    let name = &inputs.token_names[i];
    if i == 0 {
        return format!(
            "“{name}” is the first token: nothing comes before it, and its row is empty."
        );
    }
    let mut order: Vec<usize> = (0..i).collect();
    order.sort_by(|&a, &b| weights[[i, b]].total_cmp(&weights[[i, a]]));
    let listed: Vec<String> = order
        .iter()
        .take(3)
        .map(|&j| format!("“{}” ({})", inputs.token_names[j], percent(weights[[i, j]])))
        .collect();
    format!(
        "Nearest to “{name}” among the tokens before it: {}.",
        listed.join(", ")
    )
}

/// What the candidates get.
fn candidates(inputs: &Inputs<'_>, weights: &Array2<f64>, scaled: &Array1<f64>) -> Option<String> {
    let listed = |row: ArrayView1<f64>| {
        let given = inputs.candidates.iter().map(|c| {
            let sum: f64 = inputs.candidate_tokens(c).iter().map(|&t| row[t]).sum();
            format!("{} {}", c.text, percent(sum))
        });
        first_of(&given.collect::<Vec<_>>(), "candidates")
    };
    Some(format!(
        "Of the candidates: {}. With the scores divided by √d, as attention divides them by √k: {}. The table holds one row \
         a word, whatever the sentence says of it, so this cannot show which name “{}” refers to.",
        listed(weights.row(inputs.token()))?,
        listed(scaled.view())?,
        inputs.token_names[inputs.token()]
    ))
}
