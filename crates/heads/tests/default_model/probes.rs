//! Scores on the reference's own random sequences: `head_scores.json`.

use lookback_heads::head;
use lookback_heads::probes::Repeated;
use lookback_model::Prefix;
use serde::Deserialize;

use crate::common::{data, model};

/// [layers][heads]
type Scores = Vec<Vec<f64>>;

#[derive(Deserialize)]
struct Reference {
    ids: Vec<Vec<u32>>,
    ind: Scores,
    dup: Scores,
    prev: Scores,
    sink: Scores,
}

fn top(scores: &[(String, f64)], count: usize) -> Vec<String> {
    let mut order: Vec<_> = scores.to_vec();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    order
        .into_iter()
        .take(count)
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn scores_are_those_of_the_reference() {
    let file = std::fs::read(data("head_scores.json")).unwrap();
    let reference: Reference = serde_json::from_slice(&file).unwrap();
    let repeated = Repeated {
        period: 50,
        sequences: reference.ids,
    };
    let scores = repeated.scores(model(), &(), &mut || ()).unwrap();
    let mut largest = 0.0_f64;
    for s in &scores {
        let of = |scores: &Scores| scores[s.head.layer][s.head.head];
        for (found, expected) in [
            (s.induction, of(&reference.ind)),
            (s.duplicate, of(&reference.dup)),
            (s.previous, of(&reference.prev)),
            (s.sink, of(&reference.sink)),
        ] {
            largest = largest.max((found - expected).abs());
        }
    }
    println!("largest difference from the reference: {largest:.1e}");
    assert!(largest < 1e-3);
    let named = |of: fn(&lookback_heads::probes::ProbeScores) -> f64| -> Vec<(String, f64)> {
        scores.iter().map(|s| (head::name(s.head), of(s))).collect()
    };
    assert_eq!(top(&named(|s| s.induction), 3), ["L18H6", "L17H3", "L17H4"]);
    assert_eq!(top(&named(|s| s.previous), 2), ["L16H0", "L11H1"]);
    assert_eq!(top(&named(|s| s.duplicate), 2), ["L14H3", "L8H0"]);
}

#[test]
fn other_random_sequences_find_the_same_heads() {
    let repeated = Repeated::random(model(), &Prefix::Declared, (4, 50), 1).unwrap();
    assert_eq!(
        repeated,
        Repeated::random(model(), &Prefix::Declared, (4, 50), 1).unwrap()
    );
    assert_ne!(
        repeated,
        Repeated::random(model(), &Prefix::Declared, (4, 50), 2).unwrap()
    );
    let scores = repeated.scores(model(), &(), &mut || ()).unwrap();
    let named: Vec<_> = scores
        .iter()
        .map(|s| (head::name(s.head), s.induction))
        .collect();
    assert_eq!(top(&named, 1), ["L18H6"]);
}
