use lookback_trace::{HeadId, Trace};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::example::Example;
use crate::{Error, WordName};

fn example(text: &str, prefix_tokens: usize) -> Trace {
    let text = text.to_owned();
    Example {
        text,
        prefix_tokens,
        ..Example::default()
    }
    .trace()
}

fn word(name: &str) -> WordName {
    name.parse().unwrap()
}

fn asking(words: &[&str], candidates: &[&str]) -> LookOptions {
    LookOptions {
        words: words.iter().map(|w| word(w)).collect(),
        candidates: candidates.iter().map(|c| word(c)).collect(),
        ..LookOptions::default()
    }
}

#[test]
fn weights_of_words_are_sums_over_keys_and_means_over_queries() {
    let trace = example("Ann called Madison. She came.", 2);
    let look = Look::new(&trace, &asking(&["Madison"], &["Ann"])).unwrap();
    let focus = look.focus(0).unwrap();
    let tokens = trace.words().get(focus.word).unwrap().tokens.clone();
    assert_eq!(tokens.len(), 2);
    for head in &focus.heads {
        let rows: Vec<_> = tokens
            .clone()
            .map(|i| trace.row(head.head.layer, head.head.head, i).unwrap())
            .collect();
        let mean = |j: usize| rows.iter().map(|row| row[j]).sum::<f32>() / rows.len() as f32;
        assert!((head.sink_share - mean(0) - mean(1)).abs() < 1e-6);
        for (index, &weight) in head.word_weights.iter().enumerate() {
            let by_hand: f32 = trace
                .words()
                .get(index)
                .unwrap()
                .tokens
                .clone()
                .map(mean)
                .sum();
            assert!((weight - by_hand).abs() < 1e-6);
        }
    }
}

#[test]
fn all_heads_are_the_mean_and_shares_leave_the_sink_out() {
    let trace = Example::default().trace();
    let look = Look::new(&trace, &LookOptions::default()).unwrap();
    let focus = look.focus(0).unwrap();
    let all = &focus.all_heads;
    assert_eq!((all.heads, focus.heads.len()), (6, 6));
    let mean = |of: &dyn Fn(&HeadWeights) -> f32| focus.heads.iter().map(of).sum::<f32>() / 6.0;
    assert!((all.sink_share - mean(&|h| h.sink_share)).abs() < 1e-6);
    assert!(all.ranked.is_sorted_by(|a, b| a.weight >= b.weight));
    for ranked in &all.ranked {
        assert!((ranked.weight - mean(&|h| h.word_weights[ranked.word])).abs() < 1e-6);
        assert!((ranked.share - ranked.weight / (1.0 - all.sink_share)).abs() < 1e-5);
    }
    let candidate = &focus.candidates[0];
    assert_eq!(candidate.candidate.text, "Vatsal");
    assert!(
        candidate
            .heads
            .is_sorted_by(|a, b| a.weights[0] >= b.weights[0])
    );
    let best = focus
        .heads
        .iter()
        .map(|h| h.word_weights[0])
        .fold(0.0, f32::max);
    assert_eq!(candidate.heads[0].weights[0], best);
    assert_eq!(candidate.heads.len(), 5);
}

#[test]
fn without_a_prefix_the_first_word_is_named_as_the_sink() {
    let trace = example("He left.", 0);
    let look = Look::new(&trace, &LookOptions::default()).unwrap();
    assert_eq!(look.sink(), Sink::FirstWord { word: 0 });
    let focus = look.focus(0).unwrap();
    assert_eq!(focus.all_heads.sink_share, 0.0);
    // The first word of all sees only itself.
    assert_eq!(focus.all_heads.ranked.len(), 1);
    assert!((focus.all_heads.ranked[0].share - 1.0).abs() < 1e-6);
    assert!(focus.candidates.is_empty());
}

#[test]
fn the_prefix_is_named_where_its_text_is_known() {
    let trace = example("He left.", 1);
    let named = LookOptions {
        prefix: vec!["<|endoftext|>".into()],
        ..LookOptions::default()
    };
    let look = Look::new(&trace, &named).unwrap();
    assert_eq!(
        look.sink(),
        Sink::Prefix {
            text: "<|endoftext|>".into()
        }
    );
    let unnamed = Look::new(&trace, &LookOptions::default()).unwrap();
    assert_eq!(
        unnamed.sink(),
        Sink::Prefix {
            text: "prefix".into()
        }
    );
}

#[test]
fn a_name_that_returns_is_one_candidate() {
    let trace = example(
        "Ann met Jo. Then Ann left, but Jo and Ann's dog saw her.",
        1,
    );
    let look = Look::new(&trace, &LookOptions::default()).unwrap();
    let focus = look.focus(0).unwrap();
    let found: Vec<_> = focus
        .candidates
        .iter()
        .map(|c| (c.candidate.text.as_str(), c.candidate.words.len()))
        .collect();
    assert_eq!(found, [("Ann", 3), ("Jo", 2)]);
    let ann = &focus.candidates[0];
    let sum: f32 = ann
        .candidate
        .words
        .iter()
        .map(|&w| focus.heads[0].word_weights[w])
        .sum();
    let same_head = ann.heads.iter().find(|h| h.head == focus.heads[0].head);
    assert!(same_head.is_none_or(|h| h.weights[0] == sum));
}

#[test]
fn many_words_are_answered_as_each_alone() {
    let text = "Ann met Jo. She thanked Madison, then she left because her dog saw him. ".repeat(3);
    let trace = example(&text, 1);
    let look = Look::new(&trace, &LookOptions::default()).unwrap();
    let count = look.interest().len();
    assert_eq!(count, 12);
    for places in [0..count, 3..7, 2..2] {
        let alone: Vec<_> = places.clone().map(|at| look.focus(at).unwrap()).collect();
        let together: Result<Vec<_>, _> = look.foci(places).collect();
        assert_eq!(together.unwrap(), alone);
    }
    // However few are computed at a time.
    let mut some = look.foci(0..count);
    some.at_a_time = 5;
    let some: Result<Vec<_>, _> = some.collect();
    let all: Result<Vec<_>, _> = look.foci(0..count).collect();
    assert_eq!(some.unwrap(), all.unwrap());
}

#[test]
fn progress_hears_of_each_word() {
    let trace = example("He saw her, and she saw him.", 1);
    let look = Look::new(&trace, &LookOptions::default()).unwrap();
    let heard = std::cell::RefCell::new(Vec::new());
    let json =
        serde_json::to_value(look.with_progress(|done| heard.borrow_mut().push(done))).unwrap();
    assert_eq!(heard.into_inner(), [1, 2, 3, 4]);
    assert_eq!(json, serde_json::to_value(&look).unwrap());
}

#[test]
fn named_candidates_may_be_phrases_and_must_come_before() {
    let trace = example("The old man met New York. He left it in May.", 1);
    let look = Look::new(&trace, &asking(&[], &["old man", "York", "He"])).unwrap();
    assert_eq!(look.labels(), ["He", "it"]);
    let of = |index: usize| -> Vec<String> {
        look.focus(index)
            .unwrap()
            .candidates
            .into_iter()
            .map(|c| c.candidate.text)
            .collect()
    };
    assert_eq!(of(0), ["old man", "York"]);
    assert_eq!(of(1), ["old man", "York", "He"]);
    assert_eq!(look.focus(0).unwrap().candidates[0].candidate.words, [1, 2]);
    let after = Look::new(&trace, &asking(&[], &["May"])).unwrap_err();
    assert_eq!(
        after.to_string(),
        "the candidate \"May\" comes before none of He, it: a head sees only what was read before"
    );
}

#[test]
fn heads_can_be_chosen_and_must_exist() {
    let trace = Example::default().trace();
    let with = |heads: Vec<HeadId>| LookOptions {
        heads,
        ..LookOptions::default()
    };
    let head = |layer, head| HeadId { layer, head };
    let look = Look::new(&trace, &with(vec![head(2, 1), head(0, 1), head(2, 1)])).unwrap();
    let focus = look.focus(0).unwrap();
    let chosen: Vec<_> = focus.heads.iter().map(|h| h.head).collect();
    assert_eq!(chosen, [head(0, 1), head(2, 1)]);
    assert_eq!(focus.all_heads.heads, 6);
    let error = Look::new(&trace, &with(vec![head(3, 0)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no head L3H0: layers are 0 to 2, and each has heads 0 to 1"
    );
}

#[test]
fn a_text_without_words_is_an_error() {
    let trace = example("   ", 1);
    assert!(matches!(
        Look::new(&trace, &LookOptions::default()),
        Err(Error::NoWords)
    ));
}

#[test]
fn the_json_form_is_the_documented_one() {
    let trace = Example {
        layers: 1,
        ..Example::default()
    }
    .trace();
    let options = LookOptions {
        prefix: vec!["<|endoftext|>".into()],
        ..LookOptions::default()
    };
    let json = serde_json::to_value(Look::new(&trace, &options).unwrap()).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        keys(&json),
        "format library model model_sha256 sink text tokens words words_of_interest"
    );
    assert_eq!(json["format"], "lookback-look/1");
    assert_eq!(
        json["sink"],
        serde_json::json!({"kind": "prefix", "text": "<|endoftext|>"})
    );
    assert_eq!(
        json["tokens"][0],
        serde_json::json!({"id": 0, "text": "<|endoftext|>", "span": [0, 0], "prefix": true})
    );
    assert_eq!(
        json["words"][0],
        serde_json::json!({"text": "Vatsal", "span": [0, 6], "tokens": [1, 2]})
    );
    let he = &json["words_of_interest"][0];
    assert_eq!(keys(he), "all_heads candidates heads label word");
    assert_eq!(he["label"], "he");
    assert_eq!(
        json["words"][he["word"].as_u64().unwrap() as usize]["text"],
        "he"
    );
    assert_eq!(
        keys(&he["all_heads"]),
        "heads other_share ranked sink_share"
    );
    assert_eq!(keys(&he["all_heads"]["ranked"][0]), "share weight word");
    assert_eq!(keys(&he["candidates"][0]), "heads share text weight words");
    assert_eq!(
        keys(&he["candidates"][0]["heads"][0]),
        "head layer sink_share weight"
    );
    let head = &he["heads"][1];
    assert_eq!(keys(head), "head layer other_share sink_share word_weights");
    assert_eq!(
        (&head["layer"], &head["head"]),
        (&Value::from(0), &Value::from(1))
    );
    let pairs = head["word_weights"].as_array().unwrap();
    assert_eq!(pairs.len(), he["word"].as_u64().unwrap() as usize + 1);
    let mut sum = head["sink_share"].as_f64().unwrap() + head["other_share"].as_f64().unwrap();
    for (index, pair) in pairs.iter().enumerate() {
        assert_eq!(pair[0], index);
        sum += pair[1].as_f64().unwrap();
    }
    assert!((sum - 1.0).abs() < 1e-5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the text and its tokens: nothing of a row is lost or counted twice.
    #[test]
    fn sink_words_and_white_space_make_one(
        text in "[A-Za-z .,'é日\n]{1,40}",
        prefix_tokens in 0_usize..3,
        heads in 1_usize..5,
        seed: u64,
    ) {
        let trace = Example { text, prefix_tokens, layers: 2, heads, seed, ..Example::default() }.trace();
        let look = match Look::new(&trace, &LookOptions::default()) {
            Ok(look) => look,
            Err(Error::NoWords) => {
                prop_assert!(trace.words().is_empty());
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        for index in 0..look.interest().len() {
            let focus = look.focus(index).unwrap();
            for head in &focus.heads {
                let words: f32 = head.word_weights.iter().sum();
                prop_assert!((head.sink_share + head.other_share + words - 1.0).abs() < 1e-4);
                let shares: f32 = head.shares().iter().sum();
                let kept = words + head.other_share;
                prop_assert!((shares * kept - words).abs() < 1e-4);
                prop_assert!(head.word_weights.iter().all(|w| (0.0..=1.0 + 1e-5).contains(w)));
            }
            let all = &focus.all_heads;
            let words: f32 = all.ranked.iter().map(|r| r.weight).sum();
            prop_assert!((all.sink_share + all.other_share + words - 1.0).abs() < 1e-4);
            prop_assert!(all.ranked.iter().all(|r| r.word <= focus.word));
            for candidate in &focus.candidates {
                prop_assert!(candidate.candidate.words.iter().all(|&w| w < focus.word));
            }
        }
    }
}
