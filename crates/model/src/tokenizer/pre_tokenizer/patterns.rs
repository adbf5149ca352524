//! Patterns that cut texts into words. Where a model's own tokenizer is known, as it has them; else as llama.cpp does.

/// `'s` and the like; `(?i:)` takes `ſ` for an s, as the original patterns do.
macro_rules! endings {
    () => {
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    };
}

/// What follows words and digits in patterns since GPT-4: other signs, ends of lines, spaces.
macro_rules! rest {
    () => {
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    };
}

/// Llama 3's pattern but for its digits.
macro_rules! words {
    ($digits:literal) => {
        concat!(
            endings!(),
            r"|[^\r\n\p{L}\p{N}]?\p{L}+|",
            $digits,
            "|",
            rest!()
        )
    };
}

/// Words that are cut where small letters are followed by capitals, each with this ending.
macro_rules! cased {
    ($ending:expr, $digits:literal) => {
        concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
            $ending,
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
            $ending,
            "|",
            $digits,
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
}

/// GPT-2's pattern, but for what it leaves over.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";

/// Llama 3: up to three digits together.
pub(super) const LLAMA3: &[&str] = &[words!(r"\p{N}{1,3}")];

/// Qwen 2: each digit by itself.
pub(super) const QWEN2: &[&str] = &[words!(r"\p{N}")];

/// Qwen 3.5: signs that combine belong to their letters.
pub(super) const QWEN35: &[&str] = &[concat!(
    endings!(),
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|",
    r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)];

/// Qwen 2 without endings: Turkish suffixes stay at their words.
pub(super) const WITHOUT_ENDINGS: &[&str] = &[concat!(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|", rest!())];

/// Lines first, then as Qwen 2.
pub(super) const LINES_QWEN2: &[&str] = &[r"[^\n]+|[\n]+", words!(r"\p{N}")];

/// MiniCPM 5: digits first.
pub(super) const MINICPM5: &[&str] = &[r"\p{N}{1,3}", words!(r"\p{N}+")];

/// Jais 2: Llama 3's, with spaces in runs of powers of two.
pub(super) const JAIS2: &[&str] = &[concat!(
    endings!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|",
    r"\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|",
    r"\s{1,2}(?!\S)|\s{1}"
)];

/// Seed-Coder: signs do not take the ends of lines behind them.
pub(super) const SEED_CODER: &[&str] = &[concat!(
    endings!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
)];

/// EXAONE's mixtures of experts: several words together.
pub(super) const EXAONE_MOE: &[&str] = &[concat!(
    endings!(),
    r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
)];

/// Mistral's Tekken: words are cut where small letters are followed by capitals.
pub(super) const TEKKEN: &[&str] = &[cased!("", r"\p{N}")];

/// GPT-4o's: as Tekken, with endings like `'s` at their words.
pub(super) const GPT4O: &[&str] = &[GPT4O_WORDS];

const GPT4O_WORDS: &str = cased!(concat!(endings!(), "?"), r"\p{N}{1,3}");

/// Youtu: Korean, Chinese and Japanese first, then as GPT-4o with each digit by itself.
pub(super) const YOUTU: &[&str] = &[
    concat!(
        r"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|",
        "[一-龥\u{3040}-ゟ゠-ヿ]+"
    ),
    cased!(concat!(endings!(), "?"), r"\p{N}"),
];

/// Kimi K2: Chinese characters first and never within words; then as GPT-4o. (llama.cpp does not cut its words at capitals.)
pub(super) const KIMI_K2: &[&str] = &[concat!(
    r"[\p{Han}]+|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+",
    endings!(),
    "?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*",
    endings!(),
    r"?|\p{N}{1,3}|",
    rest!()
)];

const CHINESE_JAPANESE: &str = "[一-龥\u{3040}-ゟ゠-ヿ]+";

/// DeepSeek V3: numbers, then Chinese and Japanese, then words.
pub(super) const DEEPSEEK3: &[&str] = &[
    r"\p{N}{1,3}",
    CHINESE_JAPANESE,
    concat!(
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##,
        r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
];

/// Spark 2.5: as DeepSeek V3, with ends of lines and digits each by itself.
pub(super) const SPARK25: &[&str] = &[
    r"\p{N}{1,3}",
    CHINESE_JAPANESE,
    concat!(
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##,
        r" ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"
    ),
    r"\p{N}",
];

/// Chinese, Korean, and what stands between Cyrillic and them, in DeepSeek's first models.
const DEEPSEEK_ASIAN: &str = r"[\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+";

/// DeepSeek's first language models. The letters are those with case in an older Unicode, but for Armenian small ones.
pub(super) const DEEPSEEK_LLM: &[&str] = &[
    r"[\r\n]",
    concat!(
        r"\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}",
        r"\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}",
        r"\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}",
        r"\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}",
        r"\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}",
        r"\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}",
        r"\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}",
        r"\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}",
        r"\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}",
        r"\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}",
        r"\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}",
        r"\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+"
    ),
    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+",
    r"\s+$",
    DEEPSEEK_ASIAN,
    r"\p{N}+",
];

/// DeepSeek Coder.
pub(super) const DEEPSEEK_CODER: &[&str] = &[
    r"[\r\n]",
    r"\s?\p{L}+",
    r"\s?\p{P}+",
    DEEPSEEK_ASIAN,
    r"\p{N}",
];

/// Falcon.
pub(super) const FALCON: &[&str] = &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"];

/// What llama.cpp does where it does not know a tokenizer: the model was trained otherwise, but is run so there.
pub(super) const DEFAULT: &[&str] = &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"];

const BLOOM_WORDS: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";

/// BLOOM.
pub(super) const BLOOM: &[&str] = &[BLOOM_WORDS];

/// Viking: as BLOOM, with each digit by itself.
pub(super) const VIKING: &[&str] = &[BLOOM_WORDS, r"\p{N}"];

/// Chameleon: names of images first.
pub(super) const CHAMELEON: &[&str] = &[
    "<sentinel:[0-9]+>",
    "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
    r"([\t\n]|    |  )",
    r"\p{N}",
    r"[\p{P}!-/:-@\[-`{-~]",
    GPT2,
];

/// SuperBPE: words are not cut, and digits stand in threes from the right.
pub(super) const SUPERBPE: &[&str] = &[r"\p{N}+", r"(?=(\d{3})+(?!\d))"];
