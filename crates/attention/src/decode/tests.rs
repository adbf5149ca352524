//! What needs the inside: the generic code at lane widths that this machine lacks.

use lookback_simd::{Emulated, Isa};
use ndarray::{Array3, Array4, ArrayView4};

use super::driver::Decode;
use super::{Cache, Workspace};
use crate::forward::Output;
use crate::testing::uniform;
use crate::{Mask, Scoring, reference};

/// Decoding on `isa`.
fn on<I: Isa>(isa: I, q: ArrayView4<f32>, cache: Cache<f32>, scoring: &Scoring) -> Output {
    let shape = cache.validate(q.raw_dim(), scoring).expect("valid");
    let mut o = Array4::zeros((shape.b, shape.h, shape.n, shape.d_v));
    let mut lse = Array3::zeros((shape.b, shape.h, shape.n));
    let call = Decode {
        shape,
        q,
        cache,
        scoring,
        workspace: &mut Workspace::new(),
        o: o.view_mut(),
        lse: lse.view_mut(),
    };
    isa.run(call).expect("valid");
    Output { o, lse }
}

#[test]
fn narrowest_and_widest_lanes() {
    for (group, n) in [(1, 1), (2, 1), (3, 1), (5, 2)] {
        for (d_k, d_v) in [(1, 7), (33, 16), (20, 40)] {
            let (q, k, v) = (
                uniform((1, 2 * group, n, d_k), 1),
                uniform((1, 2, 300, d_k), 2),
                uniform((1, 2, 300, d_v), 3),
            );
            let bias = uniform((1, 2 * group, n, 300), 4);
            let plain = Scoring::default().with_mask(Mask::causal_at_end(n, 300));
            for scoring in [
                plain.clone(),
                plain.with_soft_cap(1.3).with_bias(bias.view()),
            ] {
                let wide = |x: &Array4<f32>| x.mapv(f64::from);
                let exact = reference::attention(
                    wide(&q).view(),
                    wide(&k).view(),
                    wide(&v).view(),
                    &scoring,
                )
                .expect("valid");
                let cache = Cache::Contiguous {
                    k: k.view(),
                    v: v.view(),
                };
                let check = |name: &str, found: Output| {
                    for (x, y) in found.o.iter().zip(&exact.o) {
                        assert!((f64::from(*x) - y).abs() < 1e-5, "{name}: {x} {y}");
                    }
                    for (x, y) in found.lse.iter().zip(&exact.lse) {
                        assert!((f64::from(*x) - y).abs() < 1e-5, "{name}: lse {x} {y}");
                    }
                };
                let q = q.view();
                check("1 lane", on(Emulated::<1, 3, 16, 16>, q, cache, &scoring));
                check("16 lanes", on(Emulated::<16, 14, 2, 1>, q, cache, &scoring));
            }
        }
    }
}
