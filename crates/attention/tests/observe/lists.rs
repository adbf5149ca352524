//! Lists of the heaviest keys against a sort of all weights, bit for bit, over orders of keys that are hard on lists.

use lookback_attention::forward::forward;
use lookback_attention::observe::{Edge, Rows, TopK, observe_on};
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::{Array3, Array4, ArrayView1, s};

use crate::common::Random;

/// Queries, and keys: not whole words, nor whole tiles.
const N: usize = 37;
const M: usize = 1_171;

/// Scores of all keys for a query of 1.
fn orders() -> Vec<(&'static str, Vec<f32>)> {
    let mut random = Random(11);
    let each = |score: &mut dyn FnMut(usize) -> f32| (0..M).map(score).collect::<Vec<f32>>();
    vec![
        ("no order", each(&mut |_| random.normal())),
        ("rising", each(&mut |j| j as f32 / 200.0)),
        ("falling", each(&mut |j| j as f32 / -200.0)),
        ("all equal", each(&mut |_| 1.0)),
        ("three values", each(&mut |j| (j * 7 % 3) as f32)),
        (
            "nearly equal",
            each(&mut |j| 1.0 + (j * 31 % 17) as f32 * 1e-6),
        ),
        (
            "one of many",
            each(&mut |j| if j == 700 { 60.0 } else { 0.0 }),
        ),
        (
            "most of them 0",
            each(&mut |j| if j % 97 == 0 { 0.0 } else { -200.0 }),
        ),
    ]
}

/// The k largest, heaviest first and among equals the earlier key first; none that are 0.
fn sorted(values: ArrayView1<f32>, k: usize) -> Vec<(usize, f32)> {
    let mut all: Vec<(usize, f32)> = values.iter().copied().enumerate().collect();
    all.retain(|(_, value)| *value != 0.0);
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

#[test]
fn lists_are_what_sorting_all_weights_gives() {
    let mut random = Random(12);
    let factors = Array3::from_shape_simple_fn((1, 1, M), || random.unit().abs() * 2.0);
    let q = Array4::from_shape_fn((1, 1, N, 1), |(_, _, i, _)| 1.0 - i as f32 / 100.0);
    let mask = Mask::causal_at_end(N, M);
    let scoring = Scoring::default().with_mask(mask);
    // An edge of a query in the middle of a tile.
    let cut = [Edge {
        batch: 0,
        head: 0,
        query: 20,
        key: 700,
    }];
    for (order, scores) in orders() {
        let k = Array4::from_shape_vec((1, 1, M, 1), scores).expect("as many");
        let lse = forward(q.view(), k.view(), k.view(), &scoring);
        let lse = lse.expect("valid").lse;
        for set in InstructionSet::available() {
            for most in [1, 3, 16, 17, 32, 33, 100, M] {
                let product = TopK::by_product(most, factors.view());
                let observer = (
                    Rows::new((0..N).collect::<Vec<_>>()),
                    TopK::by_weight(most),
                    product,
                );
                let call = (q.view(), k.view(), lse.view());
                let found = observe_on(set, call, &scoring, &cut, &observer).expect("valid");
                let (rows, by_weight, by_product) = found;
                for i in 0..N {
                    let weights = rows.slice(s![0, 0, i, ..]);
                    let products = &weights * &factors.slice(s![0, 0, ..]);
                    let name = format!("{}, {order}, k {most}, query {i}", set.name());
                    let list: Vec<_> = by_weight.list(0, 0, i).collect();
                    assert_eq!(list, sorted(weights, most), "by weight: {name}");
                    let list: Vec<_> = by_product.list(0, 0, i).collect();
                    assert_eq!(list, sorted(products.view(), most), "by product: {name}");
                }
            }
        }
    }
}
