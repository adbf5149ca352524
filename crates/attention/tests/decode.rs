//! Decoding against the f64 reference.

mod common;

use common::{Random, agrees, exact};
use half::{bf16, f16};
use lookback_attention::decode::{Cache, Workspace, decode, decode_into_on, decode_on};
use lookback_attention::forward::forward;
use lookback_attention::{Element, Error, InstructionSet, Mask, Scoring};
use ndarray::{Array2, Array3, Array4, ArrayView4, s};
use proptest::prelude::*;

/// One case of the property: everything that a call has.
#[derive(Debug, Clone)]
struct Case {
    b: usize,
    kv_heads: usize,
    group: usize,
    n: usize,
    m: usize,
    d_k: usize,
    d_v: usize,
    mask: Mask,
    scale: Option<f32>,
    soft_cap: Option<f32>,
    alibi: bool,
    sinks: bool,
    bias: Option<[bool; 4]>,
    key_lengths: bool,
    order: usize,
    gap: usize,
    page: usize,
    seed: u64,
}

const ORDERS: [[usize; 4]; 4] = [[0, 1, 2, 3], [0, 2, 1, 3], [3, 1, 0, 2], [1, 0, 3, 2]];

fn depths() -> impl Strategy<Value = usize> {
    prop_oneof![
        1usize..20,
        prop::sample::select(vec![1usize, 7, 16, 33, 64, 80, 96, 128])
    ]
}

fn masks() -> impl Strategy<Value = Option<Mask>> {
    let offset = || prop_oneof![Just(0isize), -20isize..700];
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Mask::None)),
        1 => offset().prop_map(|offset| Some(Mask::Causal { offset })),
        1 => offset().prop_map(|offset| Some(Mask::StrictlyBefore { offset })),
        1 => (1usize..300, offset())
            .prop_map(|(window, offset)| Some(Mask::Window { window, offset })),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (
        1usize..3,
        1usize..3,
        prop_oneof![1usize..6, 7usize..10],
        1usize..9,
        prop_oneof![1usize..40, 200usize..300, 500usize..800],
        depths(),
        depths(),
    );
    let options = (
        masks(),
        prop::option::of(-0.5f32..0.5),
        prop::option::weighted(0.25, 0.5f32..30.0),
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.25),
        prop::option::weighted(0.25, any::<[bool; 4]>()),
        prop::bool::weighted(0.25),
    );
    let storage = (0..ORDERS.len(), 0usize..2, 1usize..70, any::<u64>());
    (shape, options, storage).prop_map(
        |(
            (b, kv_heads, group, n, m, d_k, d_v),
            (mask, scale, soft_cap, alibi, sinks, bias, key_lengths),
            (order, gap, page, seed),
        )| Case {
            b,
            kv_heads,
            group,
            n,
            m,
            d_k,
            d_v,
            mask: mask.unwrap_or(Mask::causal_at_end(n, m)),
            scale,
            soft_cap,
            alibi,
            sinks,
            bias,
            key_lengths,
            order,
            gap,
            page,
            seed,
        },
    )
}

/// What rounding may change in a score, and so, relatively, in a weight: see the forward pass's tests.
fn rounding(case: &Case, q: &ArrayView4<f32>, k: &ArrayView4<f32>) -> f64 {
    let longest = |x: &ArrayView4<f32>| {
        let squares = x.rows().into_iter().map(|row| row.dot(&row));
        squares.fold(0.0, f32::max).sqrt()
    };
    let scale = case.scale.unwrap_or(1.0 / (case.d_k as f32).sqrt()).abs();
    let far = (case.n + case.m + case.mask.offset().unsigned_abs()) as f32;
    let penalty = if case.alibi { 0.2 * far } else { 0.0 };
    2e-7 * f64::from(2.0 + scale * longest(q) * longest(k) + penalty)
}

/// `all` \[B, H, M, d\] as pages of `size` positions in a shuffled order, with a page of NaN that is not used, and the
/// table.
fn paged<E: Element>(
    all: ArrayView4<E>,
    (size, nan): (usize, E),
    random: &mut Random,
) -> (Array4<E>, Array2<u32>) {
    let (b, h, m, d) = all.dim();
    let columns = m.div_ceil(size);
    let count = b * columns + 1;
    let mut free: Vec<u32> = (0..count as u32).collect();
    let mut table = Array2::zeros((b, columns));
    let mut pages = Array4::from_elem((count, h, size, d), nan);
    for ((b, column), page) in table.indexed_iter_mut() {
        *page = free.swap_remove(random.next() as usize % free.len());
        let keys = column * size..m.min((column + 1) * size);
        let len = keys.len();
        let from = all.slice(s![b, .., keys, ..]);
        pages
            .slice_mut(s![*page as usize, .., ..len, ..])
            .assign(&from);
    }
    (pages, table)
}

/// Runs a case on every instruction set, contiguous and paged.
fn check(case: &Case) -> Result<(), TestCaseError> {
    let mut random = Random(case.seed);
    let heads = case.kv_heads * case.group;
    let order = ORDERS[case.order];
    let q = random.array([case.b, heads, case.n, case.d_k], order, case.gap);
    let k = random.array([case.b, case.kv_heads, case.m, case.d_k], order, case.gap);
    let v = random.array([case.b, case.kv_heads, case.m, case.d_v], order, case.gap);
    let slopes: Vec<f32> = (0..heads).map(|_| random.unit() * 0.2 - 0.02).collect();
    let sinks: Vec<f32> = (0..heads).map(|_| random.normal() * 2.0).collect();
    let lengths: Vec<usize> = (0..case.b)
        .map(|_| random.next() as usize % (case.m + 1))
        .collect();
    let full = case.bias.unwrap_or_default();
    let dim = [case.b, heads, case.n, case.m];
    let bias = random.plain(std::array::from_fn(|i| if full[i] { dim[i] } else { 1 }));
    let mut scoring = Scoring::default().with_mask(case.mask);
    scoring.scale = case.scale;
    scoring.soft_cap = case.soft_cap;
    scoring.alibi = case.alibi.then_some(&slopes[..]);
    scoring.sinks = case.sinks.then_some(&sinks[..]);
    scoring.bias = case.bias.map(|_| bias.view());
    scoring.key_lengths = case.key_lengths.then_some(&lengths[..]);

    let (q, k, v) = (q.view(), k.view(), v.view());
    let expected = exact(q, k, v, &scoring);
    let rounding = rounding(case, &q, &k);
    let cache = Cache::Contiguous { k, v };
    let seed = random.next();
    let (k_pages, table) = paged(k, (case.page, f32::NAN), &mut Random(seed));
    let (v_pages, _) = paged(v, (case.page, f32::NAN), &mut Random(seed));
    let pages = Cache::Paged {
        k: k_pages.view(),
        v: v_pages.view(),
        table: table.view(),
    };
    // The positions of the last page beyond M are not real, and a bias has to reach them.
    let covered = table.ncols() * case.page;
    let all = vec![case.m; case.b];
    let mut paged_scoring = scoring.clone();
    paged_scoring.key_lengths = Some(scoring.key_lengths.unwrap_or(&all));
    let wide = scoring.bias.as_ref().map(|bias| match bias.dim().3 {
        1 => bias.to_owned(),
        _ => {
            let (b, h, n, m) = bias.dim();
            let mut wide = Array4::from_elem((b, h, n, covered), f32::NAN);
            wide.slice_mut(s![.., .., .., ..m]).assign(bias);
            wide
        }
    });
    paged_scoring.bias = wide.as_ref().map(|bias| bias.view());
    for set in InstructionSet::available() {
        let found = decode_on(set, q, &cache, &scoring).expect("valid");
        for (at, &o) in found.o.indexed_iter() {
            prop_assert!(
                agrees(o, expected.o[at], 6.0 * rounding, 0.0),
                "{} o{at:?}: {o} {}",
                set.name(),
                expected.o[at]
            );
        }
        for (at, &lse) in found.lse.indexed_iter() {
            let exact = expected.lse[at];
            prop_assert!(
                agrees(lse, exact, rounding, exact.abs()),
                "{} lse{at:?}: {lse} {exact}",
                set.name()
            );
        }
        // The same rows in another place: the same bits.
        let from_pages = decode_on(set, q, &pages, &paged_scoring).expect("valid");
        prop_assert_eq!(&from_pages, &found, "{} paged", set.name());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn any_call_agrees_with_the_reference(case in cases()) {
        check(&case)?;
    }
}

/// Every head size that matters × ragged lengths × rows that share a cache.
#[test]
fn head_sizes_by_ragged_lengths() {
    for d in [1, 7, 16, 64, 80, 96, 128, 256] {
        for (n, m) in [
            (1, 1),
            (1, 31),
            (2, 32),
            (3, 33),
            (4, 256),
            (5, 257),
            (8, 515),
        ] {
            let case = Case {
                b: 1,
                kv_heads: 1,
                group: 1 + m % 2,
                n,
                m,
                d_k: d,
                d_v: if n % 2 == 0 { d } else { d / 2 + 1 },
                mask: Mask::causal_at_end(n, m),
                scale: None,
                soft_cap: None,
                alibi: false,
                sinks: false,
                bias: None,
                key_lengths: false,
                order: 0,
                gap: 0,
                page: 16,
                seed: (d * 1000 + m) as u64,
            };
            check(&case).expect("agrees");
        }
    }
}

/// ‖O − O*‖ / ‖O*‖ on inputs of unit variance, over many chunks.
#[test]
fn relative_error_is_a_few_roundings() {
    let mut random = Random(7);
    let q = random.plain([1, 4, 2, 64]);
    let (k, v) = (
        random.plain([1, 2, 5000, 64]),
        random.plain([1, 2, 5000, 64]),
    );
    let (k, v) = (k.view(), v.view());
    let scoring = Scoring::default().with_mask(Mask::causal_at_end(2, 5000));
    let expected = exact(q.view(), k, v, &scoring);
    for set in InstructionSet::available() {
        let cache = Cache::Contiguous { k, v };
        let found = decode_on(set, q.view(), &cache, &scoring).expect("valid");
        let pairs = found.o.iter().zip(&expected.o);
        let difference: f64 = pairs.map(|(&x, y)| (f64::from(x) - y).powi(2)).sum();
        let norm: f64 = expected.o.iter().map(|y| y * y).sum();
        let error = (difference / norm).sqrt();
        assert!(error < 2e-6, "{}: {error:e}", set.name());
    }
}

/// f16 and bf16 caches are what their exact f32 values are, to the bit.
#[test]
fn half_precision_storage_is_exact() {
    let mut random = Random(11);
    let q = random.plain([1, 6, 2, 40]);
    let (k, v) = (random.plain([1, 2, 290, 40]), random.plain([1, 2, 290, 24]));
    let scoring = Scoring::default().with_mask(Mask::causal_at_end(2, 290));
    for set in InstructionSet::available() {
        let on = |cache: Cache<f32>| decode_on(set, q.view(), &cache, &scoring).expect("valid");
        let (k16, v16) = (k.mapv(f16::from_f32), v.mapv(f16::from_f32));
        let (wide_k, wide_v) = (k16.mapv(f32::from), v16.mapv(f32::from));
        let (k_view, v_view) = (wide_k.view(), wide_v.view());
        let wide = on(Cache::Contiguous {
            k: k_view,
            v: v_view,
        });
        let cache = Cache::Contiguous {
            k: k16.view(),
            v: v16.view(),
        };
        assert_eq!(decode_on(set, q.view(), &cache, &scoring), Ok(wide));
        let (k16, v16) = (k.mapv(bf16::from_f32), v.mapv(bf16::from_f32));
        let (wide_k, wide_v) = (k16.mapv(f32::from), v16.mapv(f32::from));
        let (k_view, v_view) = (wide_k.view(), wide_v.view());
        let wide = on(Cache::Contiguous {
            k: k_view,
            v: v_view,
        });
        let cache = Cache::Contiguous {
            k: k16.view(),
            v: v16.view(),
        };
        assert_eq!(decode_on(set, q.view(), &cache, &scoring), Ok(wide));
    }
}

/// NaN and infinities in each operand do what they do in the reference, and no more.
#[test]
fn nan_and_infinities() {
    let (n, m, d) = (3, 300, 20);
    let payload = f32::from_bits(0x7fc0_0203);
    let values = [f32::NAN, payload, f32::INFINITY, f32::NEG_INFINITY];
    for (seed, value) in values.into_iter().enumerate() {
        for operand in 0..3 {
            for (row, column) in [(0, 0), (31, 19), (256, 5), (298, 16), (299, 0)] {
                for mask in [
                    Mask::None,
                    Mask::causal_at_end(n, m),
                    Mask::Window {
                        window: 7,
                        offset: 29,
                    },
                ] {
                    let mut random = Random(seed as u64);
                    let mut arrays = [
                        random.plain([1, 2, n, d]),
                        random.plain([1, 1, m, d]),
                        random.plain([1, 1, m, d]),
                    ];
                    let row = row % arrays[operand].dim().2;
                    arrays[operand][[0, 0, row, column]] = value;
                    let [q, k, v] = arrays.each_ref().map(|x| x.view());
                    let scoring = Scoring::default().with_mask(mask);
                    let expected = exact(q, k, v, &scoring);
                    for set in InstructionSet::available() {
                        let cache = Cache::Contiguous { k, v };
                        let found = decode_on(set, q, &cache, &scoring).expect("valid");
                        let place = format!(
                            "{} {value} in {operand} at {row},{column} {mask:?}",
                            set.name()
                        );
                        for (at, &o) in found.o.indexed_iter() {
                            let exact = expected.o[at];
                            assert!(agrees(o, exact, 2e-5, 0.0), "{place}: o{at:?} {o} {exact}");
                        }
                        for (at, &lse) in found.lse.indexed_iter() {
                            let exact = expected.lse[at];
                            assert!(agrees(lse, exact, 1e-5, 0.0), "{place}: {lse} {exact}");
                        }
                    }
                }
            }
        }
    }
}

/// Scores that climb with the key make every block raise the reference, within a chunk and from chunk to chunk.
#[test]
fn climbing_scores() {
    let (n, m, d) = (2, 700, 16);
    let mut random = Random(3);
    let mut q = random.plain([1, 1, n, d]);
    let (mut k, v) = (random.plain([1, 1, m, d]), random.plain([1, 1, m, d]));
    q.slice_mut(s![.., .., .., 0]).fill(4.0);
    for slope in [0.5, -0.5, 3.0, 0.05] {
        for ((_, _, j), x) in k.slice_mut(s![.., .., .., 0]).indexed_iter_mut() {
            *x = slope * j as f32;
        }
        let scoring = Scoring::default().with_mask(Mask::None);
        let expected = exact(q.view(), k.view(), v.view(), &scoring);
        for set in InstructionSet::available() {
            let cache = Cache::Contiguous {
                k: k.view(),
                v: v.view(),
            };
            let found = decode_on(set, q.view(), &cache, &scoring).expect("valid");
            // Scores in the thousands have a rounding error of their own.
            let tolerance = 1e-5 * f64::from(slope.abs()) * m as f64;
            for (at, &o) in found.o.indexed_iter() {
                assert!(agrees(o, expected.o[at], tolerance, 0.0), "{at:?}: {o}");
            }
        }
    }
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
