//! Tensors that are not what the header says, or hold what is no number.

use lookback_trace::{Dtype, Error, SaveOptions};
use serde_json::{Value, json};

use super::{end_of_data, reason, says, with_header, with_metadata};
use crate::common::{open_bytes, put_together, sound_file, take_apart};

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
