//! How byte-level BPE cuts a text into words before merging, by the names GGUF files give
//! (`tokenizer.ggml.pre`).

use tokenizers::SplitDelimiterBehavior;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

use super::Error;
use super::error::one_line;

/// A way of cutting a text before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PreTokenizer {
    cut: Cut,
    /// Whether texts are composed to NFC first.
    composes: bool,
    /// Whether a word that is a token as a whole is left so, whatever the merges say.
    ignores_merges: bool,
    /// Whether a file that does not say so wants its bos token before every text.
    adds_bos: bool,
    /// The same of its separator after every text.
    adds_separator: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// GPT-2's pattern.
    Gpt2,
    /// Each digit by itself, then GPT-2's pattern.
    DigitsGpt2,
    /// These patterns, one after the other.
    Patterns(&'static [&'static str]),
}

const GPT2: PreTokenizer = PreTokenizer {
    cut: Cut::Gpt2,
    composes: false,
    ignores_merges: false,
    adds_bos: false,
    adds_separator: false,
};

/// GPT-NeoX's, of Pythia and others.
const NEOX: PreTokenizer = PreTokenizer {
    composes: true,
    ..GPT2
};

/// RoBERTa's.
const ROBERTA: PreTokenizer = PreTokenizer {
    adds_bos: true,
    adds_separator: true,
    ..GPT2
};

/// StarCoder's and SmolLM's.
const DIGITS: PreTokenizer = PreTokenizer {
    cut: Cut::DigitsGpt2,
    ..GPT2
};

/// Llama 3: up to three digits together.
const LLAMA3: PreTokenizer = PreTokenizer {
    cut: Cut::Patterns(&[LLAMA3_PATTERN]),
    ignores_merges: true,
    adds_bos: true,
    ..GPT2
};

/// GPT-4's, of DBRX and others: Llama 3's pattern.
const GPT4: PreTokenizer = PreTokenizer {
    cut: Cut::Patterns(&[LLAMA3_PATTERN]),
    ..GPT2
};

/// Qwen 2: each digit by itself.
const QWEN2: PreTokenizer = PreTokenizer {
    cut: Cut::Patterns(&[concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )]),
    composes: true,
    ..GPT2
};

/// Mistral's Tekken: words are cut where small letters are followed by capitals.
const TEKKEN: PreTokenizer = PreTokenizer {
    cut: Cut::Patterns(&[concat!(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|",
        r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )]),
    ignores_merges: true,
    adds_bos: true,
    ..GPT2
};

/// GPT-4o's: as Tekken, with endings like `'s` at their words.
const GPT4O: PreTokenizer = PreTokenizer {
    cut: Cut::Patterns(&[concat!(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )]),
    ..GPT2
};

/// DeepSeek V3: numbers, then Chinese and Japanese, then words.
const DEEPSEEK3: PreTokenizer = PreTokenizer {
    cut: Cut::Patterns(&[
        r"\p{N}{1,3}",
        "[一-龥\u{3040}-ゟ゠-ヿ]+",
        concat!(
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##,
            r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
    ]),
    ..GPT2
};

/// What llama.cpp does where it does not know a tokenizer: the model was trained otherwise, but is run so there.
const DEFAULT: PreTokenizer = PreTokenizer {
    cut: Cut::Patterns(&[
        r"[\p{P}\$\+<=>\^~\|]+",
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
        r"\p{N}+",
        "[0-9][0-9][0-9]",
    ]),
    ..GPT2
};

const LLAMA3_PATTERN: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// The names that llama.cpp's converter gives to each. It has further names for some that only resemble one of these,
/// and none is taken for another before its tokens have been compared.
const NAMES: [(&str, PreTokenizer); 18] = [
    ("smollm", DIGITS),
    ("llama-bpe", LLAMA3),
    ("qwen2", QWEN2),
    ("gpt-2", GPT2),
    ("olmo", NEOX),
    ("mpt", NEOX),
    ("modern-bert", NEOX),
    ("roberta-bpe", ROBERTA),
    ("phi-2", GPT2),
    ("starcoder", DIGITS),
    ("refact", DIGITS),
    (
        "command-r",
        PreTokenizer {
            composes: true,
            ..DIGITS
        },
    ),
    ("dbrx", GPT4),
    ("deepseek-r1-qwen", QWEN2),
    ("tekken", TEKKEN),
    ("gpt-4o", GPT4O),
    ("deepseek-v3", DEEPSEEK3),
    ("default", DEFAULT),
];

impl PreTokenizer {
    pub(super) fn from_name(name: &str) -> Result<Self, Error> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, pre_tokenizer)| *pre_tokenizer)
            .ok_or_else(|| Error::Unsupported {
                part: "pre-tokenizer (tokenizer.ggml.pre)",
                found: name.to_owned(),
                supported: NAMES.map(|(known, _)| known).join(", "),
            })
    }

    pub(super) fn ignores_merges(self) -> bool {
        self.ignores_merges
    }

    pub(super) fn adds_bos(self) -> bool {
        self.adds_bos
    }

    pub(super) fn adds_separator(self) -> bool {
        self.adds_separator
    }

    pub(super) fn normalizer(self) -> Option<NormalizerWrapper> {
        self.composes.then_some(NormalizerWrapper::NFC(NFC))
    }

    /// The library's pre-tokenizer, which also writes bytes as characters.
    pub(super) fn build(self) -> Result<PreTokenizerWrapper, Error> {
        let gpt2 = ByteLevel::new(false, true, true).into();
        let steps = match self.cut {
            Cut::Gpt2 => return Ok(gpt2),
            Cut::DigitsGpt2 => vec![Digits::new(true).into(), gpt2],
            Cut::Patterns(patterns) => {
                let mut steps = patterns
                    .iter()
                    .copied()
                    .map(split)
                    .collect::<Result<Vec<_>, _>>()?;
                steps.push(ByteLevel::new(false, true, false).into());
                steps
            }
        };
        Ok(Sequence::new(steps).into())
    }
}

fn split(pattern: &str) -> Result<PreTokenizerWrapper, Error> {
    let isolated = SplitDelimiterBehavior::Isolated;
    let split = Split::new(SplitPattern::Regex(pattern.to_owned()), isolated, false);
    split.map(Into::into).map_err(|error| Error::Encode {
        detail: one_line(error),
    })
}
