//! Mean outputs of heads against the outputs that the model itself gives.

use lookback_heads::head;
use lookback_heads::mean_output::MeanOutputs;
use lookback_model::{Encoding, Interventions, Logits, PrefillOptions, Prefix};
use ndarray::{Array1, Axis, s};

use crate::common::model;

fn encodings() -> Vec<Encoding> {
    [
        "The cat sat on the mat.",
        "He went home early because it rained.",
    ]
    .iter()
    .map(|text| model().tokenizer().encode(text, &Prefix::Declared).unwrap())
    .collect()
}

#[test]
fn means_are_over_all_tokens_but_the_prefix() {
    let heads = ["0.3", "9.4", "29.8"].map(|name| head::parse(name).unwrap());
    let texts = encodings();
    let means = MeanOutputs::over(model(), &texts, &heads, &()).unwrap();
    for id in heads {
        let mut sum = Array1::<f64>::zeros(64);
        let mut tokens = 0;
        for text in &texts {
            let inner = model().inspect(&text.ids, id.layer).unwrap();
            let z = inner.z.slice(s![id.head, text.prefix_tokens.., ..]);
            sum += &z.mapv(f64::from).sum_axis(Axis(0));
            tokens += z.nrows();
        }
        let mean = sum / tokens as f64;
        for (found, expected) in means.get(id).unwrap().iter().zip(&mean) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5,
                "{found} {expected}"
            );
        }
    }
    assert!(means.get(head::parse("9.3").unwrap()).is_none());
}

#[test]
fn a_mean_over_the_text_itself_changes_nothing_where_zero_does() {
    // With one token behind the prefix the mean is what the head writes there.
    let id = head::parse("9.4").unwrap();
    let text = model()
        .tokenizer()
        .encode("Hello", &Prefix::Declared)
        .unwrap();
    assert_eq!(text.ids.len(), text.prefix_tokens + 1);
    let means = MeanOutputs::over(model(), std::slice::from_ref(&text), &[id], &()).unwrap();
    let options = PrefillOptions {
        logits: Logits::Last,
        ..PrefillOptions::default()
    };
    let logits = |means: &MeanOutputs, heads: &[_]| {
        let mut changes = Interventions::default();
        means.ablate(heads, text.prefix_tokens, &mut changes);
        model()
            .prefill_with(&text.ids, &options, &changes)
            .unwrap()
            .logits
    };
    let unchanged = logits(&means, &[]);
    let change = |means: &MeanOutputs| {
        let difference = logits(means, &[id]) - &unchanged;
        difference
            .iter()
            .fold(0.0_f32, |largest, x| largest.max(x.abs()))
    };
    let (to_mean, to_zero) = (change(&means), change(&MeanOutputs::default()));
    println!("largest change of a logit: to the mean {to_mean:.1e}, to zero {to_zero:.3}");
    assert!(to_mean < 1e-4 && to_zero > 0.01);
}

#[test]
fn a_reference_set_without_a_token_is_an_error() {
    let head = head::parse("0.0").unwrap();
    assert!(MeanOutputs::over(model(), &[], &[head], &()).is_err());
    let unknown = MeanOutputs::over(model(), &encodings(), &[head::parse("30.0").unwrap()], &());
    assert!(unknown.unwrap_err().to_string().contains("no head L30H0"));
}
