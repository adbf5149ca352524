//! Files: what is written, and what comes back.

use lookback_trace::{
    Cut, Dtype, HeadId, InterventionRecord, Mask, Meta, Patched, SaveOptions, Scaled, Scoring,
    Site, Trace, Version,
};
use safetensors::SafeTensors;

use crate::common::{
    self, causal, layers, meta, open_bytes, sound, sound_file, take_apart, weights,
};

const F16: SaveOptions = SaveOptions {
    qk_dtype: Dtype::F16,
    values: false,
};

/// Two layers with all that a layer can have, and all kinds of edits.
fn rich() -> Trace {
    let described = vec![
        causal()
            .with_soft_cap(30.0)
            .with_sinks(vec![0.5, -3.0, 2.0, 0.0]),
        Scoring::new(
            0.1,
            Mask::Window {
                window: 3,
                offset: 0,
            },
        )
        .with_alibi(vec![0.5, 0.25, 0.125, 0.0625]),
    ];
    let cut = vec![
        Cut {
            layer: 1,
            head: 3,
            i: 4,
            j: 3,
        },
        Cut {
            layer: 0,
            head: 0,
            i: 5,
            j: 0,
        },
    ];
    let layers = layers(&described, &cut);
    let edits = InterventionRecord {
        cut,
        ablated: vec![HeadId { layer: 0, head: 1 }],
        scaled: vec![Scaled {
            layer: 1,
            head: 2,
            factor: 0.3,
        }],
        mean_ablated: vec![HeadId { layer: 1, head: 0 }],
        patched: vec![Patched {
            layer: 0,
            head: 0,
            site: Site::V,
            first: 1,
            rows: 2,
        }],
    };
    let text = "« Née » \"\\ \u{7}\u{1F642}".to_owned();
    let spans = vec![(0, 0), (0, 3), (3, 7), (7, 15), (15, 19), (15, 19)];
    Trace::new(
        Meta {
            interventions: edits,
            text,
            spans,
            ..meta(described)
        },
        layers,
    )
    .unwrap()
}

/// Saves a trace and opens the file.
fn through_a_file(trace: &Trace, options: &SaveOptions) -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    let saved = trace.save(&path, options).unwrap();
    assert_eq!(saved.bytes, std::fs::metadata(&path).unwrap().len());
    assert_eq!(common::names(folder.path()), ["t.safetensors"]);
    Trace::open(&path).unwrap()
}

fn all_weights(trace: &Trace) -> Vec<ndarray::Array2<f32>> {
    let heads = (0..trace.layer_count())
        .flat_map(|layer| (0..trace.head_count(layer)).map(move |head| (layer, head)));
    let n = trace.n();
    heads
        .map(|(layer, head)| trace.weights(layer, head, 0..n, 0..n).unwrap())
        .collect()
}

#[test]
fn an_f32_file_gives_back_every_bit() {
    for trace in [sound(), rich()] {
        let opened = through_a_file(
            &trace,
            &SaveOptions {
                values: true,
                ..SaveOptions::default()
            },
        );
        assert_eq!(opened.meta(), trace.meta());
        assert_eq!(all_weights(&opened), all_weights(&trace));
        assert_eq!(opened.words(), trace.words());
        for layer in 0..2 {
            for head in 0..4 {
                let [a, b] = [&opened, &trace].map(|t| t.head(layer, head).unwrap());
                assert_eq!((a.q(), a.k(), a.v()), (b.q(), b.k(), b.v()));
                assert_eq!(a.lse(), b.lse());
                assert_eq!(
                    opened.vnorm(layer, head).unwrap(),
                    trace.vnorm(layer, head).unwrap()
                );
            }
        }
    }
}

#[test]
fn the_same_trace_gives_the_same_bytes() {
    assert_eq!(
        sound_file(&SaveOptions::default()),
        sound_file(&SaveOptions::default())
    );
    assert_eq!(sound_file(&F16), sound_file(&F16));
}

#[test]
fn the_file_is_what_the_format_says() {
    let file = sound_file(&SaveOptions {
        qk_dtype: Dtype::F16,
        values: true,
    });
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    let expected: Vec<String> = (0..2)
        .flat_map(|l| ["k", "lse", "q", "v", "vnorm"].map(|t| format!("layers.{l}.{t}")))
        .collect();
    assert_eq!(names, expected);
    let is = |name: &str, dtype: safetensors::Dtype, shape: &[usize]| {
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape), "{name}");
    };
    is("layers.0.q", safetensors::Dtype::F16, &[4, 6, 3]);
    is("layers.1.k", safetensors::Dtype::F16, &[2, 6, 3]);
    is("layers.1.v", safetensors::Dtype::F16, &[2, 6, 5]);
    is("layers.0.lse", safetensors::Dtype::F32, &[4, 6]);
    is("layers.0.vnorm", safetensors::Dtype::F32, &[4, 6]);

    let (header, _) = take_apart(&file);
    let metadata = &header["__metadata__"];
    let json = |key: &str| -> serde_json::Value {
        serde_json::from_str(metadata[key].as_str().unwrap()).unwrap()
    };
    assert_eq!(metadata["format"], Version::One.name());
    assert_eq!(metadata["model"], "made up");
    assert_eq!(metadata["qk_dtype"], "f16");
    assert_eq!(metadata["text"], "I don't.\n");
    assert_eq!(
        json("tokens"),
        serde_json::json!([0, 57, 1326, 982, 30, 198])
    );
    assert_eq!(json("spans")[3], serde_json::json!([5, 7]));
    assert_eq!(json("prefix_tokens"), 1);
    let layer = serde_json::json!({"scale": 0.5, "mask": {"kind": "causal", "offset": 0}});
    assert_eq!(json("layers"), serde_json::json!([layer, layer]));
    assert_eq!(json("edits"), serde_json::json!({}));
    assert!(json("qk_rounding_max_weight_change").as_f64().unwrap() > 0.0);
}

#[test]
fn every_tensor_begins_where_its_numbers_can_be_read_in_place() {
    for qk_dtype in [Dtype::F32, Dtype::F16] {
        for values in [false, true] {
            let file = sound_file(&SaveOptions { qk_dtype, values });
            let len = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
            assert_eq!(len % 8, 0);
            let (header, _) = take_apart(&file);
            for (name, tensor) in header.as_object().unwrap() {
                let Some(start) = tensor["data_offsets"][0].as_u64() else {
                    continue;
                };
                let size = if tensor["dtype"] == "F32" { 4 } else { 2 };
                assert_eq!(start % size, 0, "{name}");
            }
        }
    }
}

/// Weights computed the long way from queries and keys rounded to f16.
#[test]
fn an_f16_file_holds_the_softmax_of_its_own_numbers() {
    let trace = rich();
    let original = layers(&trace.meta().layers, &trace.meta().interventions.cut);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let saved = trace.save(&path, &F16).unwrap();
    let opened = Trace::open(&path).unwrap();
    let round = |x: f32| half::f16::from_f32(x).to_f32();
    let mut largest_change = 0.0_f64;
    let mut at = 0;
    for (l, layer) in original.iter().enumerate() {
        let mut rounded = layer.clone();
        rounded.q.mapv_inplace(round);
        rounded.k.mapv_inplace(round);
        let described = &trace.meta().layers[l];
        let cuts: Vec<Cut> = trace
            .meta()
            .interventions
            .cut
            .iter()
            .copied()
            .filter(|c| c.layer == l)
            .collect();
        for head in 0..4 {
            let before = weights(layer, described, head, &cuts);
            let after = weights(&rounded, described, head, &cuts);
            let found = &all_weights(&opened)[at];
            let off = found
                .iter()
                .zip(&after)
                .map(|(&a, b)| (f64::from(a) - b).abs());
            assert!(off.fold(0.0, f64::max) < 2e-6, "head {l}.{head}");
            let change = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
            largest_change = change.fold(largest_change, f64::max);
            if described.sinks.is_none() {
                let sums = found.sum_axis(ndarray::Axis(1));
                assert!(sums.iter().all(|s| (s - 1.0).abs() < 2e-6), "{sums}");
            }
            at += 1;
        }
    }
    let stated = opened.meta().qk_rounding_max_weight_change.unwrap();
    assert_eq!(saved.qk_rounding_max_weight_change, Some(stated));
    assert!(
        largest_change > 1e-5 && (f64::from(stated) - largest_change).abs() < 1e-6,
        "{stated} {largest_change}"
    );
    assert_eq!(opened.meta().qk_dtype, Dtype::F16);
}

/// The change that is stated is the largest of any weight, found the long way over enough keys that the search leaves most out; on
/// any number of threads.
#[test]
fn the_stated_change_is_the_largest_of_any_weight() {
    let (n, d_k) = (500, 24);
    let sizes = common::Sizes {
        n,
        heads: 4,
        kv_heads: 2,
        d_k,
        d_v: 1,
    };
    let scorings = [
        Scoring::new(2.0, Mask::default()),
        Scoring::new(1.5, Mask::None).with_soft_cap(9.0),
        Scoring::new(-2.0, Mask::default()).with_sinks(vec![0.5, 9.0, -3.0, 2.0]),
        Scoring::new(
            4.0,
            Mask::Window {
                window: 90,
                offset: 20,
            },
        ),
    ];
    for described in scorings {
        let mut layer = common::layer(&mut common::Numbers::new(17), sizes, &described, &[]);
        // A key of another size, as a sink's is in a model.
        layer
            .k
            .slice_mut(ndarray::s![0, 0, ..])
            .mapv_inplace(|x| 20.0 * x);
        common::set_lse(&mut layer, &described, &[]);
        let meta = Meta {
            text: "x".repeat(n),
            tokens: vec![1; n],
            spans: (0..n).map(|i| (i, i + 1)).collect(),
            prefix_tokens: 0,
            ..meta(vec![described.clone()])
        };
        let trace = Trace::new(meta, vec![layer]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let stated = trace
            .save(&path, &F16)
            .unwrap()
            .qk_rounding_max_weight_change
            .unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let changes = all_weights(&trace);
        let changes = changes
            .iter()
            .zip(all_weights(&Trace::open(&path).unwrap()));
        let largest = changes.fold(0.0_f32, |largest, (before, after)| {
            let pairs = before.iter().zip(&after);
            pairs.fold(largest, |largest, (a, b)| largest.max((a - b).abs()))
        });
        assert!(
            (stated - largest).abs() < 1e-5 && largest > 1e-4,
            "{described:?}: {stated}, not {largest}"
        );
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        one.install(|| trace.save(&path, &F16)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn the_prefix_keeps_its_texts() {
    let mut described = meta(vec![causal()]);
    described.prefix_tokens = 2;
    described.spans = vec![(0, 0), (0, 0), (0, 1), (1, 5), (5, 8), (8, 9)];
    described.token_texts = vec![Some("<|im_start|>".into()), Some("é".into())];
    let trace = Trace::new(described, layers(&[causal()], &[])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    trace.save(&path, &SaveOptions::default()).unwrap();
    let opened = Trace::open(&path).unwrap();
    assert_eq!(opened.meta(), trace.meta());
    assert_eq!(opened.meta().prefix_texts(), ["<|im_start|>", "é"]);
    assert_eq!(opened.words(), trace.words());
    // The file is one of `lookback-trace/1` as it always was: the prefix's spans are empty, the others lie behind them.
    let (header, _) = take_apart(&std::fs::read(&path).unwrap());
    assert_eq!(header["__metadata__"]["text"], "<|im_start|>éI don't.\n");
    assert_eq!(
        header["__metadata__"]["spans"],
        "[[12,12],[14,14],[14,15],[15,19],[19,22],[22,23]]"
    );
}

#[test]
fn a_file_that_names_no_prefix_or_only_a_part_of_it_is_read_as_it_stands() {
    let (mut header, data) = take_apart(&sound_file(&SaveOptions::default()));
    let open =
        |header: &serde_json::Value| open_bytes(&common::put_together(header, &data, 8)).unwrap();
    assert!(open(&header).meta().prefix_texts().is_empty());
    // The first token of the text begins before the prefix's ends.
    header["__metadata__"]["spans"] = "[[3,3],[0,1],[1,5],[5,7],[7,8],[8,9]]".into();
    let opened = open(&header);
    assert!(opened.meta().prefix_texts().is_empty());
    assert_eq!(opened.meta().text, "I don't.\n");
}

#[test]
fn texts_belong_to_tokens_without_a_span() {
    let text = |text: &str| Some(text.to_owned());
    for texts in [vec![None; 7], vec![text("")], vec![None, text("I")]] {
        let described = Meta {
            token_texts: texts,
            ..meta(vec![causal()])
        };
        let refused = Trace::new(described, layers(&[causal()], &[])).unwrap_err();
        assert!(refused.to_string().contains("token_texts"), "{refused}");
    }
}

#[test]
fn what_the_format_has_no_words_for_is_not_a_trace() {
    let lengths = [3];
    for scoring in [
        Scoring::default(),
        Scoring::new(1.0, Mask::StrictlyBefore { offset: 0 }),
        causal().with_key_lengths(lengths.to_vec().leak()),
    ] {
        let refused = Trace::new(meta(vec![scoring]), layers(&[causal()], &[]));
        assert!(
            matches!(refused, Err(lookback_trace::Error::Inconsistent(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn rounding_tells_how_far_it_is_and_may_be_stopped() {
    use std::ops::ControlFlow;

    use lookback_trace::SaveProgress;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let mut heard = Vec::new();
    let saved = sound().save_with(&path, &F16, &mut |progress| {
        heard.push(progress);
        ControlFlow::Continue(())
    });
    saved.unwrap();
    let rounding = |done| SaveProgress::Rounding { done, layers: 2 };
    assert_eq!(heard[..2], [rounding(0), rounding(1)]);
    std::fs::remove_file(&path).unwrap();
    let stopped = sound().save_with(&path, &F16, &mut |progress| match progress {
        SaveProgress::Rounding { done: 1, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(
        stopped,
        Err(lookback_trace::Error::Cancelled { .. })
    ));
    assert!(common::names(folder.path()).is_empty());
}

#[test]
fn rounding_happens_once() {
    let first = through_a_file(&rich(), &F16);
    let again = through_a_file(&first, &F16);
    assert_eq!(again.meta(), first.meta());
    assert_eq!(all_weights(&again), all_weights(&first));
    // Widened, the numbers are the same, and it stays known that they were rounded.
    let wide = through_a_file(&first, &SaveOptions::default());
    assert_eq!(wide.meta().qk_dtype, Dtype::F32);
    assert_eq!(
        wide.meta().qk_rounding_max_weight_change,
        first.meta().qk_rounding_max_weight_change
    );
    assert_eq!(all_weights(&wide), all_weights(&first));
}

#[test]
fn rounding_leaves_rows_without_keys_and_cut_edges_as_they_are() {
    let described = vec![Scoring::new(1.0, Mask::Causal { offset: -2 })];
    let cut = vec![Cut {
        layer: 0,
        head: 0,
        i: 4,
        j: 1,
    }];
    let layers = layers(&described, &cut);
    let edits = InterventionRecord {
        cut,
        ..InterventionRecord::default()
    };
    let trace = Trace::new(
        Meta {
            interventions: edits,
            ..meta(described)
        },
        layers,
    )
    .unwrap();
    let opened = through_a_file(&trace, &F16);
    assert_eq!(opened.lse(0, 0).unwrap()[1], f32::NEG_INFINITY);
    assert_eq!(opened.row(0, 0, 1).unwrap().sum(), 0.0);
    let row = opened.row(0, 0, 4).unwrap();
    assert_eq!(row[1], 0.0);
    assert!((row.sum() - 1.0).abs() < 1e-6);
}

#[test]
fn what_f16_cannot_hold_is_refused() {
    let save = |damage: fn(&mut lookback_trace::Layer)| {
        let mut layers = layers(&[causal(), causal()], &[]);
        damage(&mut layers[1]);
        let folder = tempfile::tempdir().unwrap();
        let trace = Trace::new(meta(vec![causal(), causal()]), layers).unwrap();
        let saved = trace.save(folder.path().join("t"), &F16);
        assert!(common::names(folder.path()).is_empty());
        saved.unwrap_err().to_string()
    };
    assert_eq!(
        save(|l| l.q[[2, 5, 1]] = 65520.0),
        "layers.1.q holds 65520 for head 2, token 5, which f16 cannot: save the trace as f32"
    );
    // Each number fits, and rounding moves all scores of a row by almost 200: e^-200 is 0 in f32.
    let far = save(|l| {
        l.q.slice_mut(ndarray::s![1, 3, ..]).fill(65.03);
        l.k.slice_mut(ndarray::s![0, .., ..]).fill(2048.99);
        common::set_lse(l, &causal(), &[]);
    });
    assert!(
        far.starts_with("head 1.1: the scores of query 3 are too large"),
        "{far}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_not_saved() {
    let mut layers = layers(&[causal()], &[]);
    layers[0].v.as_mut().unwrap()[[1, 2, 0]] = f32::NAN;
    let trace = Trace::new(meta(vec![causal()]), layers).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let values = SaveOptions {
        values: true,
        ..SaveOptions::default()
    };
    let refused = trace
        .save(folder.path().join("t"), &values)
        .unwrap_err()
        .to_string();
    assert!(
        refused.starts_with("layers.0.v holds NaN for head 1, token 2"),
        "{refused}"
    );
    trace
        .save(folder.path().join("t"), &SaveOptions::default())
        .unwrap();
}

#[test]
fn values_are_saved_when_asked_for_and_their_size_is_stated() {
    let trace = sound();
    // 2 layers of 2 key heads, 6 tokens, d_v 5.
    assert_eq!(trace.values_bytes(Dtype::F32), Some(2 * 2 * 6 * 5 * 4));
    assert_eq!(trace.values_bytes(Dtype::F16), Some(2 * 2 * 6 * 5 * 2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let with = trace
        .save(
            &path,
            &SaveOptions {
                values: true,
                ..SaveOptions::default()
            },
        )
        .unwrap();
    assert_eq!(with.values_bytes, 480);
    let without = trace.save(&path, &SaveOptions::default()).unwrap();
    assert_eq!(without.values_bytes, 0);
    assert!(without.bytes <= with.bytes - 480);
    let opened = Trace::open(&path).unwrap();
    assert_eq!(opened.values_bytes(Dtype::F32), None);
    assert!(opened.head(0, 0).unwrap().v().is_none());
    let refused = opened.save(
        &path,
        &SaveOptions {
            values: true,
            ..SaveOptions::default()
        },
    );
    assert!(matches!(refused, Err(lookback_trace::Error::NoValues)));
}

#[test]
fn a_trace_can_take_the_place_of_the_file_that_it_is_mapped_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    rich().save(&path, &SaveOptions::default()).unwrap();
    let opened = Trace::open(&path).unwrap();
    opened.save(&path, &F16).unwrap();
    assert_eq!(all_weights(&opened), all_weights(&rich()));
    assert_eq!(Trace::open(&path).unwrap().meta().qk_dtype, Dtype::F16);
}

#[test]
fn files_of_other_writers() {
    // Tensors in another order, another padding, and the layers' defaults left out.
    let (mut header, data) = take_apart(&sound_file(&SaveOptions::default()));
    header["__metadata__"]["layers"] =
        r#" [ {"mask":{"kind":"causal"},"scale":5e-1}, {"scale":0.5,"mask":{"kind":"causal","offset":0}} ]"#.into();
    let mut moved = Vec::new();
    let tensors = header.as_object_mut().unwrap();
    for (name, tensor) in tensors
        .iter_mut()
        .filter(|(name, _)| *name != "__metadata__")
    {
        let at = |i: usize| tensor["data_offsets"][i].as_u64().unwrap() as usize;
        let bytes = &data[at(0)..at(1)];
        let start = moved.len();
        moved.extend_from_slice(bytes);
        tensor["data_offsets"] = serde_json::json!([start, moved.len()]);
        assert!(name.starts_with("layers."));
    }
    let opened = open_bytes(&common::put_together(&header, &moved, 4)).unwrap();
    assert_eq!(all_weights(&opened), all_weights(&sound()));
    assert_eq!(opened.meta(), sound().meta());
}
