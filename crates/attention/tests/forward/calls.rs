//! How the pass is called: storage, threads, outputs.

use half::{bf16, f16};
use lookback_attention::forward::{forward, forward_into, forward_on};
use lookback_attention::{Element, InstructionSet, Mask, Scoring};
use ndarray::{Array3, Array4, s};

use crate::common::Random;

/// f16 and bf16 keys and values are what their exact f32 values are.
#[test]
fn half_precision_storage_is_exact() {
    fn check<E: Element>(narrow: impl Fn(f32) -> E, widen: impl Fn(E) -> f32) {
        let mut random = Random(11);
        let q = random.plain([1, 4, 70, 40]);
        let (k, v) = (random.plain([1, 2, 90, 40]), random.plain([1, 2, 90, 24]));
        let (k, v) = (k.mapv(&narrow), v.mapv(&narrow));
        let (wide_k, wide_v) = (k.mapv(&widen), v.mapv(&widen));
        let scoring = Scoring::default().with_mask(Mask::causal_at_end(70, 90));
        for set in InstructionSet::available() {
            let wide = forward_on(set, q.view(), wide_k.view(), wide_v.view(), &scoring);
            let found = forward_on(set, q.view(), k.view(), v.view(), &scoring);
            assert_eq!(found, wide, "{}", set.name());
        }
    }
    check(f16::from_f32, f16::to_f32);
    check(bf16::from_f32, bf16::to_f32);
}

/// The same bits on any number of threads.
#[test]
fn threads_do_not_change_a_bit() {
    let mut random = Random(13);
    let (q, k, v) = (
        random.plain([2, 4, 300, 32]),
        random.plain([2, 2, 610, 32]),
        random.plain([2, 2, 610, 48]),
    );
    let scoring = Scoring::default().with_mask(Mask::causal_at_end(300, 610));
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        pool.install(|| {
            let out = forward(q.view(), k.view(), v.view(), &scoring).expect("valid");
            let bits = |x: &f32| x.to_bits();
            (
                out.o.iter().map(bits).collect::<Vec<_>>(),
                out.lse.iter().map(bits).collect::<Vec<_>>(),
            )
        })
    };
    let one = on(1);
    for threads in [2, 3] {
        assert!(on(threads) == one, "{threads} threads");
    }
}

/// Output arrays of any strides.
#[test]
fn strided_outputs() {
    let mut random = Random(17);
    let (q, k, v) = (
        random.plain([2, 3, 20, 8]),
        random.plain([2, 1, 20, 8]),
        random.plain([2, 1, 20, 18]),
    );
    let scoring = Scoring::default();
    let plain = forward(q.view(), k.view(), v.view(), &scoring).expect("valid");
    // [N, B, H, d_v] and every second column of twice as many; [N, H, B].
    let mut o = Array4::from_elem((20, 2, 3, 36), f32::NAN);
    let mut lse = Array3::from_elem((20, 3, 2), f32::NAN);
    {
        let o = o
            .slice_mut(s![.., .., .., ..;2])
            .permuted_axes([1, 2, 0, 3]);
        let lse = lse.view_mut().permuted_axes([2, 1, 0]);
        forward_into(q.view(), k.view(), v.view(), &scoring, o, lse).expect("valid");
    }
    assert_eq!(
        o.slice(s![.., .., .., ..;2]).permuted_axes([1, 2, 0, 3]),
        plain.o
    );
    assert!(
        o.slice(s![.., .., .., 1..;2]).iter().all(|x| x.is_nan()),
        "wrote between the columns"
    );
    assert_eq!(lse.view().permuted_axes([2, 1, 0]), plain.lse);
}
