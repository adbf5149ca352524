//! Tiny checkpoints of kinds that are met in the wild, with values that transformers 5.24 computed (eager, f32; `expected.json`):
//! of `text` in `ids`, which has no special tokens, the weights of the last query and the mean negative log-likelihood.

mod common;

use std::path::Path;

use common::{data, load, mean_nll};
use lookback_model::{Encoding, Logits, Model, PrefillOptions, Prefix, TraceOptions, WeightsKind};
use lookback_trace::Trace;
use lookback_trace::observe::RowMax;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

/// Values are given with seven decimals; f32's rounding comes to 1e-5 in logits of this size.
const WITHIN: f64 = 1e-4;

struct Case {
    model: Model,
    expected: serde_json::Value,
}

impl Case {
    fn open(name: &str) -> Self {
        let folder = data("cases").join(name);
        let expected = std::fs::read(folder.join("expected.json")).unwrap();
        Self {
            model: load(&folder, WeightsKind::F32),
            expected: serde_json::from_slice(&expected).unwrap(),
        }
    }

    fn text(&self) -> &str {
        self.expected["text"].as_str().unwrap()
    }

    /// The text without any prefix, whose tokens are those of the reference.
    fn encoding(&self) -> Encoding {
        let encoding = self
            .model
            .tokenizer()
            .encode(self.text(), &Prefix::None)
            .unwrap();
        assert_eq!(serde_json::json!(encoding.ids), self.expected["ids"]);
        encoding
    }

    fn trace(&self, encoding: &Encoding) -> Trace {
        let options = TraceOptions {
            logits: Logits::None,
            ..TraceOptions::default()
        };
        let traced = self.model.trace(encoding, &options, &());
        traced.unwrap().trace
    }

    fn has_the_loss_and_weights_of_transformers(&self) {
        let encoding = self.encoding();
        let options = PrefillOptions {
            logits: Logits::All,
            ..PrefillOptions::default()
        };
        let logits = self.model.prefill(&encoding.ids, &options).unwrap().logits;
        let loss = mean_nll(logits.outer_iter(), &encoding.ids);
        let expected = self.expected["mean_nll"].as_f64().unwrap();
        assert!((loss - expected).abs() < WITHIN, "{loss}, not {expected}");
        self.has_the_weights_of_transformers(&encoding);
    }

    fn has_the_weights_of_transformers(&self, encoding: &Encoding) {
        let trace = self.trace(encoding);
        for layer in 0..trace.layer_count() {
            for head in 0..trace.head_count(layer) {
                let row = trace.row(layer, head, trace.n() - 1).unwrap();
                for (j, &weight) in row.iter().enumerate() {
                    let expected = self.expected["last_row_weights"][layer][head][j].as_f64();
                    let off = (f64::from(weight) - expected.unwrap()).abs();
                    assert!(off < WITHIN, "L{layer}H{head}, key {j}: off by {off}");
                }
            }
        }
    }
}

#[test]
fn a_stored_head_counts_where_the_configuration_says_tied_and_a_note_says_so() {
    let case = Case::open("tied-but-different-head");
    case.has_the_loss_and_weights_of_transformers();
    assert!(!case.model.spec().tied());
    let [note] = case.model.notes() else {
        panic!("{:?}", case.model.notes());
    };
    assert!(
        note.contains("tie_word_embeddings") && note.contains("lm_head.weight"),
        "{note}"
    );
    // What logits are taken apart with is that head too, in either form of the weights.
    let folder = data("cases").join("tied-but-different-head");
    let quantised = load(&folder, WeightsKind::Quantized);
    for model in [&case.model, &quantised] {
        assert_ne!(
            model.unembeddings(&[5]).unwrap(),
            model.embeddings(&[5]).unwrap()
        );
    }
}

/// A tied checkpoint with another tensor beside its own, made by `head` of the embedding table's bytes and shape.
fn tied_with_head(folder: &Path, head: impl Fn(&mut Vec<u8>, &mut Vec<usize>)) {
    let from = data("tiny").join("tied");
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(from.join(file), folder.join(file)).unwrap();
    }
    let bytes = std::fs::read(from.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let embeddings = tensors.tensor("model.embed_tokens.weight").unwrap();
    let (mut numbers, mut shape) = (embeddings.data().to_vec(), embeddings.shape().to_vec());
    head(&mut numbers, &mut shape);
    let head = TensorView::new(embeddings.dtype(), shape, &numbers).unwrap();
    let all = tensors.iter().chain([("lm_head.weight", head)]);
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(all, None, &path).unwrap();
}

#[test]
fn a_stored_head_that_is_the_embedding_table_changes_nothing_and_is_not_worth_a_note() {
    let folder = tempfile::tempdir().unwrap();
    tied_with_head(folder.path(), |_, _| {});
    let [plain, doubled] =
        [&data("tiny").join("tied"), folder.path()].map(|path| load(path, WeightsKind::F32));
    assert!(doubled.spec().tied() && doubled.notes().is_empty() && plain.notes().is_empty());
    let logits = |model: &Model| {
        model
            .prefill(&[1, 5, 9], &PrefillOptions::default())
            .unwrap()
            .logits
    };
    assert_eq!(logits(&plain), logits(&doubled));
}

#[test]
fn a_stored_head_that_differs_in_one_number_or_in_shape_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    tied_with_head(folder.path(), |numbers, _| {
        *numbers.last_mut().unwrap() ^= 1
    });
    assert_eq!(load(folder.path(), WeightsKind::F32).notes().len(), 1);
    tied_with_head(folder.path(), |numbers, shape| {
        shape[0] -= 1;
        numbers.truncate(numbers.len() / (shape[0] + 1) * shape[0]);
    });
    let refused = Model::load(folder.path(), &lookback_model::LoadOptions::default());
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("lm_head.weight"), "{refused}");
}

#[test]
fn a_prefix_that_the_text_spells_out_is_there_once_and_has_its_name() {
    let case = Case::open("bos-pasted");
    case.has_the_loss_and_weights_of_transformers();
    let tokenizer = case.model.tokenizer();
    let encode = |text: &str| tokenizer.encode(text, &Prefix::Declared).unwrap();
    let (plain, pasted) = (
        encode(case.text()),
        encode(&format!("<|begin_of_text|>{}", case.text())),
    );
    assert!(pasted.prefix_was_in_text && !plain.prefix_was_in_text);
    assert_eq!(pasted.ids, plain.ids);
    assert_eq!(
        (pasted.ids[0], pasted.prefix_tokens),
        (tokenizer.bos().unwrap(), 1)
    );
    assert_eq!(pasted.ids[1..], case.encoding().ids);
    assert_eq!((&pasted.text, &pasted.spans), (&plain.text, &plain.spans));
    assert_eq!(tokenizer.prefix_texts(&pasted), ["<|begin_of_text|>"]);
    let trace = case.trace(&pasted);
    assert_eq!(trace.meta().prefix_texts(), ["<|begin_of_text|>"]);
    // A file keeps the name.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    trace
        .save(&path, &lookback_trace::SaveOptions::default())
        .unwrap();
    assert_eq!(Trace::open(&path).unwrap().meta(), trace.meta());
    assert!(
        (case.trace(&case.encoding()).meta())
            .prefix_texts()
            .is_empty()
    );
}

#[test]
fn what_changes_nothing_is_read_and_gives_the_values_of_transformers() {
    for name in [
        "window-larger-than-text",
        "rope-yarn",
        "rope-given-twice",
        "pretraining-tp",
    ] {
        let case = Case::open(name);
        case.has_the_loss_and_weights_of_transformers();
        assert!(
            case.model.notes().is_empty(),
            "{name}: {:?}",
            case.model.notes()
        );
    }
}

#[test]
fn an_index_that_names_what_is_not_needed_loads_with_a_note() {
    let case = Case::open("index-extra-shard");
    case.has_the_loss_and_weights_of_transformers();
    let [note] = case.model.notes() else {
        panic!("{:?}", case.model.notes());
    };
    assert!(
        note.contains("rotary_emb.inv_freq") && note.contains("not read"),
        "{note}"
    );
}

#[test]
fn a_base_model_looks_and_predicts_nothing() {
    let case = Case::open("base-model-no-head");
    assert!(!case.model.has_output_head());
    case.has_the_weights_of_transformers(&case.encoding());
    let logits = case.model.prefill(&[1, 2], &PrefillOptions::default());
    assert!(logits.unwrap_err().to_string().contains("no output head"));
}

#[test]
fn tokens_are_printed_as_the_vocabulary_spells_them() {
    let case = Case::open("bos-pasted");
    let tokenizer = case.model.tokenizer();
    assert_eq!(
        tokenizer.printed(tokenizer.eos().unwrap()),
        "<|end_of_text|>"
    );
    assert_eq!(
        tokenizer.printed(tokenizer.token_id("Ġdog").unwrap_or(310)),
        tokenizer.token_text(310).unwrap()
    );
    assert_eq!(tokenizer.printed(1_000_000), "[1000000]");
}

/// Scores near 10⁷, where f32 cannot tell a weight from half of it.
#[test]
fn large_scores_give_no_weight_above_1_and_the_trace_says_what_f32_cannot_tell() {
    let case = Case::open("extreme-scores");
    let trace = case.trace(&case.encoding());
    let precision = trace.precision();
    assert!(precision.largest_lse > 1e6, "{precision:?}");
    let note = precision.note().unwrap();
    assert!(note.contains("f32") && note.contains("factor"), "{note}");
    let n = trace.n();
    for layer in 0..trace.layer_count() {
        let largest = trace.observe(layer, &RowMax).unwrap();
        assert!(largest.iter().all(|&w| w <= 1.0), "layer {layer}");
        for head in 0..trace.head_count(layer) {
            let weights = trace.weights(layer, head, 0..n, 0..n).unwrap();
            assert!(weights.iter().all(|&w| w <= 1.0), "L{layer}H{head}");
        }
    }
}
