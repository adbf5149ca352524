//! The names of pre-tokenizers in `tokenizer.ggml.pre`, as llama.cpp's converter writes them and its loader
//! (`src/llama-vocab.cpp`) reads them. Those that are not of byte-level BPE (`gemma4`, `sarvam-moe`, `whitespace`) are not here,
//! nor are `afmoe`, whose digits llama.cpp cuts by code of its own, and `tiny_aya` (also `cohere2moe`), whose word ends other engines
//! of patterns see elsewhere.

use super::cut::{Cut, PreTokenizer};
use super::patterns::{
    BLOOM, CHAMELEON, DEEPSEEK_CODER, DEEPSEEK_LLM, DEEPSEEK3, DEFAULT, EXAONE_MOE, FALCON, GPT4O,
    JAIS2, KIMI_K2, LINES_QWEN2, LLAMA3, MINICPM5, QWEN2, QWEN35, SEED_CODER, SPARK25, SUPERBPE,
    TEKKEN, VIKING, WITHOUT_ENDINGS, YOUTU,
};

const fn patterns(patterns: &'static [&'static str]) -> PreTokenizer {
    PreTokenizer::of(Cut::Patterns(patterns))
}

const fn composing(pre_tokenizer: PreTokenizer) -> PreTokenizer {
    PreTokenizer {
        composes: true,
        ..pre_tokenizer
    }
}

const fn ignoring_merges(pre_tokenizer: PreTokenizer) -> PreTokenizer {
    PreTokenizer {
        ignores_merges: true,
        ..pre_tokenizer
    }
}

const fn adding_bos(pre_tokenizer: PreTokenizer) -> PreTokenizer {
    PreTokenizer {
        adds_bos: true,
        ..pre_tokenizer
    }
}

const PLAIN: PreTokenizer = PreTokenizer::of(Cut::Gpt2);
/// GPT-NeoX's, of Pythia and others.
const NEOX: PreTokenizer = composing(PLAIN);
const DIGITS: PreTokenizer = PreTokenizer::of(Cut::DigitsGpt2);
const LLAMA_3: PreTokenizer = adding_bos(ignoring_merges(patterns(LLAMA3)));
/// Qwen's own; others have its pattern and do not compose.
const QWEN_2: PreTokenizer = composing(patterns(QWEN2));

/// With a separator after every text.
const SEPARATED: PreTokenizer = PreTokenizer {
    adds_separator: true,
    ..PLAIN
};

/// All names.
pub(super) const NAMES: &[(&str, PreTokenizer)] = &[
    ("default", patterns(DEFAULT)),
    // GPT-2's pattern.
    ("gpt-2", PLAIN),
    ("phi-2", PLAIN),
    ("jina-es", PLAIN),
    ("jina-de", PLAIN),
    ("jina-v2-es", PLAIN),
    ("jina-v2-de", PLAIN),
    ("gigachat", PLAIN),
    ("a.x-4.0", PLAIN),
    ("mellum", PLAIN),
    ("exaone4", PLAIN),
    ("jais", PLAIN),
    ("trillion", PLAIN),
    ("granite-docling", PLAIN),
    ("mpt", NEOX),
    ("olmo", NEOX),
    ("modern-bert", NEOX),
    ("jina-v1-en", SEPARATED),
    ("jina-v2-code", SEPARATED),
    ("roberta-bpe", adding_bos(SEPARATED)),
    // Each digit by itself before it.
    ("starcoder", DIGITS),
    ("refact", DIGITS),
    ("smollm", DIGITS),
    ("codeshell", DIGITS),
    ("exaone", DIGITS),
    ("minerva-7b", DIGITS),
    ("mellum2", DIGITS),
    ("command-r", composing(DIGITS)),
    // Llama 3's, which is GPT-4's.
    ("llama3", LLAMA_3),
    ("llama-v3", LLAMA_3),
    ("llama-bpe", LLAMA_3),
    ("falcon3", LLAMA_3),
    ("falcon-h1", LLAMA_3),
    ("pixtral", LLAMA_3),
    ("midm-2.0", LLAMA_3),
    ("lfm2", LLAMA_3),
    ("jina-v5-nano", LLAMA_3),
    ("dbrx", patterns(LLAMA3)),
    ("smaug-bpe", patterns(LLAMA3)),
    ("chatglm-bpe", patterns(LLAMA3)),
    ("glm4", patterns(LLAMA3)),
    ("jais-2", patterns(JAIS2)),
    ("minicpm5", ignoring_merges(patterns(MINICPM5))),
    // Qwen 2's.
    ("qwen2", QWEN_2),
    ("deepseek-r1-qwen", QWEN_2),
    ("f2llmv2", QWEN_2),
    ("megrez", QWEN_2),
    ("kormo", patterns(QWEN2)),
    ("stablelm2", patterns(QWEN2)),
    ("hunyuan", patterns(QWEN2)),
    ("solar-open", patterns(QWEN2)),
    ("grok-2", patterns(QWEN2)),
    ("qwen35", composing(patterns(QWEN35))),
    ("laguna", patterns(LINES_QWEN2)),
    ("ufakzeka", patterns(WITHOUT_ENDINGS)),
    ("bailingmoe", patterns(QWEN2)),
    ("bailingmoe2", patterns(QWEN2)),
    ("llada-moe", patterns(QWEN2)),
    ("seed-coder", patterns(SEED_CODER)),
    ("exaone-moe", patterns(EXAONE_MOE)),
    // Words that are cut at capitals.
    ("tekken", adding_bos(ignoring_merges(patterns(TEKKEN)))),
    ("gpt-4o", patterns(GPT4O)),
    ("llama4", patterns(GPT4O)),
    ("kanana2", patterns(GPT4O)),
    ("talkie", patterns(GPT4O)),
    ("minimax-m2", patterns(GPT4O)),
    ("granite-embed-multi-97m", ignoring_merges(patterns(GPT4O))),
    ("youtu", ignoring_merges(patterns(YOUTU))),
    ("kimi-k2", patterns(KIMI_K2)),
    // DeepSeek's.
    ("deepseek-llm", patterns(DEEPSEEK_LLM)),
    ("deepseek-coder", patterns(DEEPSEEK_CODER)),
    ("deepseek-v3", patterns(DEEPSEEK3)),
    ("hunyuan-dense", patterns(DEEPSEEK3)),
    ("hy_v4", patterns(DEEPSEEK3)),
    ("joyai-llm", patterns(DEEPSEEK3)),
    ("spark2_5", patterns(SPARK25)),
    // Others.
    ("falcon", patterns(FALCON)),
    ("bloom", patterns(BLOOM)),
    ("poro-chat", patterns(BLOOM)),
    ("gpt3-finnish", patterns(BLOOM)),
    ("viking", patterns(VIKING)),
    ("chameleon", adding_bos(patterns(CHAMELEON))),
    ("superbpe", patterns(SUPERBPE)),
];
