//! Many texts in one pass: each gives the bits that it gives alone.

mod common;

use common::{data, default_model, load};
use lookback_model::{Hooks, Interventions, Logits, Model, PrefillOptions, Sequence, WeightsKind};
use lookback_trace::{Cut, HeadId};

/// Ids of a text of `n` tokens.
fn ids(n: usize, seed: usize, vocab: usize) -> Vec<u32> {
    (0..n)
        .map(|i| ((i * i * 7 + i * 3 + seed * 31) % vocab) as u32)
        .collect()
}

/// Texts of these lengths, every second one with an ablated head and a cut edge, together and alone.
fn same_bits(model: &Model, lengths: &[usize]) {
    let vocab = model.spec().vocab;
    let texts: Vec<Vec<u32>> = lengths
        .iter()
        .enumerate()
        .map(|(seed, &n)| ids(n, seed, vocab))
        .collect();
    let mut changed = Interventions::default();
    changed.ablate(HeadId { layer: 0, head: 1 });
    changed.cut([Cut {
        layer: 1,
        head: 0,
        i: 0,
        j: 0,
    }]);
    let hooks = |index: usize| -> &dyn Hooks {
        match index % 2 {
            0 => &(),
            _ => &changed,
        }
    };
    let logits = match model.has_output_head() {
        true => Logits::All,
        false => Logits::None,
    };
    let sequences: Vec<Sequence> = texts
        .iter()
        .enumerate()
        .map(|(index, tokens)| Sequence {
            tokens,
            logits: logits.clone(),
            hooks: hooks(index),
        })
        .collect();
    let options = PrefillOptions {
        logits: logits.clone(),
        trace: true,
        keep_v: true,
        cache: false,
    };
    let together = model.prefill_many(&sequences, &options).unwrap();
    assert_eq!(together.len(), texts.len());
    for (index, (tokens, packed)) in texts.iter().zip(&together).enumerate() {
        let alone = model.prefill_with(tokens, &options, hooks(index)).unwrap();
        assert_eq!(packed.logits, alone.logits, "text {index}");
        assert_eq!(packed.hidden, alone.hidden, "text {index}");
        assert_eq!(packed.layers.len(), alone.layers.len());
        for (a, b) in packed.layers.iter().zip(&alone.layers) {
            assert_eq!((&a.q, &a.k, &a.v), (&b.q, &b.k, &b.v), "text {index}");
            assert_eq!((&a.lse, &a.vnorm), (&b.lse, &b.vnorm), "text {index}");
        }
    }
}

#[test]
fn every_kind_of_model_gives_each_text_its_own_bits() {
    for variant in [
        "gpt2-tied",
        "neox-parallel",
        "llama-rope-longrope",
        "mistral-window",
        "gemma2-soft-caps",
        "gemma3-scaled",
        "qwen3-tied",
        "bloom-tied",
        "falcon-one-norm",
        "modernbert-masked-lm",
    ] {
        let model = load(&data("families").join(variant), WeightsKind::F32);
        same_bits(&model, &[5, 1, 30, 2, 17, 1, 24]);
    }
}

#[test]
fn the_default_model_gives_each_text_its_own_bits() {
    same_bits(default_model(), &[21, 1, 3, 40, 130, 2]);
}

#[test]
fn quantised_weights_give_each_text_its_own_bits() {
    let model = load(&data("tiny/untied-bf16"), WeightsKind::Quantized);
    same_bits(&model, &[5, 20, 3]);
}

#[test]
fn nothing_is_read_of_no_texts_and_a_bad_one_fails() {
    let model = load(&data("tiny/tied"), WeightsKind::F32);
    let options = PrefillOptions::default();
    assert!(model.prefill_many(&[], &options).unwrap().is_empty());
    let sequence = |tokens| Sequence {
        tokens,
        logits: Logits::Last,
        hooks: &(),
    };
    let bad = [sequence(&[1, 2][..]), sequence(&[])];
    assert!(model.prefill_many(&bad, &options).is_err());
}
