//! Files of version 2 that say what cannot be.

use lookback_trace::{SaveOptions, Trace};
use serde_json::{Value, json};

use super::{reason, says};
use crate::common::{cross_attention, file_of, of_version_2, put_together, take_apart};

/// Why a trace's file is refused once this is done to its header.
fn with_header(trace: &Trace, change: impl FnOnce(&mut Value)) -> String {
    let (mut header, data) = take_apart(&file_of(trace, &SaveOptions::default()));
    change(&mut header);
    reason(&put_together(&header, &data, 8))
}

fn with_json(key: &str, value: &Value) -> String {
    with_header(&of_version_2(), |header| {
        header["__metadata__"][key] = value.to_string().into();
    })
}

/// Why the file is refused once a number of a tensor is another.
fn with_number(tensor: &str, at: usize, number: f32) -> String {
    let (header, mut data) = take_apart(&file_of(&of_version_2(), &SaveOptions::default()));
    let start = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize + 4 * at;
    data[start..start + 4].copy_from_slice(&number.to_le_bytes());
    reason(&put_together(&header, &data, 8))
}

#[test]
fn what_must_be_there_and_what_is_unknown() {
    for key in ["tokens", "layers", "qk_dtype"] {
        let why = with_header(&of_version_2(), |header| {
            drop(header["__metadata__"].as_object_mut().unwrap().remove(key));
        });
        says(&why, &[&format!("its metadata has no `{key}`")]);
    }
    says(
        &with_json("colour", &json!("blue")),
        &["\"colour\"", "lookback-trace/2 does not know"],
    );
    says(&with_json("qk_dtype", &json!(3)), &["f32, f16, bf16"]);
    let why = with_header(&of_version_2(), |header| {
        header["__metadata__"]["format"] = "lookback-trace/1".into();
    });
    says(&why, &["`layers`", "ranges"]);
}

#[test]
fn masks() {
    let ranges = |starts: &[u32], ends: &[u32]| {
        with_json("key_ranges", &json!([{"starts": starts, "ends": ends}]))
    };
    says(
        &ranges(&[0; 6], &[6; 5]),
        &["`key_ranges`", "6 starts and 5 ends"],
    );
    says(&ranges(&[0; 5], &[6; 5]), &["ranges for 5 queries, of 6"]);
    says(&ranges(&[0; 6], &[7; 6]), &["reach up to key 7, of 6"]);
    says(
        &ranges(&[0, 0, 0, 2, 1, 1], &[6; 6]),
        &["the keys of query 4", "no kernel supports"],
    );
    says(
        &ranges(&[0, 0, 3, 3, 3, 3], &[6, 6, 2, 6, 6, 6]),
        &["the keys of query 2 are 3..2: it ends before it starts"],
    );
    let layer = |mask: Value| {
        with_json(
            "layers",
            &json!([{"scale": 1, "mask": mask}, {"scale": 1, "mask": {"kind": "none"}}]),
        )
    };
    says(
        &layer(json!({"kind": "ranges", "ranges": 1})),
        &["`ranges` 1", "1 entries"],
    );
    says(
        &layer(json!({"kind": "ranges", "ranges": 0, "offset": 1})),
        &["nothing else"],
    );
    says(
        &layer(json!({"kind": "symmetric_window"})),
        &["needs", "radius"].map(|_| "`radius`"),
    );
    says(
        &layer(json!({"kind": "symmetric_window", "radius": 1, "offset": 99})),
        &["offset 99"],
    );
    says(
        &layer(json!({"kind": "banded"})),
        &["banded", "symmetric_window"],
    );
}

#[test]
fn layers_and_heads() {
    says(
        &with_json("layer_ids", &json!([3])),
        &["1 `layer_ids` of 2"],
    );
    says(&with_json("layer_ids", &json!([7, 3])), &["do not ascend"]);
    says(&with_json("layer_ids", &json!([3, 3])), &["do not ascend"]);
    says(
        &with_json("layer_ids", &json!([3, u64::MAX])),
        &["`layer_ids`"],
    );
    says(&with_json("layer_ids", &json!([3, -1])), &["`layer_ids`"]);
    says(
        &with_json("head_ids", &json!([[0, 1]])),
        &["1 lists for 2 layers"],
    );
    says(
        &with_json("head_ids", &json!([[0, 1], [0]])),
        &["1 `head_ids` of layer 1 of 2"],
    );
    says(
        &with_json("head_ids", &json!([[1, 0], [0, 1]])),
        &["do not ascend"],
    );
    let other = |layer: u64, kind: &str| {
        with_json("other_layers", &json!([{"layer": layer, "kind": kind}]))
    };
    says(&other(3, "mamba"), &["layer 3", "has tensors"]);
    says(&other(4, ""), &["layer 4", "empty"]);
    says(&other(u64::MAX, "mamba"), &["other_layers"]);
    let cut = json!({"cut": [{"layer": 3, "head": 1 << 20, "i": 0, "j": 0}]});
    says(&with_json("edits", &cut), &["a cut edge in head 3.1048576"]);
}

#[test]
fn tokens_and_their_texts() {
    says(
        &with_json("suffix_tokens", &json!(6)),
        &["`suffix_tokens` is 6 of 6"],
    );
    says(
        &with_json("suffix_tokens", &json!(3)),
        &["token 3 is not empty, though the token belongs to the suffix"],
    );
    says(
        &with_json("token_texts", &json!([null, "I"])),
        &["token 1 has both"],
    );
    says(
        &with_json("token_texts", &json!([""])),
        &["token 0", "is empty"],
    );
    says(
        &with_json(
            "token_texts",
            &json!([null, null, null, null, null, null, "x"]),
        ),
        &["7 `token_texts` of 6"],
    );
    says(
        &with_json("query_tokens", &json!([1])),
        &["`tokens`", "`query_tokens`"],
    );
    let cross = |key: &str, value: Value| {
        with_header(&cross_attention(), |header| {
            header["__metadata__"][key] = value.to_string().into();
        })
    };
    says(
        &cross("key_tokens", json!([1, 2])),
        &["2 `key_tokens` and 6 `key_spans`"],
    );
    says(
        &cross("key_spans", json!([[0, 99]])),
        &["6 `key_tokens` and 1 `key_spans`"],
    );
    says(
        &cross("key_token_texts", json!(["He"])),
        &["token 0 has both", "key_token_texts"],
    );
    let fewer = with_header(&cross_attention(), |header| {
        header["__metadata__"]["key_tokens"] = "[1]".into();
        header["__metadata__"]["key_spans"] = "[[0,2]]".into();
        header["__metadata__"]["key_token_texts"] = "[]".into();
    });
    says(&fewer, &["layers.0.k", "tokens 1"]);
}

#[test]
fn biases_and_missing_tensors() {
    for number in [f32::NAN, f32::NEG_INFINITY] {
        says(
            &with_number("layers.0.bias", 4, number),
            &["layers.0.bias holds"],
        );
    }
    let shape = |shape: &[usize]| {
        with_header(&of_version_2(), |header| {
            header["layers.0.bias"]["shape"] = json!(shape)
        })
    };
    says(
        &shape(&[1, 2, 6]),
        &["layers.0.bias is [1, 2, 6]", "each of them full or 1"],
    );
    says(&shape(&[12]), &["layers.0.bias", "not one of 3 sizes"]);
    let moved = with_header(&of_version_2(), |header| {
        let bias = header["layers.0.bias"].take();
        drop(header.as_object_mut().unwrap().remove("layers.0.bias"));
        header["layers.2.bias"] = bias;
    });
    says(&moved, &["layers.2.bias", "does not know"]);
}
