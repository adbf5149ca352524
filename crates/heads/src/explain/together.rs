//! From one head's output back to N×d.

use lookback_model::spec::LayerSpec;
use ndarray::{Array2, s};

use super::build::{check_matrix, product, shapes, step};
use super::compute::{Exact, side_by_side};
use super::explanation::{Dimensions, Step};
use super::inputs::Inputs;
use crate::text::percent;

/// The steps `concat`, `output`, `residual`.
pub(super) fn together(inputs: &Inputs<'_>, exact: &Exact) -> Vec<Step> {
    vec![
        concat_step(inputs, exact),
        output_step(inputs, exact),
        residual_step(inputs, exact),
    ]
}

fn concat_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let Dimensions { n, d_v, heads, .. } = inputs.dimensions();
    let head = inputs.head.head;
    let mut step = step(
        "concat",
        "The heads side by side",
        "concat(head_1, …, head_h)",
    );
    let all = heads * d_v;
    step.shapes = vec![shapes(
        "h times N×v → N×(h·v)",
        format!("{heads} times {n}×{d_v} → {n}×{all}"),
    )];
    step.says.push(format!(
        "Head {head} fills columns {} to {}; the other heads fill the rest.",
        head * d_v,
        (head + 1) * d_v - 1
    ));
    step.matrices = vec![inputs.by_token_and_head(
        "concat",
        "token × (head, head dimension)",
        exact.concat.view(),
        d_v,
    )];
    let model = side_by_side(&inputs.internals.z);
    step.checks = vec![check_matrix(
        "all heads' outputs",
        model.view(),
        exact.concat.view(),
    )];
    step
}

fn output_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let Dimensions {
        n, d, d_v, heads, ..
    } = inputs.dimensions();
    let w_o = inputs.internals.w_o.mapv(f64::from);
    let formula = match inputs.layer.attention.output_bias {
        true => "concat · W_o + b_o",
        false => "concat · W_o",
    };
    let mut step = step("output", "W_o: back to the model dimension", formula);
    step.shapes = vec![product("N×(h·v) · (h·v)×d = N×d", [n, heads * d_v, d])];
    step.says.push(format!(
        "At “{}” head {} alone makes a vector of {} of the length of what all heads make together.",
        inputs.token_names[inputs.token()],
        inputs.head.head,
        percent(share_of_output(inputs, exact, &w_o))
    ));
    step.departs = Some(
        "The notes write W_o before the heads' output; with one row a token it comes after it. The result is the same."
            .to_owned(),
    );
    step.matrices = vec![
        inputs.by_token_and_head(
            "concat",
            "token × (head, head dimension)",
            exact.concat.view(),
            d_v,
        ),
        inputs.corner(
            "W_o",
            "(head, head dimension) × model dimension",
            w_o.view(),
        ),
        inputs.by_token("output", "token × model dimension", exact.output.view()),
    ];
    let model = inputs.internals.attn_out.view();
    step.checks = vec![check_matrix(
        "what the layer adds",
        model,
        exact.output.view(),
    )];
    step
}

/// ‖z_i^h·W_o^h‖ / ‖concat_i·W_o‖ at the followed token.
fn share_of_output(inputs: &Inputs<'_>, exact: &Exact, w_o: &Array2<f64>) -> f64 {
    let (i, head, d_v) = (inputs.token(), inputs.head.head, inputs.dimensions().d_v);
    let own = s![head * d_v..(head + 1) * d_v, ..];
    let alone = exact.weighing.z.row(i).dot(&w_o.slice(own));
    let all = exact.output.row(i);
    (alone.dot(&alone) / all.dot(&all).max(f64::MIN_POSITIVE)).sqrt()
}

fn residual_step(inputs: &Inputs<'_>, exact: &Exact) -> Step {
    let Dimensions { n, d, layers, .. } = inputs.dimensions();
    let scale = inputs.layer.residual_scale;
    let sum = &exact.x + &(&exact.output * f64::from(scale));
    let times = match scale == 1.0 {
        true => String::new(),
        false => format!("{scale} · "),
    };
    let formula = format!("X + {times}concat · W_o");
    let mut step = step("residual", "N×d again", &formula);
    step.shapes = vec![shapes(
        "N×d + N×d = N×d",
        format!("{n}×{d} + {n}×{d} = {n}×{d}"),
    )];
    let layer = inputs.internals.layer;
    let next = match layer + 1 {
        next if next < layers => format!("layer {next} reads the sum of all this"),
        _ if inputs.has_output_head => "after this last layer the logits are made".to_owned(),
        _ => "this is the last layer, and what it gives is the model's output".to_owned(),
    };
    step.says.push(format!(
        "Input and output have the same shape, which is why layers can be stacked: {layers} of them here."
    ));
    step.departs = Some(format!(
        "In the notes the heads' output is the layer's output. {}; {next}.",
        residual_stream(&inputs.layer)
    ));
    let symbol = format!("X + {times}output");
    step.matrices = vec![inputs.by_token(&symbol, "token × model dimension", sum.view())];
    step
}

/// What this model does with the heads' output.
fn residual_stream(layer: &LayerSpec) -> String {
    let norms = &layer.attention_norms;
    let mut says = match (norms.output, norms.sum) {
        (Some(norm), _) => format!(
            "This model brings it to one length ({}) and adds that to X, not the output itself",
            norm.kind.name()
        ),
        (None, Some(norm)) => format!(
            "This model adds it to X and brings the sum to one length ({})",
            norm.kind.name()
        ),
        (None, None) => "This model adds it to X".to_owned(),
    };
    if layer.residual_scale != 1.0 {
        says.push_str(&format!(", times {}", layer.residual_scale));
    }
    says.push_str(match (&layer.feed_forward, layer.parallel) {
        (Some(_), true) => ", with what a feed-forward network makes of each row of X alone",
        (Some(_), false) => ", then adds what a feed-forward network makes of each row alone",
        (None, _) => "",
    });
    says
}
