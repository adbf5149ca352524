//! What comes next, with changes and without, against runs of the whole text.

use lookback_heads::interventions::NamedInterventions;
use lookback_heads::mean_output::MeanOutputs;
use lookback_heads::prediction::{PredictionOptions, predict};
use lookback_heads::who::cause::{AblatedTo, Asked, Intervention};
use lookback_heads::who::{From, Question};
use lookback_heads::{example, head};
use lookback_model::Prefix;
use lookback_trace::Words;

use crate::common::model;

const PROBE: &str = "The one who gets high scores, as he does, is";

fn options(probe: Option<&str>) -> PredictionOptions {
    PredictionOptions {
        prefix: Prefix::Declared,
        probe: probe.map(str::to_owned),
        continuations: ["Vatsal", "Madd"].map(str::to_owned).to_vec(),
        top: 5,
    }
}

fn question() -> Question {
    let encoding = model()
        .tokenizer()
        .encode(example::SENTENCE, &Prefix::Declared)
        .unwrap();
    let words = Words::new(&encoding.text, &encoding.spans);
    let he = "he".parse().unwrap();
    Question::new(&encoding.text, &words, Some(&he), &[], Some(PROBE)).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 2e-3, "{found} is not {expected}");
}

/// The probe has a *he* of its own, which is not the one whose edge is cut.
#[test]
fn continuations_read_from_a_cache_are_those_of_whole_texts() {
    let question = question();
    let means = MeanOutputs::default();
    let asked = Asked::new(model(), &question, &Prefix::Declared, (From::Word, &means)).unwrap();
    let heads = vec![head::parse("13.8").unwrap(), head::parse("9.4").unwrap()];
    let cut = Intervention::Cut {
        heads: heads.clone(),
        candidate: 1,
    };
    for (change, changes) in [
        (
            cut,
            NamedInterventions {
                cut: vec!["he->Madd@13.8,9.4".parse().unwrap()],
                ..NamedInterventions::default()
            },
        ),
        (
            Intervention::Ablated {
                heads: heads.clone(),
                to: AblatedTo::Zero,
            },
            NamedInterventions {
                ablate: heads.clone(),
                ..NamedInterventions::default()
            },
        ),
    ] {
        let (unchanged, effects) = asked.effects(vec![change], &()).unwrap();
        let found = predict(
            model(),
            example::SENTENCE,
            &changes,
            &options(Some(PROBE)),
            &(),
        )
        .unwrap();
        for (at, one) in found.continuations.iter().enumerate() {
            close(one.unchanged, unchanged.log_prob[at]);
            close(one.log_prob - one.unchanged, effects[0].log_prob_change[at]);
        }
        // The probabilities are those of one distribution each.
        assert!(found.next.windows(2).all(|pair| {
            let larger = |n: &lookback_heads::prediction::NextToken| n.probability.max(n.unchanged);
            larger(&pair[0]) >= larger(&pair[1])
        }));
    }
    // Without a probe, the next token is the one behind the text, as for the effects.
    let cut = NamedInterventions {
        cut: vec!["he->Madd".parse().unwrap()],
        ..NamedInterventions::default()
    };
    let effect = Intervention::Cut {
        heads: Vec::new(),
        candidate: 1,
    };
    let (_, effects) = asked.effects(vec![effect], &()).unwrap();
    let found = predict(model(), example::SENTENCE, &cut, &options(None), &()).unwrap();
    assert!(
        (found.kl - effects[0].kl).abs() < 1e-4,
        "{} is not {}",
        found.kl,
        effects[0].kl
    );
}

#[test]
fn nothing_changed_changes_nothing() {
    let found = predict(
        model(),
        example::SENTENCE,
        &NamedInterventions::default(),
        &options(Some(PROBE)),
        &(),
    )
    .unwrap();
    assert_eq!(found.kl, 0.0);
    assert!(found.next.iter().all(|n| n.probability == n.unchanged));
    assert_eq!(found.next.len(), 5);
}

#[test]
fn more_edges_than_are_cut_at_once_fail_before_they_are_made() {
    let text = format!("{} end", "go ".repeat(900));
    let encoding = model()
        .tokenizer()
        .encode(&text, &Prefix::Declared)
        .unwrap();
    let changes = NamedInterventions {
        cut: vec!["end->go".parse().unwrap(), "end->go@0.1".parse().unwrap()],
        ..NamedInterventions::default()
    };
    assert!(changes.on(model(), &encoding).is_ok());
    let text = format!("{} end", "go ".repeat(1200));
    let encoding = model()
        .tokenizer()
        .encode(&text, &Prefix::Declared)
        .unwrap();
    let error = changes.on(model(), &encoding).unwrap_err().to_string();
    assert!(error.contains("name fewer heads"), "{error}");
}
