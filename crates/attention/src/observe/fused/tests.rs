//! What needs the inside: the kernels at lane widths and tile shapes that this machine lacks.

use lookback_simd::{Emulated, Isa, Line, lines_for};
use ndarray::{Array2, s};

use super::attend::Attend;
use super::softmax::{RowSoftmax, Sum};
use crate::measure::numbers;
use crate::observe::layout::LINES;
use crate::observe::scores::{Height, PackStrip, Scores};
use crate::observe::statistics::Partial;
use crate::pack::KvBlock;
use crate::reference;
use crate::score::{HeadScoring, normaliser};
use crate::shape::Shape;
use crate::{Mask, Scoring};

/// O and LSE of all strips over one block of keys on `isa`, against the reference.
fn check<I: Isa>(isa: I, mask: &Mask) {
    let (n, m, d_k, d_v) = (37, 200, 9, 21);
    let q: Array2<f32> = numbers((n, d_k), 1);
    let (k, v): (Array2<f32>, Array2<f32>) = (numbers((m, d_k), 2), numbers((m, d_v), 3));
    let scoring = Scoring::default().with_mask(mask.clone());
    let wide = |x: &Array2<f32>| {
        let dim = (1, 1, x.nrows(), x.ncols());
        let wide = x.mapv(f64::from);
        wide.into_shape_with_order(dim).expect("as many")
    };
    let exact = reference::attention(wide(&q).view(), wide(&k).view(), wide(&v).view(), &scoring);
    let exact = exact.expect("valid");
    let dims = [(n, d_k), (m, d_k), (m, d_v)].map(|(rows, d)| (1, 1, rows, d));
    let shape = Shape::new(dims[0], dims[1], dims[2]).expect("valid");
    let head = HeadScoring::new(&scoring, &shape, 0, 0).expect("valid");
    let block = KvBlock::pack(isa, k.view(), v.view(), Vec::new());
    let height = isa.run(Height);
    for first in (0..n).step_by(height) {
        let rows = first..(first + height).min(n);
        let mut packed = vec![Line::ZERO; lines_for(d_k) * height];
        let mut strip = isa.run(PackStrip {
            q: q.view(),
            rows: rows.clone(),
            scoring: &head,
            to: &mut packed,
        });
        let (panels, stride) = (lines_for(m), lines_for(m) + 2);
        let mut scores = vec![Line::ZERO; height * stride];
        let mut running = vec![RowSoftmax::NONE; height];
        isa.run(Sum {
            scores: Scores {
                strips: std::slice::from_ref(&strip),
                q: &packed,
                keys: block.key_panels(),
                origin: 0,
                d_k,
                scoring: &head,
                first: 0,
                panels,
                to: &mut scores,
                stride,
            },
            rows: &mut running,
        });
        let of_row = |row: &RowSoftmax| normaliser(row.reference.into(), row.sum(), head.sink).1;
        let lse: Vec<f32> = running[..rows.len()].iter().map(of_row).collect();
        strip.set_lse(&lse);
        let mut weights = vec![Line::ZERO; height * LINES];
        let mut o = vec![Line::ZERO; lines_for(d_v) * height];
        let statistics = isa.run(Attend {
            strips: std::slice::from_ref(&strip),
            scores: &scores,
            stride,
            weights: &mut weights,
            statistics: true,
            partial: &mut Partial::NONE.clone(),
            block: (&block, 0),
            keys: 0..m,
            o: &mut o,
        });
        let statistics = statistics.expect("asked for");
        for (r, i) in rows.enumerate() {
            let of_lse = exact.lse[[0, 0, i]];
            assert!(
                (f64::from(lse[r]) - of_lse).abs() < 2e-6,
                "lse of {i}: {}",
                lse[r]
            );
            assert!((statistics.sums[r] - 1.0).abs() < 2e-6, "sum of {i}");
            for (c, &exact) in exact.o.slice(s![0, 0, i, ..]).iter().enumerate() {
                let found = o[c / Line::LEN * height + r].0[c % Line::LEN];
                assert!(
                    (f64::from(found) - exact).abs() < 5e-6,
                    "o of {i}, {c}: {found} {exact}"
                );
            }
        }
    }
}

#[test]
fn narrowest_and_widest_lanes() {
    let window = Mask::Window {
        window: 40,
        offset: 3,
    };
    for mask in [Mask::None, Mask::causal_at_end(37, 200), window] {
        check(Emulated::<1, 3, 16, 16>, &mask);
        check(Emulated::<16, 14, 2, 1>, &mask);
        check(Emulated::<16, 16, 2, 1>, &mask);
    }
}
