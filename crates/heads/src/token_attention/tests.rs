use ndarray::s;

use super::*;
use crate::example::Example;

fn around(trace: &Trace, index: usize, options: &TokenAttentionOptions) -> TokenAttention {
    TokenAttention::new(trace, index, options, &AtomicBool::new(false)).unwrap()
}

/// The weight of one unit on another by the definition: summed over keys, averaged over queries and heads.
fn weight(trace: &Trace, heads: &[HeadId], from: Range<usize>, on: Range<usize>) -> f64 {
    let mut sum = 0.0;
    for id in heads {
        for i in from.clone() {
            let row = trace.row(id.layer, id.head, i).unwrap();
            sum += row
                .slice(s![on.clone()])
                .iter()
                .map(|&w| f64::from(w))
                .sum::<f64>();
        }
    }
    sum / (heads.len() * from.len()) as f64
}

fn close(a: f32, b: f64) {
    assert!((f64::from(a) - b).abs() < 1e-6, "{a} is not {b}");
}

#[test]
fn given_and_received_are_the_rows_sums() {
    let trace = Example::default().trace();
    let heads = [HeadId { layer: 0, head: 1 }, HeadId { layer: 2, head: 0 }];
    for unit in [Unit::Word, Unit::Token] {
        let units = Units::new(&trace, unit);
        let options = TokenAttentionOptions {
            unit,
            heads: heads.to_vec(),
            ..TokenAttentionOptions::default()
        };
        let index = 9;
        let got = around(&trace, index, &options);
        assert_eq!(got.heads_averaged, 2);
        for u in 0..units.len() {
            close(
                got.given[u],
                weight(&trace, &heads, units.range(index), units.range(u)),
            );
            if u != index {
                close(
                    got.received[u],
                    weight(&trace, &heads, units.range(u), units.range(index)),
                );
                close(
                    got.received_hidden[u],
                    weight(&trace, &heads, units.range(u), 0..1),
                );
            }
        }
        close(got.hidden, weight(&trace, &heads, units.range(index), 0..1));
        assert_eq!(got.received[index], 0.0);
    }
}

#[test]
fn what_is_above_a_weight_is_excluded_but_never_the_unit_itself() {
    let trace = Example::default().trace();
    let all = around(&trace, 9, &TokenAttentionOptions::default());
    let most = (0..all.given.len())
        .filter(|&u| u != 9)
        .map(|u| all.given[u])
        .fold(0.0, f32::max);
    let limit = all.given[9].min(most) / 2.0;
    let got = around(
        &trace,
        9,
        &TokenAttentionOptions {
            above: Some(limit),
            ..TokenAttentionOptions::default()
        },
    );
    let expected: Vec<usize> = (0..got.given.len())
        .filter(|&u| u != 9 && all.given[u] > limit)
        .collect();
    assert!(!expected.is_empty() && got.given[9] > limit);
    assert_eq!(got.excluded, expected);
    let mass: f32 = expected.iter().map(|&u| all.given[u]).sum();
    assert!((got.hidden - all.hidden - mass).abs() < 1e-6);
    let kept: f32 = (0..got.given.len())
        .filter(|u| !expected.contains(u))
        .map(|u| share(got.given[u], got.hidden))
        .sum();
    assert!((kept + share(got.other, got.hidden) - 1.0).abs() < 1e-5);
}

#[test]
fn heads_are_ranked_by_the_target() {
    let trace = Example::default().trace();
    let got = around(
        &trace,
        9,
        &TokenAttentionOptions {
            target: Some(0),
            ..TokenAttentionOptions::default()
        },
    );
    assert_eq!(got.ranked.len(), 6);
    for head in &got.ranked {
        close(
            head.score,
            weight(
                &trace,
                &[head.head],
                Units::new(&trace, Unit::Word).range(9),
                1..3,
            ),
        );
    }
    assert!(got.ranked.is_sorted_by(|a, b| a.score >= b.score));
}

#[test]
fn what_does_not_exist_is_an_error_and_a_cancelled_question_ends() {
    let trace = Example::default().trace();
    let ask = |index, options: TokenAttentionOptions, cancel| {
        TokenAttention::new(&trace, index, &options, &AtomicBool::new(cancel))
    };
    assert!(matches!(
        ask(999, TokenAttentionOptions::default(), false),
        Err(Error::NoSuchUnit { index: 999, .. })
    ));
    let heads = vec![HeadId { layer: 9, head: 0 }];
    assert!(matches!(
        ask(
            0,
            TokenAttentionOptions {
                heads,
                ..Default::default()
            },
            false
        ),
        Err(Error::NoSuchHead { .. })
    ));
    assert!(matches!(
        ask(0, TokenAttentionOptions::default(), true),
        Err(Error::Cancelled)
    ));
}
