//! What needs the inside: the kernels at lane widths and tile shapes that this machine lacks.

use lookback_simd::{Emulated, Isa, Line, lines_for};
use ndarray::{Array2, s};

use super::exp_weights::ExpWeights;
use super::layout::{LINES, MAX_ROWS};
use super::scores::{Height, PackStrip, Scores};
use super::statistics::Partial;
use crate::pack::PackKeys;
use crate::reference;
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::testing::uniform;
use crate::{Mask, Scoring};

/// The weights of all strips for the first 256 keys on `isa`, against the reference.
fn check<I: Isa>(isa: I, mask: &Mask) {
    let (n, m, d) = (37, 200, 9);
    let (q, k) = (uniform((n, d), 1), uniform((m, d), 2));
    let scoring = Scoring::default().with_mask(mask.clone());
    let dim = |n| (1, 1, n, d);
    let shape = Shape::new(dim(n), dim(m), dim(m)).expect("valid");
    let wide = |x: &Array2<f32>| {
        let wide = x.mapv(f64::from);
        wide.into_shape_with_order(dim(x.nrows())).expect("as many")
    };
    let exact = reference::attention(wide(&q).view(), wide(&k).view(), wide(&k).view(), &scoring);
    let exact = exact.expect("valid");
    let lse: Vec<f32> = exact.lse.iter().map(|&lse| lse as f32).collect();
    let head = HeadScoring::new(&scoring, &shape, 0, 0).expect("valid");
    let keys = isa.run(PackKeys(k.view()));
    let height = isa.run(Height);
    assert!(height <= MAX_ROWS);
    for first in (0..n).step_by(height) {
        let rows = first..(first + height).min(n);
        let mut packed = vec![Line::ZERO; lines_for(d) * height];
        let mut strip = isa.run(PackStrip {
            q: q.view(),
            rows: rows.clone(),
            scoring: &head,
            to: &mut packed,
        });
        strip.set_lse(&lse[rows.clone()]);
        let mut weights = vec![Line::ZERO; height * LINES];
        let mut partial = Partial::NONE;
        let scores = Scores {
            strips: std::slice::from_ref(&strip),
            q: &packed,
            keys: &keys,
            origin: 0,
            d_k: d,
            scoring: &head,
            first: 0,
            panels: lines_for(m),
            to: &mut weights,
            stride: LINES,
        };
        let statistics = isa.run(ExpWeights {
            scores,
            statistics: true,
            partial: &mut partial,
        });
        let statistics = statistics.expect("asked for");
        for (r, i) in rows.enumerate() {
            let exact = exact.weights.slice(s![0, 0, i, ..]);
            for j in 0..lines_for(m) * Line::LEN {
                let at = (r * LINES + j / Line::LEN, j % Line::LEN);
                let found = weights[at.0].0[at.1];
                let exact = exact.get(j).copied().unwrap_or(0.0);
                assert!(
                    (f64::from(found) - exact).abs() < 2e-6,
                    "{i} {j}: {found} {exact}"
                );
            }
            let sum = |term: &dyn Fn(usize, f64) -> f64| -> f64 {
                (0..m).map(|j| term(j, exact[j])).sum()
            };
            let bits = |w: f64| if w == 0.0 { 0.0 } else { -w * w.log2() };
            for (what, found, exact, size) in [
                ("sum", statistics.sums[r], sum(&|_, w| w), 1.0),
                (
                    "maximum",
                    statistics.maxima[r],
                    exact.fold(0.0, |a: f64, &b| a.max(b)),
                    1.0,
                ),
                (
                    "moment",
                    statistics.moments[r],
                    sum(&|j, w| (lines_for(m) * Line::LEN - 1 - j) as f64 * w),
                    m as f64,
                ),
                (
                    "entropy",
                    statistics.entropies[r],
                    sum(&|_, w| bits(w)),
                    8.0,
                ),
            ] {
                assert!(
                    (f64::from(found) - exact).abs() < 5e-6 * size,
                    "{what} of {i}: {found} {exact}"
                );
            }
        }
    }
}

#[test]
fn narrowest_and_widest_lanes() {
    for mask in [
        Mask::None,
        Mask::causal_at_end(37, 200),
        Mask::Window {
            window: 40,
            offset: 3,
        },
        Mask::SymmetricWindow {
            radius: 20,
            offset: 3,
        },
    ] {
        check(Emulated::<1, 3, 16, 16>, &mask);
        check(Emulated::<16, 14, 2, 1>, &mask);
        check(Emulated::<16, 16, 2, 1>, &mask);
    }
}
