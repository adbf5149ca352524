//! One head explained: with the default model against published weights, and with tiny models of every kind.

use std::path::Path;
use std::sync::LazyLock;

use lookback_heads::explain::{ExplainOptions, Explanation, explain};
use lookback_heads::{Error, example, head};
use lookback_model::store::{self, Silent};
use lookback_model::{LoadOptions, Model, Prefix};

const STEPS: [&str; 16] = [
    "embeddings",
    "similarity",
    "input",
    "norm",
    "query",
    "key",
    "value",
    "rope",
    "scores",
    "scale",
    "mask",
    "softmax",
    "weighted_sum",
    "concat",
    "output",
    "residual",
];

fn default_model() -> &'static Model {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let found = store::default_model(&Silent);
        let path = found
            .expect("the default model is in the cache or can be fetched")
            .path;
        Model::load(&path, &LoadOptions::default()).expect("the model loads")
    });
    &MODEL
}

fn tiny(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/tiny");
    Model::load(&folder.join(name), &LoadOptions::default()).expect("the model loads")
}

fn options(head: &str, word: Option<&str>, entries: usize) -> ExplainOptions {
    ExplainOptions {
        head: head::parse(head).unwrap(),
        word: word.map(|word| word.parse().unwrap()),
        model_name: "a model".to_owned(),
        entries,
    }
}

fn explained(
    model: &Model,
    text: &str,
    prefix: &Prefix,
    options: &ExplainOptions,
) -> Result<Explanation, Error> {
    explain(
        model,
        &model.tokenizer().encode(text, prefix).unwrap(),
        options,
    )
}

/// What holds of every explanation.
#[track_caller]
fn assert_consistent(explanation: &Explanation) {
    let ids: Vec<_> = explanation.steps.iter().map(|step| step.id).collect();
    assert_eq!(ids, STEPS);
    assert_steps_agree(explanation);
    let weights = explanation.step("softmax").unwrap().row.last().unwrap();
    let sum: f64 = weights.values.iter().flatten().sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(
        weights.values[explanation.word.token],
        Some(explanation.outcome.self_weight)
    );
    // What was not read yet has no weight, and no score once the mask has been laid on.
    for column in [weights, &explanation.step("mask").unwrap().row[0]] {
        let after = &column.values[explanation.word.token + 1..];
        assert!(after.iter().all(|value| value.is_none_or(|v| v == 0.0)));
    }
}

/// What holds of every step of every model: the step-by-step numbers are those of the model, and excerpts fit together.
#[track_caller]
fn assert_steps_agree(explanation: &Explanation) {
    let n = explanation.tokens.len();
    for step in &explanation.steps {
        for check in &step.checks {
            assert!(check.agrees && check.compared > 0, "{}: {check:?}", step.id);
        }
        for excerpt in &step.matrices {
            assert_eq!(excerpt.values.len(), excerpt.rows.len());
            assert!(excerpt.rows.is_sorted() && excerpt.columns.is_sorted());
            assert!(excerpt.rows.iter().all(|&row| row < excerpt.shape[0]));
            assert!(
                excerpt
                    .columns
                    .iter()
                    .all(|&column| column < excerpt.shape[1])
            );
            assert!(
                excerpt
                    .values
                    .iter()
                    .all(|row| row.len() == excerpt.columns.len())
            );
        }
        assert!(step.row.iter().all(|column| column.values.len() == n));
    }
}

#[test]
fn the_sentence_of_the_notes_gives_the_published_weights() {
    for (name, vatsal, madd) in [("9.4", 0.181, 0.078), ("13.8", 0.085, 0.317)] {
        let explanation = explained(
            default_model(),
            example::SENTENCE,
            &Prefix::Declared,
            &options(name, Some("he"), 6),
        )
        .unwrap();
        assert_consistent(&explanation);
        assert_eq!(explanation.tokens[0], "<|endoftext|>");
        assert_eq!(explanation.tokens[explanation.word.token], "he");
        let outcome = &explanation.outcome;
        let given: Vec<_> = outcome
            .candidates
            .iter()
            .map(|c| (c.text.as_str(), c.weight))
            .collect();
        assert_eq!((given[0].0, given[1].0), ("Vatsal", "Madd"));
        assert!(
            (given[0].1 - vatsal).abs() < 5e-4 && (given[1].1 - madd).abs() < 5e-4,
            "{given:?}"
        );
        assert!(outcome.self_weight > 0.0 && outcome.self_weight < 1.0);
    }
}

#[test]
fn the_first_idea_is_the_softmax_of_the_embeddings_products() {
    let model = default_model();
    let explanation = explained(
        model,
        example::SENTENCE,
        &Prefix::Declared,
        &options("9.4", None, 6),
    )
    .unwrap();
    let encoding = model
        .tokenizer()
        .encode(example::SENTENCE, &Prefix::Declared)
        .unwrap();
    let x = model.embeddings(&encoding.ids).unwrap().mapv(f64::from);
    let i = explanation.word.token;
    let exp: Vec<f64> = (0..i).map(|j| x.row(i).dot(&x.row(j)).exp()).collect();
    let sum: f64 = exp.iter().sum();
    let shown = &explanation.step("similarity").unwrap().row;
    for (j, exp) in exp.iter().enumerate() {
        let dot = shown[0].values[j].unwrap();
        assert!((dot - x.row(i).dot(&x.row(j))).abs() < 1e-9);
        assert!((shown[1].values[j].unwrap() - exp / sum).abs() < 1e-12);
    }
    // The word itself is not among the tokens before it.
    assert_eq!(shown[1].values[i], Some(0.0));
    let vatsal = &explanation.outcome.candidates[0];
    let by_hand: f64 = vatsal.tokens.iter().map(|&t| exp[t] / sum).sum();
    assert!((vatsal.similarity_weight - by_hand).abs() < 1e-12);
}

#[test]
fn scores_are_scaled_and_the_head_has_its_columns_of_concat() {
    let explanation = explained(
        default_model(),
        example::SENTENCE,
        &Prefix::Declared,
        &options("9.4", None, 6),
    )
    .unwrap();
    let row = &explanation.step("scale").unwrap().row;
    for (dot, scaled) in row[0].values.iter().zip(&row[1].values) {
        assert!((dot.unwrap() / 8.0 - scaled.unwrap()).abs() < 1e-9);
    }
    // Head 4 of d_v = 64 begins at column 256; there concat holds the head's own output.
    let concat = &explanation.step("concat").unwrap().matrices[0];
    let output = explanation
        .step("weighted_sum")
        .unwrap()
        .matrices
        .last()
        .unwrap();
    let at = concat
        .columns
        .iter()
        .position(|&column| column == 256)
        .unwrap();
    for (all, own) in concat.values.iter().zip(&output.values) {
        assert_eq!(all[at], own[0]);
    }
}

#[test]
fn tiny_models_of_every_kind_agree_with_their_steps() {
    for name in [
        "tied",
        "untied-bf16",
        "grouped",
        "head-dim-f16",
        "sharded",
        "rope-llama3",
        "rope-linear",
    ] {
        let model = tiny(name);
        let spec = model.spec();
        let last = format!("{}.{}", spec.layers.len() - 1, spec.heads - 1);
        for head in ["0.0", last.as_str()] {
            for entries in [1, 3, 200] {
                let explanation = explained(
                    &model,
                    "Ann met Bob. Then he left.",
                    &Prefix::None,
                    &options(head, None, entries),
                )
                .unwrap();
                assert_consistent(&explanation);
                assert_eq!(explanation.word.label, "he", "{name}");
                assert!(
                    serde_json::to_string(&explanation)
                        .unwrap()
                        .starts_with("{\"format\":\"lookback-explain/2\"")
                );
            }
        }
    }
}

#[test]
fn the_first_token_of_all_has_only_itself() {
    let explanation = explained(
        &tiny("tied"),
        "He left.",
        &Prefix::None,
        &options("0.0", None, 4),
    )
    .unwrap();
    assert_consistent(&explanation);
    assert_eq!(
        (explanation.prefix_tokens, explanation.outcome.sink_share),
        (0, 0.0)
    );
    if explanation.word.token == 0 {
        assert_eq!(explanation.outcome.self_weight, 1.0);
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    let model = tiny("tied");
    let ask = |head: &str, word: Option<&str>| {
        explained(
            &model,
            "Ann saw him.",
            &Prefix::None,
            &options(head, word, 4),
        )
    };
    assert!(matches!(ask("99.0", None), Err(Error::NoSuchHead { .. })));
    assert!(matches!(
        ask("0.0", Some("she")),
        Err(Error::NoSuchWord { .. })
    ));
}

/// The steps of a model in which LayerNorm, biases, soft-caps or positions of another kind stand where the notes have nothing.
const STEPS_OF_FAMILIES: [(&str, &[&str], &[&str]); 13] = [
    // Learned positions: nothing rotates.
    ("gpt2-tied", &["norm"], &["rope", "soft_cap"]),
    ("neox-parallel", &["norm", "rope"], &["soft_cap"]),
    ("qwen2-window", &["norm", "rope"], &["soft_cap"]),
    ("qwen3-tied", &["norm", "rope"], &["soft_cap"]),
    ("gemma2-soft-caps", &["norm", "rope", "soft_cap"], &[]),
    ("gemma3-scaled", &["norm", "rope"], &["soft_cap"]),
    ("llama-biases", &["norm", "rope"], &["soft_cap"]),
    // Norms behind each part.
    ("bert-masked-lm", &["mask"], &["norm", "rope", "soft_cap"]),
    ("olmo2-grouped", &["rope"], &["norm", "soft_cap"]),
    // A penalty of the distance.
    ("bloom-three-heads", &["norm", "distance"], &["rope"]),
    ("falcon-rw", &["norm", "distance"], &["rope"]),
    ("granite-multipliers", &["norm", "rope"], &["distance"]),
    // No norm before the first layer; windows on both sides.
    ("modernbert-masked-lm", &["mask", "rope"], &["distance"]),
];

#[test]
fn every_family_is_explained_by_its_own_steps() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/families");
    for (name, there, not_there) in STEPS_OF_FAMILIES {
        let folder = families.join(name);
        let model = Model::load(&folder, &LoadOptions::default()).expect("the model loads");
        let expected = std::fs::read(folder.join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let text = expected["text"].as_str().unwrap();
        let spec = model.spec();
        for layer in 0..spec.layers.len() {
            let head = format!("{layer}.{}", layer % spec.heads);
            let options = options(&head, None, 5);
            let explanation = explained(&model, text, &Prefix::Declared, &options).unwrap();
            assert_steps_agree(&explanation);
            for id in there {
                assert!(explanation.step(id).is_some(), "{name}: {id}");
            }
            for id in not_there {
                assert!(explanation.step(id).is_none(), "{name}: {id}");
            }
            let bias = explanation.step("query").unwrap().formula.contains("b_q");
            assert_eq!(bias, spec.layers[layer].attention.qkv_bias, "{name}");
        }
    }
}
