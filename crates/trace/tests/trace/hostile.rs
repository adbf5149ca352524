//! Files that are damaged, or made to do harm. Each is refused with a reason; none makes the reader panic.

use std::sync::LazyLock;

use lookback_trace::{Dtype, Error, SaveOptions, Trace};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::{open_bytes, put_together, sound_file, take_apart};

/// Why a file is refused.
fn reason(bytes: &[u8]) -> String {
    match open_bytes(bytes) {
        Err(Error::Format { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// A sound file, with this done to its header.
fn with_header(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (mut header, data) = take_apart(&sound_file(&SaveOptions::default()));
    change(&mut header);
    put_together(&header, &data, 8)
}

/// Why a sound file is refused once this is done to its metadata.
fn with_metadata(change: impl FnOnce(&mut Value)) -> String {
    reason(&with_header(|header| change(&mut header["__metadata__"])))
}

/// Why a sound file is refused once a JSON value of its metadata is replaced.
fn with_json(key: &str, value: &Value) -> String {
    with_metadata(|metadata| metadata[key] = value.to_string().into())
}

/// Where a header's last tensor ends.
fn end_of_data(header: &Value) -> u64 {
    let tensors = header.as_object().unwrap().values();
    tensors
        .filter_map(|t| t["data_offsets"][1].as_u64())
        .max()
        .unwrap()
}

/// Asserts that a reason holds all these words.
fn says(reason: &str, words: &[&str]) {
    for word in words {
        assert!(reason.contains(word), "{reason:?} does not say {word:?}");
    }
}

#[test]
fn not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Trace::open(folder.path().join("missing")).unwrap_err();
    assert!(matches!(missing, Error::Read { .. }), "{missing}");
    says(&missing.to_string(), &["could not read", "missing"]);
    let directory = Trace::open(folder.path()).unwrap_err();
    says(
        &directory.to_string(),
        &["could not read", "not a regular file"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    says(
        &Trace::open(&path).unwrap_err().to_string(),
        &["not a regular file"],
    );
}

#[test]
fn not_a_safetensors_file() {
    says(&reason(b""), &["0 bytes"]);
    says(&reason(b"1234567"), &["7 bytes"]);
    says(
        &reason(b"GGUF\x03\0\0\0 and so on"),
        &["announces a header of"],
    );
    says(&reason(&[0; 8]), &["header is damaged"]);
    says(
        &reason(&[&8_u64.to_le_bytes()[..], b"not json"].concat()),
        &["header is damaged"],
    );
    says(
        &reason(&[&2_u64.to_le_bytes()[..], b"\xff\xfe"].concat()),
        &["header is damaged"],
    );
    says(
        &reason(&[&2_u64.to_le_bytes()[..], b"[]"].concat()),
        &["header is damaged"],
    );
    says(
        &reason(&[&2_u64.to_le_bytes()[..], b"{}"].concat()),
        &["no `format`"],
    );
}

#[test]
fn cut_short_anywhere() {
    let file = sound_file(&SaveOptions::default());
    for len in 0..file.len() {
        let reason = reason(&file[..len]);
        assert!(len < 8 || reason.contains("cut short"), "{len}: {reason}");
    }
    says(
        &reason(&[&file[..], b"!"].concat()),
        &["cut short, or damaged"],
    );
}

#[test]
fn lengths_and_offsets_out_of_range() {
    for len in [u64::MAX, 1 << 63, 64 << 20, 100_000_000_000] {
        let mut file = sound_file(&SaveOptions::default());
        file[..8].copy_from_slice(&len.to_le_bytes());
        says(&reason(&file), &["announces a header"]);
    }
    for offsets in [
        json!([0, 1]),
        json!([u64::MAX - 3, u64::MAX]),
        json!([0, u64::MAX]),
        json!([96, 0]),
        json!([4, 100]),
    ] {
        let why = reason(&with_header(|h| {
            h["layers.0.lse"]["data_offsets"] = offsets
        }));
        says(&why, &["header contradicts itself"]);
    }
    for offsets in [
        json!([-1, 3]),
        json!([0.5, 3]),
        json!([0]),
        json!("0"),
        json!(null),
    ] {
        let why = reason(&with_header(|h| {
            h["layers.0.lse"]["data_offsets"] = offsets
        }));
        says(&why, &["header is damaged"]);
    }
    // Tensors that end where 64 bits do, so that the header's length before them does not fit.
    let why = reason(&with_header(|h| {
        let mut start = end_of_data(h);
        for layer in 2..18 {
            let end = start.saturating_add(1 << 60).min(u64::MAX - 3) & !3;
            h[format!("layers.{layer}.q")] =
                json!({"dtype": "F32", "shape": [(end - start) / 4], "data_offsets": [start, end]});
            start = end;
        }
    }));
    says(&why, &["describes a file of 18446744073709551615 bytes"]);
}

#[test]
fn shapes_that_overflow_or_are_empty() {
    let shape = |shape: Value| reason(&with_header(|h| h["layers.1.q"]["shape"] = shape));
    let contradicts = ["header contradicts itself"];
    says(&shape(json!([u64::MAX, 2, 2])), &contradicts);
    says(&shape(json!([1_u64 << 32, 1_u64 << 32, 3])), &contradicts);
    says(&shape(json!([4, 6, 4])), &contradicts);
    says(&shape(json!([])), &contradicts);
    says(&shape(json!([72])), &["`layers.1.q` has shape [72]"]);
    says(
        &shape(json!([4, 6, 3, 1])),
        &["`layers.1.q` has shape [4, 6, 3, 1]"],
    );
    says(
        &shape(json!([6, 4, 3])),
        &["layers.1.q is [heads 6, tokens 4, 3]"],
    );
    says(
        &shape(json!([12, 6, 1])),
        &["layers.1.k is", "[heads 2, tokens 6, 1] is needed"],
    );
    // Nothing at all, under sizes beyond measure.
    let nothing = |name: &str| {
        let (mut header, _) = take_apart(&sound_file(&SaveOptions::default()));
        for (_, tensor) in header
            .as_object_mut()
            .unwrap()
            .iter_mut()
            .filter(|(n, _)| n.starts_with("layers"))
        {
            let rank = tensor["shape"].as_array().unwrap().len();
            tensor["shape"] = json!(vec![0; rank]);
            tensor["data_offsets"] = json!([0, 0]);
        }
        header[name]["shape"][0] = json!(1_u64 << 62);
        reason(&put_together(&header, &[], 8))
    };
    says(
        &nothing("layers.0.q"),
        &[
            "layers.0.q is [heads 4611686018427387904, tokens 0, 0]",
            "none of them 0",
        ],
    );
    says(
        &nothing("layers.0.lse"),
        &["layers.0.q is [heads 0, tokens 0, 0]"],
    );
}

#[test]
fn heads_that_cannot_share_keys() {
    let why = reason(&with_header(|h| {
        h["layers.0.q"]["shape"] = json!([3, 6, 4]);
        h["layers.0.k"]["shape"] = json!([2, 6, 3]);
    }));
    says(&why, &["layers.0.k is [heads 2, tokens 6, 3]"]);
    let why = reason(&with_header(|h| {
        h["layers.0.q"]["shape"] = json!([12, 6, 1]);
        h["layers.0.k"]["shape"] = json!([6, 6, 1]);
    }));
    says(
        &why,
        &["layers.0.lse is [heads 4, tokens 6, 1] where [heads 12, tokens 6, 1] is needed"],
    );
    // 4 query heads on 3 key heads.
    let (mut header, data) = take_apart(&sound_file(&SaveOptions::default()));
    let k = &header["layers.0.k"]["data_offsets"];
    let (start, end) = (k[0].as_u64().unwrap(), k[1].as_u64().unwrap());
    let (start, end, added) = (start as usize, end as usize, 18 * 4);
    let data = [&data[..end], &vec![0; added], &data[end..]].concat();
    for tensor in header.as_object_mut().unwrap().values_mut() {
        let Some(first) = tensor["data_offsets"][0].as_u64().map(|x| x as usize) else {
            continue;
        };
        let last = tensor["data_offsets"][1].as_u64().unwrap() as usize;
        let move_by = |x: usize, past: bool| if past { x + added } else { x };
        tensor["data_offsets"] =
            json!([move_by(first, first > start), move_by(last, last > start)]);
    }
    header["layers.0.k"]["shape"] = json!([3, 6, 3]);
    says(
        &reason(&put_together(&header, &data, 8)),
        &["4 query heads, which 3 key heads cannot be shared among"],
    );
}

#[test]
fn types_that_are_not_read() {
    let dtype = |name: &str, dtype: &str| reason(&with_header(|h| h[name]["dtype"] = dtype.into()));
    says(
        &dtype("layers.0.q", "I32"),
        &["`layers.0.q` holds I32, where F32 or F16 is read"],
    );
    says(
        &dtype("layers.0.lse", "U32"),
        &["`layers.0.lse` holds U32, where F32 is read"],
    );
    says(&dtype("layers.0.q", "BF16"), &["header contradicts itself"]);
    says(&dtype("layers.0.q", "F12"), &["header is damaged", "F12"]);
    says(
        &with_metadata(|m| m["qk_dtype"] = "bf16".into()),
        &["`qk_dtype` is \"bf16\""],
    );
    says(
        &with_metadata(|m| m["qk_dtype"] = "f16".into()),
        &["`qk_dtype` is f16, and layers.0.q holds f32"],
    );
    let f16 = sound_file(&SaveOptions {
        qk_dtype: Dtype::F16,
        values: false,
    });
    let (mut header, data) = take_apart(&f16);
    header["__metadata__"]
        .as_object_mut()
        .unwrap()
        .remove("qk_rounding_max_weight_change");
    says(
        &reason(&put_together(&header, &data, 8)),
        &["`qk_rounding_max_weight_change` is missing"],
    );
}

#[test]
fn numbers_that_cannot_be_read_in_place() {
    let (header, data) = take_apart(&sound_file(&SaveOptions::default()));
    let json_len = serde_json::to_vec(&header).unwrap().len();
    // A header that ends one byte past a multiple of 4.
    let mut file = put_together(&header, &data, 4);
    let header_len = json_len.next_multiple_of(4) + 1;
    file[..8].copy_from_slice(&(header_len as u64).to_le_bytes());
    file.insert(8 + header_len - 1, b' ');
    says(
        &reason(&file),
        &["`layers.0.q` begins at byte", "no multiple of 4"],
    );
}

#[test]
fn tensors_that_are_missing_or_too_many() {
    let (header, _) = take_apart(&sound_file(&SaveOptions::default()));
    for (name, _) in header
        .as_object()
        .unwrap()
        .iter()
        .filter(|(n, _)| *n != "__metadata__")
    {
        let why = reason(&with_header(|h| {
            let tensor = h.as_object_mut().unwrap().remove(name).unwrap();
            h["layers.0.z"] = tensor;
        }));
        says(&why, &["it has no tensor", name]);
    }
    for extra in [
        "layers.0.z",
        "layers.2.q",
        "layers.00.q",
        "layers.+1.k",
        "layers.0.q.0",
        "q",
        "\u{1b}[2J",
    ] {
        let why = reason(&with_header(|h| {
            let end = end_of_data(h);
            h[extra] = json!({"dtype": "F32", "shape": [0], "data_offsets": [end, end]});
        }));
        says(&why, &["it has a tensor", "does not know"]);
        assert!(!why.contains('\u{1b}'), "{why:?}");
    }
    let why = reason(&with_header(|h| {
        let end = end_of_data(h);
        h["layers.1.v"] = json!({"dtype": "F32", "shape": [2, 6, 0], "data_offsets": [end, end]});
    }));
    says(
        &why,
        &["layers.1.v is [heads 2, tokens 6, 0]", "none of them 0"],
    );
    let (header, data) = take_apart(&sound_file(&SaveOptions {
        values: true,
        ..SaveOptions::default()
    }));
    let mut header = header;
    header["__metadata__"]["layers"] = json!([{"scale": 1, "mask": {"kind": "none"}}])
        .to_string()
        .into();
    says(
        &reason(&put_together(&header, &data, 8)),
        &["it has a tensor \"layers.1."],
    );
}

#[test]
fn the_same_name_twice() {
    let (header, data) = take_apart(&sound_file(&SaveOptions::default()));
    let json = header.to_string();
    let twice = format!("{{\"layers.0.q\":{},{}", header["layers.0.q"], &json[1..]);
    let file = [
        &(twice.len() as u64).to_le_bytes()[..],
        twice.as_bytes(),
        &data,
    ]
    .concat();
    says(&reason(&file), &["\"layers.0.q\" stands there twice"]);
}

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
        &with_metadata(|m| m["format"] = "lookback-trace/2".into()),
        &["lookback-trace/2", "lookback-trace/1"],
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
        &["token 1 is not empty, though the token stands before the text"],
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

/// A sound file with one number of a tensor replaced.
fn with_number(tensor: &str, at: usize, value: f32) -> Vec<u8> {
    let (header, mut data) = take_apart(&sound_file(&SaveOptions::default()));
    let start = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize + 4 * at;
    data[start..start + 4].copy_from_slice(&value.to_le_bytes());
    put_together(&header, &data, 8)
}

#[test]
fn data_that_is_not_finite() {
    says(
        &reason(&with_number("layers.1.lse", 7, f32::NAN)),
        &["layers.1.lse holds NaN for head 1, token 1"],
    );
    says(
        &reason(&with_number("layers.1.lse", 7, f32::INFINITY)),
        &["layers.1.lse holds inf"],
    );
    says(
        &reason(&with_number("layers.0.vnorm", 0, f32::NAN)),
        &["layers.0.vnorm holds NaN for head 0, token 0"],
    );
    says(
        &reason(&with_number("layers.0.vnorm", 23, -1.0)),
        &["layers.0.vnorm holds -1 for head 3, token 5"],
    );
    // Queries and keys are looked at when they are used.
    for tensor in ["layers.0.q", "layers.0.k"] {
        let trace = open_bytes(&with_number(tensor, 0, f32::NAN)).unwrap();
        let refused = trace.row(0, 0, 0);
        assert!(
            matches!(refused, Err(Error::NotAWeight { .. })),
            "{tensor}: {refused:?}"
        );
    }
}

/// Sound files, made once.
static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [Dtype::F32, Dtype::F16].map(|qk_dtype| {
        sound_file(&SaveOptions {
            qk_dtype,
            values: true,
        })
    })
});

/// Asks an opened trace everything.
fn ask(trace: &Trace) {
    let n = trace.n();
    for word in 0..trace.words().len() {
        let _ = trace.word_weights(0, 0, word);
    }
    for layer in 0..trace.layer_count() {
        for head in 0..trace.head_count(layer) {
            let head = trace.head(layer, head).unwrap();
            let _ = (
                head.weights(0..n, 0..n),
                head.received(),
                head.entropy_rows(),
                head.top_k_rows(3),
            );
            let _ = head.v().map(|v| v.sum());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let _ = trace.save(
        folder.path().join("again"),
        &SaveOptions {
            qk_dtype: Dtype::F16,
            values: false,
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever is changed in a file, it is refused, or it answers.
    #[test]
    fn bytes_changed_anywhere(
        f16 in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = FILES[usize::from(f16)].clone();
        for (at, value) in changes {
            *at.get_mut(&mut file) = value;
        }
        if let Ok(trace) = open_bytes(&file) {
            ask(&trace);
        }
    }

    /// Digits are where a header hurts: each change leaves it sound as JSON.
    #[test]
    fn digits_changed_in_the_header(
        changes in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 1..4),
    ) {
        let mut file = FILES[0].clone();
        let len = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let mut digits: Vec<&mut u8> = file[8..8 + len].iter_mut().filter(|b| b.is_ascii_digit()).collect();
        for (at, digit) in changes {
            **at.get_mut(&mut digits) = digit;
        }
        if let Ok(trace) = open_bytes(&file) {
            ask(&trace);
        }
    }

    /// Parts taken out or doubled.
    #[test]
    fn parts_moved(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let file = FILES[0].clone();
        let (from, to) = (from.index(file.len()), to.index(file.len()));
        let part = file[from.min(to)..from.max(to)].to_vec();
        let mut shorter = file.clone();
        shorter.drain(from.min(to)..from.max(to));
        let mut longer = file;
        let at = at.index(longer.len());
        longer.splice(at..at, part);
        for file in [shorter, longer] {
            if let Ok(trace) = open_bytes(&file) {
                ask(&trace);
            }
        }
    }
}
