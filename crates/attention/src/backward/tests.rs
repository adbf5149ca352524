//! What needs the inside: the generic code at lane widths and tile shapes that this machine lacks.

use lookback_simd::{Emulated, Isa};
use ndarray::{ArrayView4, Dimension};

use super::driver::Backward;
use super::{Gradients, Inputs, Options, bias};
use crate::forward::forward;
use crate::reference;
use crate::testing::uniform;
use crate::{Mask, Scoring};

/// The gradients on `isa`.
fn on<I: Isa>(isa: I, inputs: &Inputs, scoring: &Scoring) -> Gradients {
    let options = Options::default();
    let shape = inputs.validate(&options, scoring).expect("valid");
    let mut gradients = Gradients::zeros(&shape, &options, scoring).expect("small");
    let heads = inputs.heads(&shape, &options, scoring).expect("valid");
    let scale = scoring.scale_for(shape.d_k).expect("finite");
    let (d_bias, by_head) = gradients.view_mut().by_head();
    isa.run(Backward {
        h: shape.h,
        h_kv: shape.h_kv,
        heads: &heads,
        sharing: heads.len(),
        scale,
        gradients: by_head,
    });
    if let Some(d_bias) = d_bias {
        isa.run(bias::Derive {
            shape,
            heads: &heads,
            d_bias,
        });
    }
    gradients
}

fn close<D: Dimension>(name: &str, found: &ndarray::Array<f32, D>, exact: &ndarray::Array<f64, D>) {
    for (found, exact) in found.iter().zip(exact) {
        assert!(
            (f64::from(*found) - exact).abs() < 2e-5,
            "{name}: {found}, the reference has {exact}"
        );
    }
}

fn check(name: &str, found: &Gradients, exact: &reference::ExactGradients) {
    close(&format!("dq, {name}"), &found.dq, &exact.dq);
    close(&format!("dk, {name}"), &found.dk, &exact.dk);
    close(&format!("dv, {name}"), &found.dv, &exact.dv);
    if let (Some(found), Some(exact)) = (&found.d_bias, &exact.d_bias) {
        close(&format!("d_bias, {name}"), found, exact);
    }
}

#[test]
fn narrowest_and_widest_lanes() {
    let (b, h, h_kv, n, m) = (1, 2, 1, 137, 150);
    for (d_k, d_v) in [(1, 7), (33, 16), (20, 40)] {
        let (q, d_o) = (uniform((b, h, n, d_k), 1), uniform((b, h, n, d_v), 2));
        let (k, v) = (uniform((b, h_kv, m, d_k), 3), uniform((b, h_kv, m, d_v), 4));
        let bias = uniform((1, h, n, m), 5);
        let plain = Scoring::default().with_mask(Mask::None);
        for scoring in [
            plain.clone(),
            plain.clone().with_mask(Mask::causal_at_end(n, m)),
            plain.clone().with_mask(Mask::Window {
                window: 40,
                offset: 3,
            }),
            plain
                .clone()
                .with_soft_cap(1.3)
                .with_bias(bias.view())
                .with_alibi(&[0.1, 0.2]),
        ] {
            let out = forward(q.view(), k.view(), v.view(), &scoring).expect("valid");
            let wide = |x: ArrayView4<f32>| x.mapv(f64::from);
            let exact = reference::backward(
                wide(q.view()).view(),
                wide(k.view()).view(),
                wide(v.view()).view(),
                wide(d_o.view()).view(),
                None,
                &scoring,
            )
            .expect("valid");
            let inputs = Inputs {
                q: q.view(),
                k: k.view(),
                v: v.view(),
                o: out.o.view(),
                lse: out.lse.view(),
                d_o: d_o.view(),
            };
            let x = (&inputs, &scoring);
            check("1 lane", &on(Emulated::<1, 3, 16, 16>, x.0, x.1), &exact);
            check("16 lanes", &on(Emulated::<16, 14, 2, 1>, x.0, x.1), &exact);
        }
    }
}
