//! The forward pass and its observers in one.

use half::{bf16, f16};
use lookback_attention::observe::{
    Entropy, Pool, PooledTile, Received, Span, SpanMass, TopK, forward_and_observe,
    forward_and_observe_on, observe, observe_on,
};
use lookback_attention::{Error, InstructionSet, Mask, Scoring};
use ndarray::Array4;
use proptest::prelude::*;

use crate::asked::{Asked, Truth};
use crate::common::cases::{Case, cases, lengths};
use crate::common::not_finite::{Dims, each};
use crate::common::{Random, assert_agree, exact, output_agrees};

/// Runs a case on every instruction set and compares O, LSE and all observers with the reference.
fn check(case: &Case, k: usize) -> Result<(), TestCaseError> {
    let mut random = Random(case.seed);
    let operands = case.operands(&mut random);
    let ([q, keys, v], scoring) = (operands.views(), operands.scoring());
    let expected = exact(q, keys, v, &scoring);
    let rounding = case.rounding(&q, &keys);
    let truth = Truth {
        weights: &expected.weights,
        // As where the LSE is given; and it is found with the error of a score.
        off: 3.0 * rounding + 48.0 * 6e-8,
    };
    let shape = [case.heads(), case.n, case.m];
    let asked = Asked::new(shape, k, case.options.mask.clone(), &mut random);
    for set in InstructionSet::available() {
        let call = forward_and_observe_on(set, q, (keys, v), &scoring, &asked.observer());
        let (out, found) = call.expect("valid");
        output_agrees(set.name(), &out, &expected, rounding)?;
        asked.compare(found, &truth)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_call_agrees_with_the_reference(
        case in cases(1usize..3, (lengths(), lengths())),
        k in prop_oneof![4 => 0usize..20, 1 => 60usize..200],
    ) {
        check(&case, k)?;
    }
}

/// Every head size that matters × ragged lengths.
#[test]
fn head_sizes_by_ragged_lengths() {
    for d in [1, 7, 16, 64, 80, 96, 128, 256] {
        for (n, m) in [(1, 1), (1, 17), (7, 33), (97, 97), (13, 257), (101, 515)] {
            let d_v = if n % 2 == 0 { d } else { d / 2 + 1 };
            check(&Case::plain(2, (n, m), (d, d_v)), 5).expect("agrees");
        }
    }
}

#[test]
fn not_finite_numbers_do_what_they_do_in_the_reference() {
    let (n, m) = (40, 300);
    let dims = Dims { h: 2, n, m, d: 20 };
    let places = [(0, 0), (17, 5), (39, 16), (270, 19)];
    let window = Mask::Window {
        window: 7,
        offset: 3,
    };
    let masks = [Mask::None, Mask::causal_at_end(n, m), window];
    each(dims, &places, &masks, |call| {
        let truth = Truth {
            weights: &call.exact.weights,
            off: 2e-5,
        };
        let asked = Asked::new([dims.h, n, m], 5, call.scoring.mask.clone(), &mut Random(1));
        for set in InstructionSet::available() {
            let what = |name| format!("{name} on {}, {}", set.name(), call.place);
            let kv = (call.k, call.v);
            let found = forward_and_observe_on(set, call.q, kv, &call.scoring, &asked.observer());
            let (out, found) = found.expect("valid");
            assert_agree(&what("o"), &out.o, &call.exact.o, 2e-5);
            assert_agree(&what("lse"), &out.lse, &call.exact.lse, 1e-5);
            let found = asked.compare(found, &truth);
            found.unwrap_or_else(|error| panic!("{}: {error}", what("observers")));
        }
    });
}

/// q, k and v \[1, 2, n, 16\].
fn operands(n: usize) -> [Array4<f32>; 3] {
    let mut random = Random(5);
    std::array::from_fn(|_| random.plain([1, 2, n, 16]))
}

#[test]
fn observers_see_the_very_weights_of_the_lse_on_any_number_of_threads() {
    let n = 700;
    let [q, k, v] = operands(n);
    let asked = Asked::new([2, n, n], 16, Mask::default(), &mut Random(2));
    let scoring = Scoring::default();
    for set in InstructionSet::available() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let run = || {
                let (q, kv) = (q.view(), (k.view(), v.view()));
                forward_and_observe_on(set, q, kv, &scoring, &asked.observer()).expect("valid")
            };
            pool.build().expect("a pool").install(run)
        };
        let (out, found) = on(1);
        let call = (q.view(), k.view(), out.lse.view());
        let apart = observe_on(set, call, &scoring, &[], &asked.observer()).expect("valid");
        assert!(found == apart, "{}", set.name());
        for threads in [2, 3] {
            let again = on(threads);
            assert!(
                again == (out.clone(), found.clone()),
                "{} on {threads} threads",
                set.name()
            );
        }
    }
}

/// Of what is a number for every row, also for those that see no key.
#[test]
fn observers_see_the_very_weights_under_every_option() {
    let (n, m) = (150, 400);
    let mut random = Random(4);
    let q = random.plain([2, 4, n, 16]);
    let [k, v]: [_; 2] = std::array::from_fn(|_| random.plain([2, 2, m, 16]));
    let bias = random.plain([1, 4, n, m]);
    let plain = Scoring::default().with_mask(Mask::causal_at_end(n, m));
    let window = Scoring::default().with_mask(Mask::Window {
        window: 70,
        offset: -20,
    });
    let (mut sinks, mut lengths) = (plain.clone(), plain.clone());
    sinks = sinks.with_sinks(vec![0.5, 3.0, -2.0, 9.0]);
    sinks.soft_cap = Some(5.0);
    lengths.key_lengths = Some(&[0, 333]);
    lengths = lengths.with_alibi(vec![0.1, 0.0, 0.02, 0.3]);
    let biased = plain.clone().with_bias(bias.view());
    let picture = PooledTile {
        rows: 0..n,
        cols: 0..m,
        height: 11,
        width: 13,
        pool: Pool::Mean,
    };
    let spans = SpanMass::new([Span::own(), Span::Keys(30..300)]);
    let observer = (TopK::by_weight(7), Received, spans, picture);
    for (name, scoring) in [
        ("plain", plain),
        ("window", window),
        ("sinks", sinks),
        ("lengths", lengths),
        ("bias", biased),
    ] {
        for set in InstructionSet::available() {
            let kv = (k.view(), v.view());
            let together = forward_and_observe_on(set, q.view(), kv, &scoring, &observer);
            let (out, found) = together.expect("valid");
            let call = (q.view(), k.view(), out.lse.view());
            let apart = observe_on(set, call, &scoring, &[], &observer).expect("valid");
            assert!(found == apart, "{name} on {}", set.name());
        }
    }
}

/// Where f32 tells an LSE to no more than 256, O is still what it is.
#[test]
fn scores_beyond_all_measure() {
    let (n, m) = (7, 37);
    let mut random = Random(3);
    let (q, k) = (Array4::zeros((1, 1, n, 4)), Array4::zeros((1, 1, m, 4)));
    let v = random.plain([1, 1, m, 5]);
    for score in [-2_090_228_352.0, 2_090_228_352.0, -3.3e9, 7.7e12, -1e30] {
        let bias = Array4::from_elem((1, 1, n, m), score);
        let scoring = Scoring::default()
            .with_mask(Mask::None)
            .with_bias(bias.view());
        let expected = exact(q.view(), k.view(), v.view(), &scoring);
        for set in InstructionSet::available() {
            let kv = (k.view(), v.view());
            let found = forward_and_observe_on(set, q.view(), kv, &scoring, &Received);
            let (out, _) = found.expect("valid");
            let what = format!("o of {score} on {}", set.name());
            assert_agree(&what, &out.o, &expected.o, 1e-6);
        }
    }
}

#[test]
fn keys_and_values_of_half_precision_count_as_the_numbers_they_hold() {
    let [q, k, v] = operands(130);
    let scoring = Scoring::default();
    let (k16, v16) = (k.mapv(f16::from_f32), v.mapv(f16::from_f32));
    let found = forward_and_observe(q.view(), k16.view(), v16.view(), &scoring, &Received);
    let (k32, v32) = (k16.mapv(f32::from), v16.mapv(f32::from));
    let exact = forward_and_observe(q.view(), k32.view(), v32.view(), &scoring, &Received);
    assert_eq!(found, exact);
    let (k16, v16) = (k.mapv(bf16::from_f32), v.mapv(bf16::from_f32));
    let found = forward_and_observe(q.view(), k16.view(), v16.view(), &scoring, &Received);
    let (k32, v32) = (k16.mapv(f32::from), v16.mapv(f32::from));
    let exact = forward_and_observe(q.view(), k32.view(), v32.view(), &scoring, &Received);
    assert_eq!(found, exact);
}

/// ‖O − O*‖ / ‖O*‖ on inputs of unit variance.
#[test]
fn relative_error_is_a_few_roundings() {
    let mut random = Random(7);
    let [q, k, v]: [_; 3] = std::array::from_fn(|_| random.plain([1, 2, 1024, 64]));
    for mask in [Mask::None, Mask::default()] {
        let scoring = Scoring::default().with_mask(mask.clone());
        let expected = exact(q.view(), k.view(), v.view(), &scoring);
        for set in InstructionSet::available() {
            let kv = (k.view(), v.view());
            let (out, _) =
                forward_and_observe_on(set, q.view(), kv, &scoring, &Entropy).expect("valid");
            let off = out.o.mapv(f64::from) - &expected.o;
            let norm = |x: &Array4<f64>| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            let error = norm(&off) / norm(&expected.o);
            assert!(error < 1e-6, "{} {mask:?}: {error:e}", set.name());
        }
    }
}

/// So many keys that a block has fewer queries than usual.
#[test]
fn many_keys_make_low_blocks() {
    let (n, m) = (50, 90_000);
    let mut random = Random(9);
    let q = random.plain([1, 1, n, 8]);
    let [k, v]: [_; 2] = std::array::from_fn(|_| random.plain([1, 1, m, 8]));
    let scoring = Scoring::default().with_mask(Mask::causal_at_end(n, m));
    let expected = exact(q.view(), k.view(), v.view(), &scoring);
    for set in InstructionSet::available() {
        let (kv, top) = ((k.view(), v.view()), TopK::by_weight(9));
        let (out, found) =
            forward_and_observe_on(set, q.view(), kv, &scoring, &top).expect("valid");
        assert_agree("o", &out.o, &expected.o, 1e-6);
        // f32 holds an LSE of 12 to 1e-6.
        assert_agree("lse", &out.lse, &expected.lse, 2e-6);
        let call = (q.view(), k.view(), out.lse.view());
        let apart = observe_on(set, call, &scoring, &[], &top).expect("valid");
        assert_eq!(found, apart, "{}", set.name());
    }
}

#[test]
fn a_picture_of_a_part_is_what_it_is_alone() {
    let n = 600;
    let [q, k, v] = operands(n);
    let part = PooledTile {
        rows: 100..130,
        cols: 40..50,
        height: 5,
        width: 5,
        pool: Pool::Mean,
    };
    let scoring = Scoring::default();
    let call = forward_and_observe(q.view(), k.view(), v.view(), &scoring, &part);
    let (out, found) = call.expect("valid");
    let apart = observe(q.view(), k.view(), out.lse.view(), &scoring, &part);
    assert_eq!(found, apart.expect("valid"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let [q, k, v] = operands(20);
    let scoring = Scoring::default();
    let short = v.slice(ndarray::s![.., .., ..19, ..]);
    let rejected = forward_and_observe(q.view(), k.view(), short, &scoring, &Entropy);
    let rejected = rejected.expect_err("19 values for 20 keys");
    assert!(
        matches!(rejected, Error::ShapeMismatch { dimension: "M", .. }),
        "{rejected}"
    );
    let beyond = PooledTile {
        rows: 0..21,
        cols: 0..20,
        height: 5,
        width: 5,
        pool: Pool::Mean,
    };
    let rejected = forward_and_observe(q.view(), k.view(), v.view(), &scoring, &beyond);
    let rejected = rejected.expect_err("21 rows of 20");
    assert!(
        matches!(rejected, Error::RangeOutOfBounds { end: 21, .. }),
        "{rejected}"
    );
    let cold = Scoring::default().with_scale(f32::NAN);
    let rejected = forward_and_observe(q.view(), k.view(), v.view(), &cold, &Entropy);
    let rejected = rejected.expect_err("a scale of NaN");
    assert!(
        matches!(rejected, Error::NonFiniteScale { .. }),
        "{rejected}"
    );
}
