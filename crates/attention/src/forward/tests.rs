//! What needs the inside: the generic code at lane widths and tile shapes that this machine lacks.

use lookback_simd::{Emulated, Isa};
use ndarray::{Array3, Array4, ArrayView4};

use super::Output;
use super::driver::{BatchElement, Forward};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::testing::uniform;
use crate::{Mask, Scoring, reference};

/// The forward pass on `isa`.
fn on<I: Isa>(isa: I, [q, k, v]: [ArrayView4<f32>; 3], scoring: &Scoring) -> Output {
    let shape = Shape::new(q.dim(), k.dim(), v.dim()).expect("valid");
    let mut o = Array4::zeros((shape.b, shape.h, shape.n, shape.d_v));
    let mut lse = Array3::zeros((shape.b, shape.h, shape.n));
    let scorings = HeadScoring::of_batch(scoring, &shape).expect("valid");
    let outs = (o.view_mut(), lse.view_mut());
    isa.run(Forward {
        elements: BatchElement::of_batch(q, (k, v), &scorings, outs),
        h_kv: shape.h_kv,
        d_k: shape.d_k,
        d_v: shape.d_v,
    });
    Output { o, lse }
}

#[test]
fn narrowest_and_widest_lanes() {
    let (n, m) = (37, 290);
    for (d_k, d_v) in [(1, 7), (33, 16), (20, 40)] {
        let (q, k, v) = (
            uniform((1, 2, n, d_k), 1),
            uniform((1, 1, m, d_k), 2),
            uniform((1, 1, m, d_v), 3),
        );
        let bias = uniform((1, 2, n, m), 4);
        let plain = Scoring::default().with_mask(Mask::causal_at_end(n, m));
        for scoring in [
            plain.clone(),
            plain.clone().with_mask(Mask::Window {
                window: 40,
                offset: 203,
            }),
            plain
                .with_soft_cap(1.3)
                .with_bias(bias.view())
                .with_alibi(&[0.1, 0.2]),
        ] {
            let wide = |x: &Array4<f32>| x.mapv(f64::from);
            let (wide_q, wide_k, wide_v) = (wide(&q), wide(&k), wide(&v));
            let exact = reference::attention(wide_q.view(), wide_k.view(), wide_v.view(), &scoring)
                .expect("valid");
            let check = |name: &str, found: Output| {
                for (x, y) in found.o.iter().zip(&exact.o) {
                    assert!((f64::from(*x) - y).abs() < 1e-5, "{name}: {x} {y}");
                }
                for (x, y) in found.lse.iter().zip(&exact.lse) {
                    assert!((f64::from(*x) - y).abs() < 1e-5, "{name}: lse {x} {y}");
                }
            };
            let operands = [q.view(), k.view(), v.view()];
            check("1 lane", on(Emulated::<1, 3, 16, 16>, operands, &scoring));
            check("16 lanes", on(Emulated::<16, 14, 2, 1>, operands, &scoring));
        }
    }
}
