//! Every pre-tokenizer against where the `tokenizers` library of Python, which has another engine for patterns, cuts 2,600 random
//! texts (`scripts/make_tokenizer_texts.py`).

use tokenizers::{
    NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString,
};

use super::PreTokenizer;
use super::names::NAMES;
use crate::tokenizer::clock::Clock;
use crate::tokenizer::tests::texts::{Cuts, digest};
use crate::tokenizer::words::Words;

/// By the name of a pre-tokenizer: whose cuts it has, where those are another's.
const SAME: &[(&str, &[&str])] = &[
    (
        "gpt-2",
        &[
            "phi-2",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "exaone4",
            "jais",
            "trillion",
            "granite-docling",
            "jina-v1-en",
            "jina-v2-code",
            "roberta-bpe",
        ],
    ),
    ("olmo", &["mpt", "modern-bert"]),
    (
        "smollm",
        &[
            "starcoder",
            "refact",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
    ),
    (
        "llama-bpe",
        &[
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
            "smaug-bpe",
            "chatglm-bpe",
            "glm4",
        ],
    ),
    ("qwen2", &["deepseek-r1-qwen", "f2llmv2", "megrez"]),
    (
        "kormo",
        &[
            "stablelm2",
            "hunyuan",
            "solar-open",
            "grok-2",
            "bailingmoe2",
            "llada-moe",
        ],
    ),
    ("gpt-4o", &["llama4", "kanana2", "talkie", "minimax-m2"]),
    ("deepseek-v3", &["hunyuan-dense", "hy_v4", "joyai-llm"]),
    ("bloom", &["poro-chat", "gpt3-finnish"]),
];

/// The lengths of the words of all texts, each text's after a 0.
fn lengths(pre_tokenizer: PreTokenizer, texts: &[String]) -> Vec<u32> {
    let words = Words::new(Some(&pre_tokenizer.build().unwrap())).unwrap();
    let (normalizer, never) = (pre_tokenizer.normalizer(), || false);
    let mut numbers = Vec::new();
    for text in texts {
        let mut text = NormalizedString::from(text.as_str());
        if let Some(normalizer) = &normalizer {
            normalizer.normalize(&mut text).unwrap();
        }
        let mut parts = PreTokenizedString::from(text.get());
        let clock = Clock::start(text.get(), &never);
        words.cut(&mut parts, &clock).unwrap();
        numbers.push(0);
        let splits = parts.get_splits(OffsetReferential::Original, OffsetType::Byte);
        numbers.extend(
            splits
                .iter()
                .map(|(_, (start, end), _)| (end - start) as u32),
        );
    }
    numbers
}

#[test]
fn every_name_cuts_texts_where_the_library_does() {
    let cuts = Cuts::read();
    let texts = cuts.texts();
    let mut wrong = Vec::new();
    for (at, (name, pre_tokenizer)) in NAMES.iter().enumerate() {
        assert!(
            !NAMES[..at].iter().any(|entry| entry.0 == *name),
            "{name} twice"
        );
        let same = SAME.iter().find(|(_, names)| names.contains(name));
        let reference = same.map_or(*name, |(reference, _)| reference);
        let found = format!("{:016x}", digest(&lengths(*pre_tokenizer, &texts)));
        if Some(&found) != cuts.digests.get(reference) {
            wrong.push(*name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?} cut elsewhere");
}
