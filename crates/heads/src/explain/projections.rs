//! From the layer's input to queries, keys and values.

use lookback_model::spec::{NormKind, QkNorm, Rope};
use ndarray::{Array2, ArrayView2, Axis};

use super::build::{check, check_matrix, product, shapes, step};
use super::compute::Exact;
use super::explanation::{Dimensions, Step};
use super::inputs::Inputs;

/// The steps `input`, `norm`, `query`, `key`, `value`, `rope`; those that the model does not take are left out.
pub(super) fn projections(inputs: &Inputs<'_>, exact: &Exact) -> Vec<Step> {
    let mut steps = vec![input_step(inputs, exact)];
    let norm = inputs.layer.attention_norms.before;
    steps.extend(norm.map(|norm| norm_step(inputs, exact, norm.kind)));
    steps.push(query_step(inputs, exact));
    steps.push(key_step(inputs, exact));
    steps.push(value_step(inputs, exact));
    let rope = inputs.layer.attention.rope.as_ref();
    steps.extend(rope.map(|rope| rope_step(inputs, exact, rope)));
    steps
}

fn input_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let Dimensions { n, d, .. } = inputs.dimensions();
    let layer = inputs.internals.layer;
    let formula = match layer {
        0 => "X = the embeddings".to_owned(),
        1 => "X = the embeddings + what layer 0 has added".to_owned(),
        _ => format!(
            "X = the embeddings + what layers 0 to {} have added",
            layer - 1
        ),
    };
    let mut step = step("input", &format!("What enters layer {layer}"), &formula);
    step.shapes = vec![shapes("N×d", format!("{n}×{d}"))];
    step.matrices = vec![inputs.by_token("X", "token × model dimension", exact.x.view())];
    step.departs = (layer > 0).then(|| {
        format!(
            "The notes start from embeddings. Layer {layer} reads what layers 0 to {} have added to them (the residual \
             stream), so X already holds something of the words before.",
            layer - 1
        )
    });
    step.says.push(match layer {
        0 => "Layer 0 reads the embeddings themselves.".to_owned(),
        _ => format!("One row of {d} numbers for each token, {n} in all, as in the notes."),
    });
    step
}

fn norm_step(inputs: &Inputs<'_>, exact: &Exact, kind: NormKind) -> Step {
    let Dimensions { n, d, .. } = inputs.dimensions();
    let (formula, how) = match (kind.centres(), kind.has_bias()) {
        (false, _) => (
            "X̂ = X / √(mean(X²) + ε) ⊙ g, row by row",
            "brings every row to the same length (RMSNorm, with a learned gain g)",
        ),
        (true, false) => (
            "X̂ = (X − mean(X)) / √(var(X) + ε) ⊙ g, row by row",
            "subtracts every row's mean and brings it to the same length (LayerNorm, with a learned gain g)",
        ),
        (true, true) => (
            "X̂ = (X − mean(X)) / √(var(X) + ε) ⊙ g + b, row by row",
            "subtracts every row's mean and brings it to the same length (LayerNorm, with a learned gain g and bias b)",
        ),
    };
    let mut step = step("norm", "Norm before the head", formula);
    step.shapes = vec![shapes("N×d", format!("{n}×{d}"))];
    step.departs = Some(format!(
        "The notes multiply X itself. This model first {how}, so that no token is loud merely by the size of its numbers."
    ));
    let length = |m: &Array2<f64>| m.row(inputs.token()).mapv(|v| v * v).sum().sqrt();
    step.says.push(format!(
        "The length of the row of “{}” goes from {:.2} to {:.2}.",
        inputs.token_names[inputs.token()],
        length(&exact.x),
        length(&exact.x_norm)
    ));
    step.matrices = vec![inputs.by_token("X̂", "token × model dimension", exact.x_norm.view())];
    step.checks = vec![check_matrix(
        "X̂",
        inputs.internals.x_norm.view(),
        exact.x_norm.view(),
    )];
    step
}

/// What is alike in the three projections.
struct Projection<'a> {
    id: &'static str,
    name: &'a str,
    symbol: &'a str,
    /// Which of the three: q, k or v.
    letter: char,
    letters: &'a str,
    weight: &'a str,
    /// \[d, size\]
    w: Array2<f64>,
    /// \[N, size\], in f64
    exact: ArrayView2<'a, f64>,
    /// \[N, size\], as the model has it
    model: ArrayView2<'a, f32>,
}

fn project(inputs: &Inputs<'_>, exact: &Exact, p: &Projection<'_>) -> Step {
    let (n, size) = p.exact.dim();
    let (x, letter) = (inputs.x_symbol(), p.letter);
    let bias = match inputs.layer.attention.qkv_bias {
        true => format!(" + b_{letter}"),
        false => String::new(),
    };
    let mut formula = format!("{} = matrix mul({x}, W_{letter}){bias}", p.name);
    let norm = inputs.layer.attention.qk_norm.filter(|_| letter != 'v');
    if let Some(norm) = norm {
        formula = format!(
            "{} = {}(matrix mul({x}, W_{letter}){bias})",
            p.name,
            norm.norm().kind.name()
        );
    }
    let mut step = step(p.id, p.name, &formula);
    if let Some(norm) = norm {
        step.departs = Some(qk_norm_departs(norm).to_owned());
    }
    step.shapes = vec![product(p.letters, [n, inputs.dimensions().d, size])];
    step.matrices = vec![
        inputs.by_token(x, "token × model dimension", exact.x_norm.view()),
        inputs.corner(p.weight, "model dimension × head dimension", p.w.view()),
        inputs.by_token(p.symbol, "token × head dimension", p.exact),
    ];
    step.checks = vec![check_matrix(p.symbol, p.model, p.exact)];
    step
}

fn query_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let (inside, dims) = (&inputs.internals, inputs.dimensions());
    let mut step = project(
        inputs,
        exact,
        &Projection {
            id: "query",
            name: "Query",
            symbol: "Q",
            letter: 'q',
            letters: "N×d · d×k = N×k",
            weight: "W_q",
            w: Inputs::head_columns(&inside.w_q, inputs.head.head, dims.d_k),
            exact: exact.q_plain.view(),
            model: inside.q_plain.index_axis(Axis(0), inputs.head.head),
        },
    );
    step.says.push(format!(
        "Head {} owns {} of W_q's {} columns. A row of Q says what its token looks for.",
        inputs.head.head,
        dims.d_k,
        inside.w_q.ncols()
    ));
    step
}

fn key_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let (inside, dims) = (&inputs.internals, inputs.dimensions());
    let mut step = project(
        inputs,
        exact,
        &Projection {
            id: "key",
            name: "Key",
            symbol: "K",
            letter: 'k',
            letters: "N×d · d×k = N×k",
            weight: "W_k",
            w: Inputs::head_columns(&inside.w_k, inputs.kv_head(), dims.d_k),
            exact: exact.k_plain.view(),
            model: inside.k_plain.index_axis(Axis(0), inputs.kv_head()),
        },
    );
    step.says
        .push("A row of K says what its token has to offer to those that look.".to_owned());
    if dims.heads != dims.kv_heads {
        let grouped = grouped(inputs);
        step.departs = Some(match step.departs {
            Some(norm) => format!("{grouped} {norm}"),
            None => grouped,
        });
    }
    step
}

/// How norms of queries and keys differ from the notes.
fn qk_norm_departs(norm: QkNorm) -> &'static str {
    match norm {
        QkNorm::PerHead(_) => {
            "The notes use the product as it is. This model brings each head's row to the same length, with a learned gain, \
             so that scores depend on directions alone."
        }
        QkNorm::AllHeads(_) => {
            "The notes use the product as it is. This model brings the rows of all heads together to the same length, with a \
             learned gain."
        }
    }
}

fn value_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let (inside, dims) = (&inputs.internals, inputs.dimensions());
    let mut step = project(
        inputs,
        exact,
        &Projection {
            id: "value",
            name: "Value",
            symbol: "V",
            letter: 'v',
            letters: "N×d · d×v = N×v",
            weight: "W_v",
            w: Inputs::head_columns(&inside.w_v, inputs.kv_head(), dims.d_v),
            exact: exact.v.view(),
            model: inside.v.index_axis(Axis(0), inputs.kv_head()),
        },
    );
    step.says
        .push("A row of V is what its token passes on to those that look at it.".to_owned());
    step
}

/// How grouped-query attention differs from the notes.
fn grouped(inputs: &Inputs<'_>) -> String {
    let Dimensions {
        heads, kv_heads, ..
    } = inputs.dimensions();
    let (group, kv) = (heads / kv_heads, inputs.kv_head());
    format!(
        "The notes give every head its own W_k and W_v. Here {heads} query heads share {kv_heads} key/value heads \
         (grouped-query attention): heads {} to {} all read key/value head {kv}.",
        kv * group,
        (kv + 1) * group - 1
    )
}

fn rope_step(inputs: &Inputs<'_>, exact: &Exact, rope: &Rope) -> Step {
    let inside = &inputs.internals;
    let Dimensions { n, d_k, .. } = inputs.dimensions();
    let (half, magnitude) = (rope.dims / 2, rope.magnitude());
    let formula = format!(
        "(q_c, q_c+{half}) at position i rotates by i·θ_c: (q_c cos − q_c+{half} sin, q_c+{half} cos + q_c sin)"
    );
    let mut step = step("rope", "Position: Q and K are rotated", &formula);
    step.shapes = vec![shapes("N×k → N×k", format!("{n}×{d_k} → {n}×{d_k}"))];
    step.departs = Some(
        "The notes say nothing of word order. This model rotates each pair of entries of Q and K by an angle that grows \
         with the position (RoPE), so that q_i·k_j depends on how far apart i and j are. V is left as it is."
            .to_owned(),
    );
    let frequencies = inputs.frequencies();
    step.says
        .push(match (frequencies.first(), frequencies.last()) {
            (Some(fast), Some(slow)) => format!(
                "The first pair rotates by {fast:.3} radians a token, the last by {slow:.2e}; {}.",
                match magnitude == 1.0 {
                    true => "lengths do not change".to_owned(),
                    false => format!("rotated entries are multiplied by {magnitude}"),
                }
            ),
            _ => "There is nothing to rotate.".to_owned(),
        });
    if rope.dims < d_k {
        step.says.push(format!(
            "Only the first {} of {d_k} entries rotate; the others do not depend on the position.",
            rope.dims
        ));
    }
    step.matrices = vec![
        inputs.by_token("Q", "queries after rotation", exact.q.view()),
        inputs.by_token("K", "keys after rotation", exact.k.view()),
    ];
    let (head, kv) = (inputs.head.head, inputs.kv_head());
    let lengths = exact.q.rows().into_iter().zip(exact.q_plain.rows());
    let lengths =
        lengths.map(|(after, before)| (after.dot(&after).sqrt(), before.dot(&before).sqrt()));
    step.checks = vec![
        check_matrix(
            "Q after rotation",
            inside.q.index_axis(Axis(0), head),
            exact.q.view(),
        ),
        check_matrix(
            "K after rotation",
            inside.k.index_axis(Axis(0), kv),
            exact.k.view(),
        ),
    ];
    if magnitude == 1.0 {
        step.checks
            .push(check("lengths of Q's rows, after and before", lengths));
    }
    step
}
