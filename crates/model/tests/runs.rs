//! What a run gives and refuses: prefill, the cache, traces and a layer's inside, on tiny checkpoints.

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use common::{data, load, max_difference};
use lookback_model::{
    Encoding, Error, Hooks, KvCache, LoadOptions, Logits, Model, Prefill, PrefillOptions,
    TraceOptions, WeightsKind,
};
use safetensors::SafeTensors;

fn tiny(name: &str) -> Model {
    load(&data("tiny").join(name), WeightsKind::F32)
}

/// Token ids that every tiny vocabulary has.
fn ids(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| i * 37 % 251).collect()
}

fn options(logits: Logits) -> PrefillOptions {
    PrefillOptions {
        logits,
        ..PrefillOptions::default()
    }
}

fn read(model: &Model, ids: &[u32]) -> (Prefill, KvCache) {
    let options = PrefillOptions {
        cache: true,
        ..options(Logits::All)
    };
    let mut prefill = model
        .prefill(ids, &options)
        .expect("tokens of the vocabulary");
    let cache = prefill.cache.take().expect("it was asked for");
    (prefill, cache)
}

/// The hooks of a run that stops before layer `stop_at`, and remembers what it was told.
struct StopAt {
    stop_at: usize,
    told: Mutex<Vec<(usize, usize)>>,
}

impl Hooks for StopAt {
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        self.told.lock().unwrap().push((done, layers));
        if done == self.stop_at {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn tokens_that_cannot_be_read_are_refused() {
    let model = tiny("tied");
    let refusal = |ids: &[u32], logits| model.prefill(ids, &options(logits)).unwrap_err();
    assert!(matches!(refusal(&[], Logits::Last), Error::NoTokens));
    let error = refusal(&ids(260), Logits::Last);
    assert!(matches!(
        error,
        Error::TooLong {
            tokens: 260,
            context: 256
        }
    ));
    assert!(error.to_string().contains("4 more than the 256"), "{error}");
    let vocab = model.config().vocab;
    let error = refusal(&[0, vocab as u32, 1], Logits::Last);
    assert!(
        matches!(error, Error::TokenOutOfRange { id, position: 1, .. } if id as usize == vocab),
        "{error:?}"
    );
    let error = refusal(&[0, 1], Logits::At(vec![0, 2]));
    assert!(matches!(
        error,
        Error::PositionOutOfRange {
            position: 2,
            tokens: 2
        }
    ));
    let error = model.embeddings(&[u32::MAX]).unwrap_err();
    assert!(matches!(error, Error::TokenOutOfRange { position: 0, .. }));
    let error = model.inspect(&[1], 2).unwrap_err();
    assert!(matches!(
        error,
        Error::LayerOutOfRange {
            layer: 2,
            layers: 2
        }
    ));
    let error = model.inspect(&ids(257), 0).unwrap_err();
    assert!(matches!(error, Error::TooLong { .. }));
    assert!(model.prefill(&ids(256), &options(Logits::None)).is_ok());
}

#[test]
fn logits_are_computed_where_they_are_asked_for() {
    let model = tiny("grouped");
    let ids = ids(9);
    let at = |logits| model.prefill(&ids, &options(logits)).unwrap().logits;
    let all = at(Logits::All);
    assert_eq!(all.dim(), (9, model.config().vocab));
    // Products of fewer rows may add in another order.
    let close = |found: &ndarray::Array2<f32>, positions: &[usize]| {
        assert_eq!(found.nrows(), positions.len());
        for (row, &position) in found.outer_iter().zip(positions) {
            assert!(max_difference(row, all.row(position)) < 1e-5);
        }
    };
    close(&at(Logits::Last), &[8]);
    close(&at(Logits::At(vec![7, 0, 7])), &[7, 0, 7]);
    close(&at(Logits::None), &[]);
}

#[test]
fn what_is_asked_for_is_kept_and_nothing_else() {
    let model = tiny("head-dim-f16");
    let kept = |trace, keep_v| {
        let options = PrefillOptions {
            trace,
            keep_v,
            ..options(Logits::None)
        };
        model.prefill(&ids(5), &options).unwrap()
    };
    let plain = kept(false, true);
    assert!(plain.layers.is_empty() && plain.cache.is_none());
    assert!(
        kept(true, false)
            .layers
            .iter()
            .all(|layer| layer.v.is_none())
    );
    for layer in kept(true, true).layers {
        assert_eq!(layer.q.dim(), (4, 5, 8));
        assert_eq!(layer.k.dim(), (1, 5, 8));
        assert_eq!(layer.v.expect("it was asked for").dim(), (1, 5, 8));
        assert_eq!((layer.lse.dim(), layer.vnorm.dim()), ((4, 5), (4, 5)));
    }
}

#[test]
fn a_layers_inside_is_what_its_trace_keeps() {
    let model = tiny("rope-llama3");
    let ids = ids(12);
    let options = PrefillOptions {
        trace: true,
        keep_v: true,
        ..options(Logits::None)
    };
    let layers = model.prefill(&ids, &options).unwrap().layers;
    for (index, layer) in layers.iter().enumerate() {
        let inside = model.inspect(&ids, index).unwrap();
        assert_eq!((&inside.q, &inside.k), (&layer.q, &layer.k));
        assert_eq!(
            (&inside.lse, Some(&inside.v)),
            (&layer.lse, layer.v.as_ref())
        );
        // The first layer reads the embeddings, and position 0 is not turned.
        if index == 0 {
            assert_eq!(inside.x, model.embeddings(&ids).unwrap());
        }
        let first = |heads: &ndarray::Array3<f32>| heads.index_axis(ndarray::Axis(1), 0).to_owned();
        assert_eq!(first(&inside.q), first(&inside.q_plain));
        assert_ne!(inside.q, inside.q_plain);
        let product = inside.x_norm.dot(&inside.w_q);
        let q_plain = inside.q_plain.permuted_axes([1, 0, 2]);
        assert!(max_difference(&product, &q_plain) < 1e-5);
    }
}

#[test]
fn reading_on_from_a_cache_is_reading_at_once() {
    for name in ["tied", "head-dim-f16", "rope-linear"] {
        let model = tiny(name);
        let ids = ids(20);
        let whole = read(&model, &ids).0.logits;
        let (_, mut cache) = read(&model, &ids[..7]);
        let on = model.extend(&ids[7..15], &Logits::All, &mut cache).unwrap();
        assert_eq!((on.nrows(), cache.len()), (8, 15));
        assert!(
            max_difference(&on, whole.slice(ndarray::s![7..15, ..])) < 1e-5,
            "{name}"
        );
        let last = model.decode(ids[15], &mut cache).unwrap();
        assert!(max_difference(&last, whole.row(15)) < 1e-5, "{name}");
        // What is forgotten leaves no trace, and can be read anew.
        cache.truncate(7);
        cache.truncate(100);
        assert_eq!(cache.len(), 7);
        let again = model.extend(&ids[7..15], &Logits::All, &mut cache).unwrap();
        assert_eq!(again, on, "{name}");
    }
}

#[test]
fn a_refused_extension_leaves_the_cache_as_it_was() {
    let model = tiny("tied");
    let (_, mut cache) = read(&model, &ids(10));
    let expected = model.decode(3, &mut cache.clone()).unwrap();
    let vocab = model.config().vocab as u32;
    let mut refused = |ids: &[u32], logits| model.extend(ids, &logits, &mut cache).unwrap_err();
    assert!(matches!(refused(&[], Logits::Last), Error::NoTokens));
    assert!(matches!(
        refused(&[1, vocab], Logits::Last),
        Error::TokenOutOfRange { .. }
    ));
    let too_long = refused(&ids(247), Logits::Last);
    assert!(matches!(
        too_long,
        Error::TooLong {
            tokens: 257,
            context: 256
        }
    ));
    let position = refused(&[1], Logits::At(vec![1]));
    assert!(matches!(position, Error::PositionOutOfRange { .. }));
    assert_eq!(cache.len(), 10);
    assert_eq!(model.decode(3, &mut cache).unwrap(), expected);
}

#[test]
fn a_cache_of_another_model_is_refused() {
    let (_, mut cache) = read(&tiny("tied"), &ids(4));
    let error = tiny("grouped").decode(1, &mut cache).unwrap_err();
    assert!(matches!(error, Error::Cache { .. }), "{error:?}");
    let message = error.to_string();
    assert!(
        message.contains("4 key/value heads") && message.contains("2 of 2"),
        "{message}"
    );
}

#[test]
fn hooks_hear_of_each_layer_and_can_stop_the_run() {
    let model = tiny("tied");
    for stop_at in [0, 1, 2] {
        let hooks = StopAt {
            stop_at,
            told: Mutex::default(),
        };
        let done = model.prefill_with(&ids(3), &options(Logits::Last), &hooks);
        let told = hooks.told.into_inner().unwrap();
        if stop_at == 2 {
            assert!(done.is_ok());
            assert_eq!(told, [(0, 2), (1, 2)]);
        } else {
            let error = done.unwrap_err();
            assert!(matches!(error, Error::Cancelled { layer } if layer == stop_at));
            assert_eq!(told.len(), stop_at + 1);
        }
    }
    let hooks = StopAt {
        stop_at: 1,
        told: Mutex::default(),
    };
    let encoding = Encoding {
        ids: ids(3),
        spans: vec![(0, 0); 3],
        prefix_tokens: 3,
        prefix_was_in_text: false,
        suffix_tokens: 0,
        text: String::new(),
    };
    let stopped = model.trace(&encoding, &TraceOptions::default(), &hooks);
    assert!(matches!(stopped, Err(Error::Cancelled { layer: 1 })));
}

/// Overwrites the tensors of a safetensors file that `new` gives a value for.
fn overwrite(path: &Path, new: impl Fn(&str, f32) -> f32) {
    let mut bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let start = bytes.as_ptr() as usize;
    let places: Vec<_> = file
        .iter()
        .map(|(name, tensor)| {
            assert_eq!(tensor.dtype(), safetensors::Dtype::F32);
            let first = tensor.data().as_ptr() as usize - start;
            (name.to_owned(), first..first + tensor.data().len())
        })
        .collect();
    for (name, place) in places {
        for entry in bytes[place].as_chunks_mut::<4>().0 {
            *entry = new(&name, f32::from_le_bytes(*entry)).to_le_bytes();
        }
    }
    std::fs::write(path, bytes).unwrap();
}

/// Weights that are finite themselves, and too large for their product.
#[test]
fn logits_that_are_not_finite_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(data("tiny").join("tied")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    overwrite(
        &folder.path().join("model.safetensors"),
        |name, value| match name {
            "model.norm.weight" => f32::MAX,
            "model.embed_tokens.weight" => value * 1000.0,
            _ => value,
        },
    );
    let model = Model::load(folder.path(), &LoadOptions::default()).unwrap();
    let error = model
        .prefill(&ids(4), &options(Logits::At(vec![2])))
        .unwrap_err();
    assert!(
        matches!(error, Error::NotFinite { position: 2 }),
        "{error:?}"
    );
    let (mut cache, options) = (
        None,
        PrefillOptions {
            cache: true,
            ..options(Logits::None)
        },
    );
    cache.replace(model.prefill(&ids(4), &options).unwrap().cache.unwrap());
    let error = model.decode(1, cache.as_mut().unwrap()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error:?}");
}
