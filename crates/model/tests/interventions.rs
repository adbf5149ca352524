//! Changed runs: what a change does, and that it does nothing else.

mod common;

use std::sync::Mutex;

use common::{data, load};
use lookback_model::generate::GenerateOptions;
use lookback_model::{
    Attended, Encoding, Error, Hooks, Interventions, Logits, Model, Patch, PrefillOptions,
    TraceOptions, Traced, WeightsKind,
};
use lookback_trace::{Cut, HeadId, Patched, Site};
use ndarray::{Array2, Array3, Axis, s};

/// A model with two query heads a key head.
fn model() -> Model {
    load(&data("tiny").join("grouped"), WeightsKind::F32)
}

const TOKENS: usize = 40;

fn encoding(model: &Model) -> Encoding {
    let vocab = model.config().vocab as u32;
    Encoding {
        ids: (0..TOKENS as u32).map(|i| (i * 7 + 3) % vocab).collect(),
        spans: vec![(0, 0); TOKENS],
        prefix_tokens: 0,
        prefix_was_in_text: false,
        suffix_tokens: 0,
        text: String::new(),
    }
}

fn run(model: &Model, hooks: &dyn Hooks) -> Traced {
    let options = TraceOptions {
        logits: Logits::All,
        ..TraceOptions::default()
    };
    model
        .trace(&encoding(model), &options, hooks)
        .expect("it runs")
}

fn weights(traced: &Traced, layer: usize, head: usize) -> Array2<f32> {
    traced
        .trace
        .weights(layer, head, 0..TOKENS, 0..TOKENS)
        .expect("weights")
}

/// Keeps every layer's outputs and log-sum-exps.
#[derive(Default)]
struct Outputs(Mutex<Vec<Array3<f32>>>);

impl Hooks for Outputs {
    fn attended(&self, layer: &Attended) {
        self.0.lock().unwrap().push(layer.z.to_owned());
    }
}

fn outputs(model: &Model, changes: &Interventions) -> Vec<Array3<f32>> {
    let outputs = Outputs::default();
    run(model, &changes.and(&outputs));
    outputs.0.into_inner().unwrap()
}

const HEAD: HeadId = HeadId { layer: 1, head: 1 };

fn cuts() -> Vec<Cut> {
    let cut = |i, j| Cut {
        layer: HEAD.layer,
        head: HEAD.head,
        i,
        j,
    };
    vec![cut(20, 3), cut(20, 20), cut(33, 0), cut(33, 39)]
}

#[test]
fn a_cut_edge_has_no_weight_and_the_rest_of_its_row_is_renormalised() {
    let model = model();
    let mut changes = Interventions::default();
    changes.cut(cuts());
    let (plain, cut) = (run(&model, &()), run(&model, &changes));
    let (before, after) = (weights(&plain, 1, 1), weights(&cut, 1, 1));
    for (i, row) in after.outer_iter().enumerate() {
        let gone: f32 = cuts()
            .iter()
            .filter(|c| c.i == i)
            .map(|c| before[[i, c.j]])
            .sum();
        assert!((row.sum() - 1.0).abs() < 1e-5);
        for (j, &weight) in row.iter().enumerate() {
            if cuts().iter().any(|c| (c.i, c.j) == (i, j)) {
                assert_eq!(weight, 0.0);
            } else if gone > 0.0 {
                assert!((weight - before[[i, j]] / (1.0 - gone)).abs() < 1e-5);
            } else {
                assert_eq!(weight, before[[i, j]]);
            }
        }
    }
    assert_eq!(cut.trace.meta().interventions, changes.record());
}

#[test]
fn the_output_of_a_cut_row_is_the_weighted_sum_of_what_is_left() {
    let model = model();
    let mut changes = Interventions::default();
    changes.cut(cuts());
    let changed = outputs(&model, &changes);
    let plain = outputs(&model, &Interventions::default());
    let traced = run(&model, &changes);
    let weights = weights(&traced, 1, 1);
    let options = TraceOptions {
        keep_v: true,
        ..TraceOptions::default()
    };
    let kept = model
        .trace(&encoding(&model), &options, &changes)
        .unwrap()
        .trace;
    let v = kept.head(1, 1).unwrap().v().unwrap().to_owned();
    for i in 0..TOKENS {
        let row = changed[1].slice(s![1, i, ..]);
        if [20, 33].contains(&i) {
            let expected = weights.row(i).dot(&v);
            assert!((&row - &expected).iter().all(|d| d.abs() < 1e-5));
        } else {
            assert_eq!(row, plain[1].slice(s![1, i, ..]));
        }
    }
}

#[test]
fn nothing_before_or_beside_a_change_changes_a_bit() {
    let model = model();
    let mut changes = Interventions::default();
    changes.cut(cuts());
    let (plain, cut) = (
        outputs(&model, &Interventions::default()),
        outputs(&model, &changes),
    );
    assert_eq!(plain[0], cut[0]);
    for head in (0..model.config().heads).filter(|&h| h != HEAD.head) {
        assert_eq!(
            plain[1].index_axis(Axis(0), head),
            cut[1].index_axis(Axis(0), head)
        );
    }
    let (plain, cut) = (run(&model, &()), run(&model, &changes));
    // Tokens before the first cut row know nothing of it.
    assert_eq!(
        plain.logits.slice(s![..20, ..]),
        cut.logits.slice(s![..20, ..])
    );
    assert_ne!(
        plain.logits.slice(s![20.., ..]),
        cut.logits.slice(s![20.., ..])
    );
    // A run that no change is given to has the bits that it always had.
    assert_eq!(run(&model, &Interventions::default()).logits, plain.logits);
    assert_eq!(run(&model, &()).logits, plain.logits);
}

#[test]
fn a_query_that_loses_every_key_gives_nothing() {
    let model = model();
    let mut changes = Interventions::default();
    changes.cut((0..6).map(|j| Cut {
        layer: 0,
        head: 2,
        i: 5,
        j,
    }));
    let traced = run(&model, &changes);
    assert_eq!(traced.trace.lse(0, 2).unwrap()[5], f32::NEG_INFINITY);
    assert_eq!(traced.trace.row(0, 2, 5).unwrap().sum(), 0.0);
    assert!(
        outputs(&model, &changes)[0]
            .slice(s![2, 5, ..])
            .iter()
            .all(|&x| x == 0.0)
    );
}

#[test]
fn an_ablated_head_gives_nothing_and_a_scaled_one_its_share() {
    let model = model();
    let plain = outputs(&model, &Interventions::default());
    let mut changes = Interventions::default();
    changes.ablate(HEAD);
    changes.scale(HeadId { layer: 1, head: 2 }, 0.5);
    let d_v = plain[1].dim().2;
    changes.ablate_to(
        HeadId { layer: 1, head: 3 },
        ndarray::Array1::from_elem(d_v, 0.25),
        2,
    );
    let changed = outputs(&model, &changes);
    let head = |of: &Array3<f32>, h: usize| of.index_axis(Axis(0), h).to_owned();
    assert!(head(&changed[1], 1).iter().all(|&x| x == 0.0));
    assert_eq!(head(&changed[1], 2), head(&plain[1], 2) * 0.5);
    let (mean, own) = (head(&changed[1], 3), head(&plain[1], 3));
    assert!(mean.slice(s![2.., ..]).iter().all(|&x| x == 0.25));
    assert_eq!(mean.slice(s![..2, ..]), own.slice(s![..2, ..]));
    assert_eq!(head(&changed[1], 0), head(&plain[1], 0));
    let edits = run(&model, &changes).trace.meta().interventions.clone();
    assert_eq!(
        (
            edits.ablated.len(),
            edits.scaled.len(),
            edits.mean_ablated.len()
        ),
        (1, 1, 1)
    );
    // The head's weights are what they are.
    assert_eq!(
        weights(&run(&model, &()), 1, 1),
        weights(&run(&model, &changes), 1, 1)
    );
}

#[test]
fn scaling_by_one_and_patching_a_run_with_itself_changes_nothing() {
    let model = model();
    struct Keep(Mutex<Option<[Array2<f32>; 4]>>);
    impl Hooks for Keep {
        fn attended(&self, layer: &Attended) {
            if layer.layer == 1 {
                let of = |x: ndarray::ArrayView3<f32>| x.slice(s![1, 4..9, ..]).to_owned();
                *self.0.lock().unwrap() =
                    Some([of(layer.q), of(layer.k), of(layer.v), of(layer.z)]);
            }
        }
    }
    let keep = Keep(Mutex::new(None));
    let plain = run(&model, &keep);
    let values = keep.0.into_inner().unwrap().unwrap();
    let patch = |site, values: &Array2<f32>| Patch {
        at: Patched {
            layer: 1,
            head: 1,
            site,
            first: 4,
            rows: 5,
        },
        values: values.clone(),
    };
    let mut changes = Interventions::default();
    changes.scale(HEAD, 1.0);
    for (site, values) in [Site::Q, Site::K, Site::V, Site::Z]
        .into_iter()
        .zip(&values)
    {
        changes.patch(patch(site, values));
    }
    let same = run(&model, &changes);
    assert_eq!(same.logits, plain.logits);
    assert_eq!(same.trace.meta().interventions.patched.len(), 4);
    // Each of them, with other values, changes the logits.
    for (site, values) in [Site::Q, Site::K, Site::V, Site::Z]
        .into_iter()
        .zip(&values)
    {
        let mut changes = Interventions::default();
        changes.patch(patch(site, &(values * 1.5)));
        let other = run(&model, &changes).logits;
        assert_ne!(other, plain.logits, "{site:?}");
        assert_eq!(
            other.slice(s![..4, ..]),
            plain.logits.slice(s![..4, ..]),
            "{site:?}"
        );
    }
}

#[test]
fn decoding_step_by_step_sees_the_same_changes_as_one_pass() {
    let model = model();
    let mut changes = Interventions::default();
    changes.cut(cuts());
    changes.ablate(HeadId { layer: 0, head: 0 });
    let whole = run(&model, &changes).logits;
    let ids = encoding(&model).ids;
    let options = PrefillOptions {
        cache: true,
        ..PrefillOptions::default()
    };
    let start = model.prefill_with(&ids[..18], &options, &Interventions::default());
    assert!(start.is_ok());
    let mut only_heads = Interventions::default();
    only_heads.ablate(HeadId { layer: 0, head: 0 });
    let mut cache = model
        .prefill_with(&ids[..18], &options, &only_heads)
        .unwrap()
        .cache
        .unwrap();
    for (i, &id) in ids.iter().enumerate().skip(18) {
        let logits = model
            .extend_with(&[id], &Logits::Last, &mut cache, &changes)
            .unwrap();
        let largest = (&logits.row(0) - &whole.row(i))
            .iter()
            .fold(0.0_f32, |a, d| a.max(d.abs()));
        assert!(largest < 1e-4, "token {i} is off by {largest}");
    }
}

#[test]
fn generation_goes_on_under_the_changes() {
    let model = model();
    let ids = encoding(&model).ids;
    let options = GenerateOptions {
        max_tokens: 12,
        ..GenerateOptions::default()
    };
    let generate = |hooks: &dyn Hooks| {
        let mut go_on = |_| std::ops::ControlFlow::Continue(());
        model
            .generate(&ids, &options, hooks, &mut go_on)
            .unwrap()
            .tokens
    };
    let mut all_heads = Interventions::default();
    for layer in 0..model.config().layers {
        (0..model.config().heads).for_each(|head| all_heads.ablate(HeadId { layer, head }));
    }
    // Without attention a token's logits depend on it alone, so that whatever follows a token always follows it.
    let tokens = generate(&all_heads);
    let mut follows = std::collections::HashMap::from([]);
    for pair in tokens.windows(2) {
        assert_eq!(*follows.entry(pair[0]).or_insert(pair[1]), pair[1]);
    }
    assert_eq!(generate(&Interventions::default()), generate(&()));
}

#[test]
fn what_cannot_be_changed_is_refused() {
    let model = model();
    let refused = |change: &dyn Fn(&mut Interventions)| {
        let mut changes = Interventions::default();
        change(&mut changes);
        let options = PrefillOptions::default();
        match model.prefill_with(&encoding(&model).ids, &options, &changes) {
            Err(Error::Intervention { what }) => what,
            other => panic!("{other:?}"),
        }
    };
    let far = HeadId { layer: 99, head: 0 };
    assert!(refused(&|c| c.ablate(far)).contains("L99H0 does not exist"));
    assert!(refused(&|c| c.scale(HEAD, f32::NAN)).contains("NaN"));
    assert!(
        refused(&|c| c.cut([Cut {
            layer: 0,
            head: 0,
            i: 40,
            j: 0
        }]))
        .contains("there are 40 tokens")
    );
    assert!(refused(&|c| c.ablate_to(HEAD, ndarray::Array1::zeros(1), 0)).contains("d_v is"));
    let patch = |first, rows| Patch {
        at: Patched {
            layer: 0,
            head: 0,
            site: Site::Z,
            first,
            rows,
        },
        values: Array2::zeros((rows, model.config().head_dim)),
    };
    assert!(refused(&|c| c.patch(patch(39, 2))).contains("cannot be patched"));
    assert!(
        refused(&|c| c.patch(Patch {
            values: Array2::zeros((1, 1)),
            ..patch(0, 2)
        }))
        .contains("numbers, not")
    );
}
