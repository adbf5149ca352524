//! How decoding is called: storage, threads, outputs, misuse.

use half::{bf16, f16};
use lookback_attention::decode::{Cache, Workspace, decode, decode_into_on, decode_on};
use lookback_attention::forward::forward;
use lookback_attention::{Element, Error, InstructionSet, Mask, Scoring};
use ndarray::{Array2, Array3, Array4, ArrayView4, s};

use crate::common::Random;

/// f16 and bf16 caches are what their exact f32 values are, to the bit.
#[test]
fn half_precision_storage_is_exact() {
    fn check<E: Element>(narrow: impl Fn(f32) -> E, widen: impl Fn(E) -> f32) {
        let mut random = Random(11);
        let q = random.plain([1, 6, 2, 40]);
        let (k, v) = (random.plain([1, 2, 290, 40]), random.plain([1, 2, 290, 24]));
        let (k, v) = (k.mapv(&narrow), v.mapv(&narrow));
        let (wide_k, wide_v) = (k.mapv(&widen), v.mapv(&widen));
        let (narrow, wide) = (
            Cache::Contiguous {
                k: k.view(),
                v: v.view(),
            },
            Cache::Contiguous {
                k: wide_k.view(),
                v: wide_v.view(),
            },
        );
        let scoring = Scoring::default().with_mask(Mask::causal_at_end(2, 290));
        for set in InstructionSet::available() {
            let wide = decode_on(set, q.view(), &wide, &scoring);
            let found = decode_on(set, q.view(), &narrow, &scoring);
            assert_eq!(found, wide, "{}", set.name());
        }
    }
    check(f16::from_f32, f16::to_f32);
    check(bf16::from_f32, bf16::to_f32);
}

/// The same bits on any number of threads, of a cache that is large enough to be shared out, whatever the workspace has
/// been used for.
#[test]
fn threads_and_history_do_not_change_a_bit() {
    let mut random = Random(13);
    let q = random.plain([2, 6, 2, 32]);
    let (k, v) = (
        random.plain([2, 2, 1610, 32]),
        random.plain([2, 2, 1610, 48]),
    );
    let cache = Cache::Contiguous {
        k: k.view(),
        v: v.view(),
    };
    let lengths = [1610, 700];
    let scoring = Scoring::default()
        .with_mask(Mask::causal_at_end(2, 1610))
        .with_key_lengths(&lengths);
    let set = InstructionSet::best();
    let on = |threads, workspace: &mut Workspace| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        let mut o = Array4::zeros((2, 6, 2, 48));
        let mut lse = Array3::zeros((2, 6, 2));
        let views = (o.view_mut(), lse.view_mut());
        let call = || {
            decode_into_on(set, q.view(), &cache, &scoring, workspace, views.0, views.1)
                .expect("valid");
        };
        pool.install(call);
        (o.mapv(f32::to_bits), lse.mapv(f32::to_bits))
    };
    let one = on(1, &mut Workspace::new());
    let mut used = Workspace::new();
    for threads in [2, 3] {
        assert!(on(threads, &mut used) == one, "{threads} threads");
    }
}

/// What the forward pass gives, through views of longer arrays and into strided outputs.
#[test]
fn agrees_with_the_forward_pass() {
    let mut random = Random(17);
    let q = random.plain([2, 6, 4, 24]);
    // [B, capacity, H_kv, d], as a growing cache may lie.
    let (k, v) = (random.plain([2, 600, 3, 24]), random.plain([2, 600, 3, 20]));
    let view = |x: &Array4<f32>| -> Array4<f32> { x.slice(s![.., ..333, .., ..]).to_owned() };
    let (short_k, short_v) = (view(&k), view(&v));
    let swap = |x: ArrayView4<'_, f32>| x.permuted_axes([0, 2, 1, 3]).to_owned();
    let scoring = Scoring::default().with_mask(Mask::causal_at_end(4, 333));
    let expected = forward(
        q.view(),
        swap(short_k.view()).view(),
        swap(short_v.view()).view(),
        &scoring,
    )
    .expect("valid");
    let cache = Cache::Contiguous {
        k: k.slice(s![.., ..333, .., ..]).permuted_axes([0, 2, 1, 3]),
        v: v.slice(s![.., ..333, .., ..]).permuted_axes([0, 2, 1, 3]),
    };
    let mut o = Array4::from_elem((4, 2, 6, 40), f32::NAN);
    let mut lse = Array3::from_elem((4, 6, 2), f32::NAN);
    for set in InstructionSet::available() {
        let o = o
            .slice_mut(s![.., .., .., ..;2])
            .permuted_axes([1, 2, 0, 3]);
        let lse = lse.view_mut().permuted_axes([2, 1, 0]);
        let workspace = &mut Workspace::new();
        decode_into_on(set, q.view(), &cache, &scoring, workspace, o, lse).expect("valid");
    }
    let found = o.slice(s![.., .., .., ..;2]).permuted_axes([1, 2, 0, 3]);
    for (x, y) in found.iter().zip(&expected.o) {
        assert!((x - y).abs() < 1e-5, "{x} {y}");
    }
    let apart = o.slice(s![.., .., .., 1..;2]);
    assert!(
        apart.iter().all(|x| x.is_nan()),
        "wrote between the columns"
    );
    for (x, y) in lse.permuted_axes([2, 1, 0]).iter().zip(&expected.lse) {
        assert!((x - y).abs() < 1e-5, "{x} {y}");
    }
}

#[test]
fn misuse_is_a_typed_error() {
    let q = Array4::<f32>::zeros((1, 4, 1, 8));
    let pages = Array4::<f32>::zeros((3, 2, 16, 8));
    let of = |pages: &Array4<f32>, table: &Array2<u32>, lengths: &[usize]| {
        let cache = Cache::Paged {
            k: pages.view(),
            v: pages.view(),
            table: table.view(),
        };
        let scoring = Scoring::default()
            .with_mask(Mask::None)
            .with_key_lengths(lengths);
        decode(q.view(), &cache, &scoring)
    };
    let table = Array2::from_shape_vec((1, 3), vec![2, 0, 7]).expect("three");
    // Page 7 does not exist: needed by the 33rd key, not before.
    assert!(of(&pages, &table, &[32]).is_ok());
    let error = of(&pages, &table, &[33]).expect_err("page 7 of 3");
    assert_eq!(error.to_string(), "pages 7..8 is not within 0..3");
    let error = of(&pages, &table, &[49]).expect_err("49 of 48 keys");
    assert_eq!(error.to_string(), "keys 0..49 is not within 0..48");
    let two = Array2::<u32>::zeros((2, 3));
    let error = of(&pages, &two, &[1]).expect_err("a table of another batch");
    assert_eq!(
        error.to_string(),
        "B is 1 in q but 2 in table; they must be equal"
    );
    let none = Array4::<f32>::zeros((3, 2, 0, 8));
    let error = of(&none, &table, &[0]).expect_err("pages of nothing");
    assert_eq!(error.to_string(), "S of k is 0; it must be at least 1");
    let column = [0u32];
    let table = ndarray::ArrayView2::from_shape((1, 1), &column).expect("one");
    let table = table.broadcast((1, usize::MAX / 8)).expect("broadcast");
    let cache = Cache::Paged {
        k: pages.view(),
        v: pages.view(),
        table,
    };
    let error = decode(q.view(), &cache, &Scoring::default()).expect_err("too many positions");
    assert_eq!(
        error,
        Error::TooLarge {
            operand: "the table"
        }
    );
    let contiguous = Cache::Contiguous {
        k: pages.view(),
        v: pages.view(),
    };
    let error = decode(q.view(), &contiguous, &Scoring::default()).expect_err("B differs");
    assert_eq!(
        error.to_string(),
        "B is 1 in q but 3 in k; they must be equal"
    );
}
