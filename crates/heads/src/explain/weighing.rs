//! From queries and keys to the head's output.

use lookback_attention::{Mask, Scoring, weights};
use ndarray::{ArrayView2, Axis};

use super::build::{check, check_matrix, column, product, shapes, step};
use super::compute::{Exact, value_lengths};
use super::explanation::{Check, Dimensions, Outcome, Step};
use super::fused::Fused;
use super::inputs::Inputs;
use crate::Error;
use crate::text::{first_of, percent};

/// The steps `scores`, `scale`, `mask`, `softmax`, `weighted_sum`.
pub(super) fn weighing(
    inputs: &Inputs<'_>,
    exact: &Exact,
    outcome: &Outcome,
) -> Result<Vec<Step>, Error> {
    let scoring = &inputs.internals.scoring;
    let mut steps = vec![scores_step(inputs, exact)?, scale_step(inputs, exact)?];
    steps.extend(
        scoring
            .soft_cap
            .map(|cap| soft_cap_step(inputs, exact, cap)),
    );
    steps.extend(slope(scoring, inputs.head.head).map(|slope| distance_step(inputs, exact, slope)));
    steps.push(mask_step(inputs, exact));
    steps.push(softmax_step(inputs, exact, outcome)?);
    steps.push(weighted_sum_step(inputs, exact));
    Ok(steps)
}

/// The head's penalty of the distance, where it has one.
fn slope(scoring: &Scoring<'_>, head: usize) -> Option<f32> {
    scoring.alibi.as_ref()?.get(head).copied()
}

fn soft_cap_step(inputs: &Inputs<'_>, exact: &Exact, cap: f32) -> Step {
    let (weighing, i) = (&exact.weighing, inputs.token());
    let n = inputs.dimensions().n;
    let formula = format!("Score = {cap} · tanh(Score / {cap})");
    let mut step = step("soft_cap", "Soft-cap: scores are bounded", &formula);
    step.shapes = vec![shapes("N×N", format!("{n}×{n}"))];
    let capped = weighing
        .scaled
        .mapv(|score| f64::from(cap) * (score / f64::from(cap)).tanh());
    step.matrices = vec![inputs.by_token_pair("Score", "query token × key token", capped.view())];
    step.row = vec![
        column("scaled", "÷√k", weighing.scaled.row(i).iter().copied()),
        column("capped", "capped", capped.row(i).iter().copied()),
    ];
    step.departs = Some(format!(
        "The notes use the scores as they are. This model keeps them between −{cap} and {cap}: small ones stay almost as they \
         are, large ones come closer together."
    ));
    step
}

fn distance_step(inputs: &Inputs<'_>, exact: &Exact, slope: f32) -> Step {
    let (weighing, i) = (&exact.weighing, inputs.token());
    let n = inputs.dimensions().n;
    let formula = format!("Score = Score − {slope} · |i − j|");
    let mut step = step("distance", "A penalty of the distance", &formula);
    step.shapes = vec![shapes("N×N", format!("{n}×{n}"))];
    step.matrices =
        vec![inputs.by_token_pair("Score", "query token × key token", weighing.changed.view())];
    step.row = vec![
        column("scaled", "÷√k", weighing.scaled.row(i).iter().copied()),
        column(
            "changed",
            "less distance",
            weighing.changed.row(i).iter().copied(),
        ),
    ];
    step.departs = Some(
        "The notes say nothing of word order. This model takes something off a score for each token of distance (ALiBi), \
         at a rate of the head's own."
            .to_owned(),
    );
    step
}

/// The head's queries and keys, as the model has them.
fn model_q_k<'a>(inputs: &'a Inputs<'_>) -> (ArrayView2<'a, f32>, ArrayView2<'a, f32>) {
    let inside = &inputs.internals;
    let q = inside.q.index_axis(Axis(0), inputs.head.head);
    (q, inside.k.index_axis(Axis(0), inputs.kv_head()))
}

/// Compares the kernel's scores at `scale`, divided by `per`, with the exact ones, where its weights are large enough to show them.
fn check_scores(
    inputs: &Inputs<'_>,
    exact: ArrayView2<f64>,
    scale: f32,
    per: f64,
) -> Result<Check, Error> {
    let (q, k) = model_q_k(inputs);
    let found = Fused::scores(q, k, scale)?;
    let pairs = found
        .iter()
        .zip(exact)
        .filter_map(|(found, &exact)| Some(((*found)? / per, exact)));
    Ok(check("scores, found as LSE + ln weight", pairs))
}

fn scores_step(inputs: &Inputs<'_>, exact: &Exact) -> Result<Step, Error> {
    let (raw, i) = (&exact.weighing.raw, inputs.token());
    let Dimensions { n, d_k, .. } = inputs.dimensions();
    let mut step = step(
        "scores",
        "Similarity of query and key",
        "Q_i · K_j, for all pairs: Q·Kᵀ",
    );
    step.shapes = vec![product("N×k · k×N = N×N", [n, d_k, n])];
    step.matrices = vec![inputs.by_token_pair("Q·Kᵀ", "query token × key token", raw.view())];
    step.row = vec![column("dot", "q·k", raw.row(i).iter().copied())];
    step.says.push(
        "One number for each pair of tokens. The fused kernel never stores these; it works through them tile by tile."
            .to_owned(),
    );
    // At the scale of the numbers themselves many weights would underflow; at this one none does.
    let largest = raw.iter().fold(1.0_f64, |m, s| m.max(s.abs()));
    let scale = largest.log2().ceil().exp2().recip();
    step.checks = vec![check_scores(inputs, raw.view(), scale as f32, scale)?];
    Ok(step)
}

fn scale_step(inputs: &Inputs<'_>, exact: &Exact) -> Result<Step, Error> {
    let (weighing, i) = (&exact.weighing, inputs.token());
    let Dimensions { n, d_k, .. } = inputs.dimensions();
    let scale = inputs.internals.scoring.scale_for(d_k)?;
    let mut step = step("scale", "Scaling", "Score(Q_i·K_j) = dot product / √k");
    step.shapes = vec![shapes(
        "N×N / √k",
        format!("{n}×{n} / √{d_k} = {n}×{n} · {scale}"),
    )];
    step.matrices =
        vec![inputs.by_token_pair("Score", "query token × key token", weighing.scaled.view())];
    step.row = vec![
        column("dot", "q·k", weighing.raw.row(i).iter().copied()),
        column("scaled", "÷√k", weighing.scaled.row(i).iter().copied()),
    ];
    let (before, after) = (
        spread(inputs, weighing.raw.view()),
        spread(inputs, weighing.scaled.view()),
    );
    step.says.push(format!(
        "In the row of “{}” the scores spread over {before:.1} before and {after:.1} after; the softmax makes a \
         difference of 1 a factor of 2.7.",
        inputs.token_names[i]
    ));
    let usual = 1.0 / (d_k as f32).sqrt();
    step.departs = ((scale - usual).abs() > f32::EPSILON)
        .then(|| format!("This model multiplies by {scale}, not by 1/√k = {usual}."));
    step.checks = vec![check_scores(inputs, weighing.scaled.view(), scale, 1.0)?];
    Ok(step)
}

/// Largest less smallest of the scores of the tokens that the followed one sees.
fn spread(inputs: &Inputs<'_>, scores: ArrayView2<f64>) -> f64 {
    let row = scores.row(inputs.token());
    let seen = || inputs.seen().map(|j| row[j]);
    seen().fold(f64::MIN, f64::max) - seen().fold(f64::MAX, f64::min)
}

fn mask_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let (weighing, i) = (&exact.weighing, inputs.token());
    let n = inputs.dimensions().n;
    let mask = &inputs.internals.scoring.mask;
    let (name, formula) = match mask {
        Mask::None => ("The mask: none", "every j is seen"),
        Mask::Window { .. } => (
            "The mask: only what was read, and near",
            "Score(Q_i·K_j) = −∞ unless i − window < j ≤ i",
        ),
        Mask::SymmetricWindow { .. } => (
            "The mask: only what is near, on both sides",
            "Score(Q_i·K_j) = −∞ unless |i − j| ≤ radius",
        ),
        Mask::Ranges { .. } => (
            "The mask: a range of keys for each query",
            "Score(Q_i·K_j) = −∞ unless start_i ≤ j < end_i",
        ),
        _ => (
            "The mask: only what was read",
            "Score(Q_i·K_j) = −∞ where j > i",
        ),
    };
    let mut step = step("mask", name, formula);
    step.shapes = vec![shapes("N×N", format!("{n}×{n}"))];
    step.matrices =
        vec![inputs.by_token_pair("Score", "query token × key token", weighing.masked.view())];
    step.row = vec![column(
        "masked",
        "masked",
        weighing.masked.row(i).iter().copied(),
    )];
    step.says.push(format!(
        "“{}” is token {i} of {n} (the first is 0) and sees {} of them, itself included.",
        inputs.token_names[i],
        inputs.seen().len()
    ));
    step.departs = Some(match mask {
        Mask::None => {
            "The notes sum over what comes before. This model's tokens see the whole text.".to_owned()
        }
        Mask::SymmetricWindow { .. } | Mask::Ranges { .. } => {
            "The notes sum over what comes before. This model's tokens see a range of the text, which may lie on both sides."
                .to_owned()
        }
        _ => "The notes first sum over j < i, and in the head over J = 1 to i. This model does the latter: a token sees \
              itself."
            .to_owned(),
    });
    let lse = inputs.internals.lse.row(inputs.head.head);
    let lse = lse
        .iter()
        .map(|&l| f64::from(l))
        .zip(weighing.lse.iter().copied());
    step.checks = vec![check(
        "LSE: log of the sum of exp(score) over what is seen",
        lse,
    )];
    step
}

fn softmax_step(inputs: &Inputs<'_>, exact: &Exact, outcome: &Outcome) -> Result<Step, Error> {
    let (weighing, i) = (&exact.weighing, inputs.token());
    let n = inputs.dimensions().n;
    let mut step = step(
        "softmax",
        "Softmax: the weights",
        "W_ij = exp(Score_ij) / Σ_j exp(Score_ij)",
    );
    let logit = inputs.internals.scoring.sink(inputs.head.head);
    let sums = match logit == f64::NEG_INFINITY {
        true => "each row sums to 1",
        false => "each row sums to less than 1",
    };
    step.shapes = vec![shapes("N×N", format!("{n}×{n}, {sums}"))];
    step.departs = (logit > f64::NEG_INFINITY).then(|| {
        format!(
            "The notes divide by the sum over the tokens. This head adds exp({logit:.3}), a learned sink that is no token: \
             what is missing from 1 goes there."
        )
    });
    step.matrices =
        vec![inputs.by_token_pair("W", "query token × key token", weighing.weights.view())];
    step.row = vec![
        column("scaled", "score", weighing.masked.row(i).iter().copied()),
        column("weight", "weight", weighing.weights.row(i).iter().copied()),
    ];
    step.says.push(format!(
        "The row of “{}” sums to {:.6}.",
        inputs.token_names[i],
        weighing.weights.row(i).sum()
    ));
    step.says.push(self_weight(inputs, outcome));
    step.says.extend(sink(inputs, outcome));
    step.says.extend(candidates(outcome));
    let scoring = &inputs.internals.scoring;
    let (q, k) = model_q_k(inputs);
    let lse = inputs.internals.lse.row(inputs.head.head);
    let fused = weights::weights(
        q,
        k,
        lse,
        &scoring.for_head(0, inputs.head.head),
        0..n,
        0..n,
    )?;
    let sums = fused
        .rows()
        .into_iter()
        .map(|row| row.iter().map(|&w| f64::from(w)).sum::<f64>());
    let exact_sums = weighing.weights.rows().into_iter().map(|row| row.sum());
    step.checks = vec![
        check_matrix(
            "weights, found as exp(score − LSE)",
            fused.view(),
            weighing.weights.view(),
        ),
        check("row sums", sums.zip(exact_sums)),
    ];
    Ok(step)
}

/// The notes: "Of course the attention to self token will be very high but it will not be 1 in most cases".
fn self_weight(inputs: &Inputs<'_>, outcome: &Outcome) -> String {
    let place = match outcome.self_rank {
        1 => "the most of all tokens of the text".to_owned(),
        rank => format!(
            "place {rank} of the {} tokens it sees in the text",
            seen_of_text(inputs)
        ),
    };
    let verdict = match (outcome.self_rank, outcome.self_weight < 1.0) {
        (1, true) => "it is",
        (_, true) => "it is below 1 here, and not high",
        (_, false) => "here it is 1",
    };
    format!(
        "“{}” gives itself {}, {place}; the notes expect the weight to itself to be high but below 1: {verdict}. Over \
         all tokens of the text this head's mean weight to itself is {}.",
        inputs.token_names[inputs.token()],
        percent(outcome.self_weight),
        percent(outcome.mean_self_weight)
    )
}

fn seen_of_text(inputs: &Inputs<'_>) -> usize {
    let seen = inputs.seen();
    seen.filter(|&j| j >= inputs.prefix_tokens).count()
}

fn sink(inputs: &Inputs<'_>, outcome: &Outcome) -> Option<String> {
    if inputs.prefix_tokens == 0 {
        return Some(
            "There is no prefix, so the first token acts as the sink: weight on it says little."
                .to_owned(),
        );
    }
    Some(format!(
        "{} goes to the prefix, which acts as the sink: heads put weight there that no word gets.",
        percent(outcome.sink_share)
    ))
}

fn candidates(outcome: &Outcome) -> Option<String> {
    let given: Vec<String> = outcome
        .candidates
        .iter()
        .map(|c| format!("{} {}", c.text, percent(c.weight)))
        .collect();
    Some(format!(
        "The candidates get: {}.",
        first_of(&given, "candidates")?
    ))
}

fn weighted_sum_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let (weighing, i, head) = (&exact.weighing, inputs.token(), inputs.head.head);
    let Dimensions { n, d_v, .. } = inputs.dimensions();
    let mut step = step(
        "weighted_sum",
        "The weighted sum",
        "Attention_i = Σ_{j=1}^{i} W_ij · V_j",
    );
    match inputs.internals.scoring.mask {
        Mask::None => step.formula = "Attention_i = Σ_j W_ij · V_j".to_owned(),
        Mask::SymmetricWindow { radius, .. } => {
            step.formula = format!("Attention_i = Σ_{{|i−j| ≤ {radius}}} W_ij · V_j");
        }
        _ => {}
    }
    step.shapes = vec![product("N×N · N×v = N×v", [n, n, d_v])];
    step.matrices = vec![
        inputs.by_token_pair("W", "query token × key token", weighing.weights.view()),
        inputs.by_token("V", "token × head dimension", exact.v.view()),
        inputs.by_token(
            "Attention",
            "token × head dimension: one head's output",
            weighing.z.view(),
        ),
    ];
    let lengths = value_lengths(exact.v.view(), &inputs.internals.w_o, head);
    let weights = weighing.weights.row(i);
    let contributions = weights.iter().zip(&lengths).map(|(w, l)| w * l);
    step.row = vec![
        column("weight", "weight", weights.iter().copied()),
        column("length", "‖v·W_o‖", lengths.iter().copied()),
        column("contribution", "product", contributions),
    ];
    step.says.push(
        "What a token adds is its weight times the length of what it passes on: a sink can take most of the weight and \
         add little, because its value is short."
            .to_owned(),
    );
    let z = inputs.internals.z.index_axis(Axis(0), head);
    step.checks = vec![check_matrix("the head's output", z, weighing.z.view())];
    step
}
