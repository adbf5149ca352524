//! Metadata that is missing, unknown, or says what cannot be.

use serde_json::{Value, json};

use super::{reason, says, with_header, with_json, with_metadata};

#[test]
fn metadata_that_is_missing_or_unknown() {
    let keys = [
        "format",
        "model",
        "library",
        "text",
        "tokens",
        "spans",
        "prefix_tokens",
        "layers",
        "edits",
        "qk_dtype",
    ];
    for key in keys {
        let why = with_metadata(|m| drop(m.as_object_mut().unwrap().remove(key)));
        says(&why, &[&format!("its metadata has no `{key}`")]);
    }
    says(
        &reason(&with_header(|h| {
            drop(h.as_object_mut().unwrap().remove("__metadata__"))
        })),
        &["no `format`"],
    );
    says(
        &with_metadata(|m| m["format"] = "lookback-trace/3".into()),
        &["lookback-trace/3", "lookback-trace/1", "lookback-trace/2"],
    );
    says(&with_metadata(|m| m["format"] = "pt".into()), &["\"pt\""]);
    says(
        &with_metadata(|m| m["colour"] = "blue".into()),
        &["its metadata has \"colour\"", "does not know"],
    );
    says(
        &with_metadata(|m| m["model"] = 7.into()),
        &["header is damaged"],
    );
    says(
        &with_metadata(|m| m["model_sha256"] = "abc".into()),
        &["`model_sha256`"],
    );
    says(
        &with_metadata(|m| m["model_sha256"] = "A".repeat(64).into()),
        &["`model_sha256`"],
    );
    for change in ["-0.1", "1.5", "NaN", "1e99", "\"0\""] {
        let why = with_metadata(|m| m["qk_rounding_max_weight_change"] = change.into());
        says(&why, &["qk_rounding_max_weight_change"]);
    }
}

#[test]
fn metadata_beyond_measure() {
    let why = with_metadata(|m| m["no such key\u{1b}[31m".repeat(100_000)] = "x".into());
    assert!(
        why.len() < 3_000 && !why.contains('\u{1b}'),
        "{} bytes",
        why.len()
    );
    let deep = "[".repeat(200_000);
    for key in ["tokens", "layers", "edits"] {
        says(&with_metadata(|m| m[key] = deep.clone().into()), &[key]);
    }
    let nested = format!("{{\"layers.0.q\":{deep}");
    let file = [&(nested.len() as u64).to_le_bytes()[..], nested.as_bytes()].concat();
    says(&reason(&file), &["header is damaged"]);
    let many = json!(vec![json!({"scale": 1, "mask": {"kind": "none"}}); 100_000]);
    says(
        &with_json("layers", &many),
        &["it has no tensor `layers.2.q`"],
    );
    says(
        &with_json("tokens", &json!(vec![0; 1_000_000])),
        &["1000000 `tokens` and 6 `spans`"],
    );
}

#[test]
fn tokens_and_spans() {
    says(&with_json("tokens", &json!([])), &["no tokens"]);
    says(
        &with_json("tokens", &json!([1, 2, 3, 4, 5])),
        &["5 `tokens` and 6 `spans`"],
    );
    says(
        &with_json("tokens", &json!([1, 2, 3, 4, 5, -1])),
        &["`tokens`", "-1"],
    );
    says(
        &with_json("tokens", &json!([1, 2, 3, 4, 5, 1_u64 << 32])),
        &["`tokens`", "4294967296"],
    );
    says(
        &with_json("prefix_tokens", &json!(7)),
        &["`prefix_tokens` is 7 of 6"],
    );
    says(
        &with_json("prefix_tokens", &json!(-1)),
        &["`prefix_tokens`"],
    );
    says(
        &with_json("prefix_tokens", &json!(2)),
        &["token 1 is not empty, though the token belongs to the prefix"],
    );

    let spans = |token: usize, span: [u64; 2]| {
        let mut spans = json!([[0, 0], [0, 1], [1, 5], [5, 7], [7, 8], [8, 9]]);
        spans[token] = json!(span);
        with_json("spans", &spans)
    };
    says(
        &spans(5, [8, 10]),
        &["8..10 of token 5 does not lie in the text of 9 bytes"],
    );
    says(
        &spans(5, [u64::MAX, u64::MAX]),
        &["does not lie in the text"],
    );
    says(
        &spans(3, [7, 5]),
        &["7..5 of token 3 does not lie in the text"],
    );
    says(
        &spans(3, [0, 7]),
        &["0..7 of token 3 is out of order: 1..5 comes before it"],
    );
    says(
        &spans(4, [5, 6]),
        &["5..6 of token 4 is out of order: 5..7 comes before it"],
    );
    let why = with_metadata(|m| {
        m["text"] = "I dön't.\n".into();
        m["spans"] = "[[0,0],[0,1],[1,4],[5,7],[7,8],[8,10]]".into();
    });
    says(&why, &["1..4 of token 2 cuts a character"]);
    // Token and span counts that agree with each other, and not with the tensors.
    let why = with_metadata(|m| {
        m["tokens"] = "[1,2]".into();
        m["spans"] = "[[0,0],[0,1]]".into();
    });
    says(
        &why,
        &["layers.0.q is [heads 4, tokens 6, 3] where [heads 4, tokens 2, 3] is needed"],
    );
}

#[test]
fn layers_and_masks() {
    let layer = |layer: Value| {
        with_json(
            "layers",
            &json!([layer, {"scale": 1, "mask": {"kind": "none"}}]),
        )
    };
    says(
        &with_json("layers", &json!([])),
        &["it has a tensor \"layers."],
    );
    says(
        &layer(json!({"mask": {"kind": "none"}})),
        &["`layers`", "scale"],
    );
    says(&layer(json!({"scale": 1})), &["`layers`", "mask"]);
    says(
        &layer(json!({"scale": 1, "mask": {"kind": "alternating"}})),
        &["`layers`", "alternating"],
    );
    says(
        &layer(json!({"scale": 1, "mask": {"kind": "none", "shape": 1}})),
        &["`layers`", "shape"],
    );
    says(
        &layer(json!({"scale": 1, "mask": {"kind": "causal", "window": 1}})),
        &["`layers`", "no window"],
    );
    says(
        &layer(json!({"scale": 1, "mask": {"kind": "none"}, "bias": 1})),
        &["`layers`", "bias"],
    );
    says(
        &layer(json!({"scale": 1e39, "mask": {"kind": "none"}})),
        &["scale of layer 0 is inf"],
    );
    says(
        &layer(json!({"scale": null, "mask": {"kind": "none"}})),
        &["`layers`"],
    );
    says(
        &layer(json!({"scale": 1, "mask": {"kind": "window", "window": 0}})),
        &["window of 0 keys"],
    );
    says(
        &layer(json!({"scale": 1, "mask": {"kind": "causal", "offset": 7}})),
        &["offset 7"],
    );
    says(
        &layer(json!({"scale": 1, "mask": {"kind": "causal", "offset": i64::MIN}})),
        &["offset -9223372036854775808"],
    );
    let extra =
        |key: &str, value: Value| layer(json!({"scale": 1, "mask": {"kind": "none"}, key: value}));
    says(&extra("soft_cap", json!(0)), &["soft_cap of layer 0"]);
    says(&extra("soft_cap", json!(1e300)), &["soft_cap of layer 0"]);
    says(
        &extra("sinks", json!([1, 2, 3])),
        &["layer 0 has 3 sinks for 4 heads"],
    );
    says(
        &extra("alibi", json!([])),
        &["layer 0 has 0 alibi for 4 heads"],
    );
    says(
        &extra("sinks", json!([1, 2, 3, 1e200])),
        &["sinks of layer 0 are not all finite"],
    );
}

#[test]
fn edits_of_what_does_not_exist() {
    let cut = |layer, head, i, j| json!({"cut": [{"layer": layer, "head": head, "i": i, "j": j}]});
    says(
        &with_json("edits", &cut(2, 0, 0, 0)),
        &["a cut edge in head 2.0"],
    );
    says(
        &with_json("edits", &cut(0, 4, 0, 0)),
        &["a cut edge in head 0.4"],
    );
    says(
        &with_json("edits", &cut(0, 0, 6, 0)),
        &["the edge 6 to 0 of 6 tokens"],
    );
    says(
        &with_json("edits", &cut(0, 0, 0, u64::MAX)),
        &["the edge 0 to 18446744073709551615"],
    );
    says(
        &with_json("edits", &json!({"ablated": [{"layer": 0, "head": 9}]})),
        &["an ablation in head 0.9"],
    );
    says(
        &with_json(
            "edits",
            &json!({"scaled": [{"layer": 3, "head": 0, "factor": 1}]}),
        ),
        &["a scaling in head 3.0"],
    );
    says(
        &with_json(
            "edits",
            &json!({"scaled": [{"layer": 1, "head": 0, "factor": 1e60}]}),
        ),
        &["scales head 1.0 by inf"],
    );
    says(
        &with_json("edits", &json!({"moved": []})),
        &["`edits`", "moved"],
    );
}
