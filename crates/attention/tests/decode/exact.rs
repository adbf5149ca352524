//! Any call against the reference, contiguous and paged.

use lookback_attention::decode::{Cache, decode_on};
use lookback_attention::{Element, InstructionSet, Mask, Scoring};
use ndarray::{Array2, Array4, ArrayView4, s};
use proptest::prelude::*;

use crate::common::cases::{Case, cases};
use crate::common::{Random, assert_agree, exact, output_agrees};

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

/// Runs a case on every instruction set, contiguous and in pages of `page` positions.
fn check(case: &Case, page: usize) -> Result<(), TestCaseError> {
    let mut random = Random(case.seed);
    let operands = case.operands(&mut random);
    let ([q, k, v], scoring) = (operands.views(), operands.scoring());
    let expected = exact(q, k, v, &scoring);
    let rounding = case.rounding(&q, &k);
    let cache = Cache::Contiguous { k, v };
    let seed = random.next();
    let (k_pages, table) = paged(k, (page, f32::NAN), &mut Random(seed));
    let (v_pages, _) = paged(v, (page, f32::NAN), &mut Random(seed));
    let pages = Cache::Paged {
        k: k_pages.view(),
        v: v_pages.view(),
        table: table.view(),
    };
    // The positions of the last page beyond M are not real, and a bias has to reach them.
    let covered = table.ncols() * page;
    let all = vec![case.m; case.b];
    let mut paged_scoring = scoring.clone();
    paged_scoring.key_lengths = Some(scoring.key_lengths.unwrap_or(&all));
    let wide = scoring.bias.as_ref().map(|bias| widened(bias, covered));
    paged_scoring.bias = wide.as_ref().map(|bias| bias.view());
    for set in InstructionSet::available() {
        let found = decode_on(set, q, &cache, &scoring).expect("valid");
        output_agrees(set.name(), &found, &expected, rounding)?;
        // The same rows in another place: the same bits.
        let from_pages = decode_on(set, q, &pages, &paged_scoring).expect("valid");
        prop_assert_eq!(&from_pages, &found, "{} paged", set.name());
    }
    Ok(())
}

/// A bias over M positions as one over `covered`, NaN beyond M.
fn widened(bias: &ArrayView4<f32>, covered: usize) -> Array4<f32> {
    let (b, h, n, m) = bias.dim();
    if m == 1 {
        return bias.to_owned();
    }
    let mut wide = Array4::from_elem((b, h, n, covered), f32::NAN);
    wide.slice_mut(s![.., .., .., ..m]).assign(bias);
    wide
}

/// Cases of few queries, often the last of the keys.
fn decodes() -> impl Strategy<Value = Case> {
    let group = prop_oneof![1usize..6, 7usize..10];
    let m = prop_oneof![1usize..40, 200usize..300, 500usize..800];
    let cases = (cases(group, (1usize..9, m)), prop::bool::weighted(0.4));
    cases.prop_map(|(mut case, at_end)| {
        if at_end {
            case.options.mask = Mask::causal_at_end(case.n, case.m);
        }
        case
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn any_call_agrees_with_the_reference(case in decodes(), page in 1usize..70) {
        check(&case, page)?;
    }
}

/// Every head size that matters × ragged lengths × rows that share a cache.
#[test]
fn head_sizes_by_ragged_lengths() {
    const LENGTHS: [(usize, usize); 7] = [
        (1, 1),
        (1, 31),
        (2, 32),
        (3, 33),
        (4, 256),
        (5, 257),
        (8, 515),
    ];
    for d in [1, 7, 16, 64, 80, 96, 128, 256] {
        for (n, m) in LENGTHS {
            let d_v = if n % 2 == 0 { d } else { d / 2 + 1 };
            check(&Case::plain(1 + m % 2, (n, m), (d, d_v)), 16).expect("agrees");
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
            assert_agree(set.name(), &found.o, &expected.o, tolerance);
        }
    }
}
