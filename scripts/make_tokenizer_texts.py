#!/usr/bin/env python3
"""Write what the original libraries make of 600 random texts, for each kind of tokenizer.

The texts are drawn by a seed from the lists and ranges in `texts.json`, here and in the tests by the same few lines, so
that they need not be stored. Of each text's ids only a digest of 64 bits is kept: `NAME.digests`, FNV-1a over the ids as
32-bit numbers, lowest byte first, eight bytes a text. NAME is a folder of the tiny checkpoints (its tokenizer.json by
the `tokenizers` library), `NAME.pieces` the same by SentencePiece itself, `unigram` (whose tokenizer.json is written too),
and `pre-NAME` for the commonest ways to cut words that GGUF files name: these share a vocabulary, `uncut.json`, whose merges go
across words, so that cuts show in the ids. `cuts.json` has for every way one digest of where it cuts these texts and 2,000 more,
whose characters are drawn from those that patterns tell apart.

Needs tokenizers, sentencepiece and what family_tokenizers.py needs.
Usage: make_tokenizer_texts.py crates/model/tests/data [INDEX NAME, to show a text and its ids]
"""

import io
import itertools
import json
import pathlib
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import family_tokenizers as families

SETTINGS = {
    "seed": 20260,
    "count": 600,
    "words": [
        "The", "keeper", " lit", " lamps", "1995", " 12345", "3.14", "don't", "I'LL", " we've", "'s", "HTTPServer", "camelCase",
        "naïve", "Ångström", "cafe\u0301", "日本語", "русский", "עברית", "हिन्दी", "ไทย", "한국어", "🙂", "👩‍👩‍👧", "ﬁ", "½", "ſ", "ß", "İ",
        "foo_bar", "x=10", "...", "!?", "--", "(a)", "/path", "tide", "nobody", "##er", "▁", "▁a", "Ġ", "<0x41>",
    ],
    "spaces": [" ", "  ", "    ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u2003", "\u3000", "\u200b"],
    # Special tokens of some, plain text to the others.
    "special": ["[MASK]", " [SEP]", "<mask>", " <mask>", "</s>", "<s>", "<bos>", "<|endoftext|>", "<|im_end|>", "<start_of_turn>"],
    "ranges": [
        [0x1, 0x7F], [0x20, 0x7E], [0x80, 0xFF], [0x100, 0x24F], [0x300, 0x36F], [0x391, 0x3A1], [0x400, 0x4FF], [0x5D0, 0x5EA],
        [0x621, 0x64A], [0x905, 0x939], [0xE01, 0xE3A], [0x1E00, 0x1EFF], [0x2010, 0x2027], [0x20A0, 0x20BF], [0x2153, 0x2188],
        [0x2190, 0x21FF], [0x2500, 0x257F], [0x3041, 0x3096], [0x30A1, 0x30FA], [0x4E00, 0x9FA5], [0xAC00, 0xD7A3],
        [0xFF01, 0xFF5E], [0xFFFC, 0xFFFD], [0x1D400, 0x1D454], [0x1F600, 0x1F64F], [0x20000, 0x20100],
    ],
}


class Draws:
    """SplitMix64 (Steele, Lea & Flood 2014)."""

    def __init__(self, seed: int):
        self.state = seed

    def below(self, count: int) -> int:
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return (z ^ (z >> 31)) % count


def texts(settings: dict) -> list[str]:
    draws = Draws(settings["seed"])

    def part() -> str:
        match draws.below(8):
            case 0 | 1 | 2:
                return settings["words"][draws.below(len(settings["words"]))]
            case 3 | 4:
                return settings["spaces"][draws.below(len(settings["spaces"]))]
            case 5 | 6:
                low, high = settings["ranges"][draws.below(len(settings["ranges"]))]
                return "".join(chr(low + draws.below(high - low + 1)) for _ in range(1 + draws.below(3)))
            case _:
                return settings["special"][draws.below(len(settings["special"]))]

    return ["".join(part() for _ in range(1 + draws.below(12))) for _ in range(settings["count"])]


def fnv(numbers: list[int]) -> int:
    value = 0xCBF29CE484222325
    for byte in b"".join(number.to_bytes(4, "little") for number in numbers):
        value = ((value ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return value


def digest(ids: list[int]) -> bytes:
    return fnv(ids).to_bytes(8, "little")


CUTS = {
    "seed": 4711,
    "count": 2000,
    "longest": 40,
    "pool": "``''’sStTdDlLrReEvVmMaZ ß  \n\n\r\t\u00a0\u3000\u20280123456789१²½Ⅷ１.,!?/_-~^$+<=>|(){}[]:;#@&%*\"\\"
    "…“”‘—：；，。।۔«»日本龥一鿿々ひゟカー가힣ㄱㅎㄅéÉe\u0301\u0308\u0915\u093fǅʰªĳſKΩµǂƻʔʕաԱჅᲐჰᏸﬁＡｚ𐐀🙂👩\u200d\u200bIMGABZ",
}


def cut_texts() -> list[str]:
    draws = Draws(CUTS["seed"])
    pool = list(CUTS["pool"])
    return ["".join(pool[draws.below(len(pool))] for _ in range(1 + draws.below(CUTS["longest"]))) for _ in range(CUTS["count"])]


def cut_digest(name: str, drawn: list[str]) -> str:
    """Of the lengths in bytes of the words of all texts, each text's after a 0."""
    library = with_pre_tokenizer(name, ["a"])
    numbers = []
    for text in drawn:
        text = library.normalizer.normalize_str(text) if library.normalizer else text
        words = library.pre_tokenizer.pre_tokenize_str(text)
        numbers.append(0)
        numbers.extend(len(text[start:end].encode()) for _, (start, end) in words)
    return f"{fnv(numbers):016x}"


# Characters that the unigram tokenizer's own table changes; a published one has thousands.
RULES = {
    "ﬁ": "fi", "½": "1\u20442", "e\u0301": "\u00e9", "İ": "I", "\u00a0": " ", "\u2003": " ", "\u3000": " ", "\n": " ", "\t": " ",
    "\r": "", "…": "...", "\u200b": " ", "ｆ": "f", "ß": "ss", "🙂": ":)",
}


def unigram(corpus: list[str]) -> Tokenizer:
    """As T5's: `</s>` after a text, a table of characters, words marked with `▁`."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for source, target in RULES.items():
            rules.write("\t".join(" ".join(f"{ord(character):X}" for character in text) for text in (source, target)) + "\n")
        rules.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus), model_writer=model, model_type="unigram", vocab_size=240, hard_vocab_limit=False,
            normalization_rule_tsv=rules.name, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>",
            eos_piece="</s>", unk_piece="<unk>", minloglevel=2, num_threads=1,
        )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    library = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in proto.pieces], 2))
    library.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", prepend_scheme="always")]
    )
    library.decoder = decoders.Metaspace("▁", prepend_scheme="always")
    library.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<pad>", "</s>", "<unk>")])
    return library


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"


def cased(ending: str, digits: str) -> str:
    before = r"[^\r\n\p{L}\p{N}]?"
    words = f"{before}{UPPER}*{LOWER}+{ending}|{before}{UPPER}+{LOWER}*{ending}"
    return words + "|" + digits + r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
CHINESE_JAPANESE = "[一-龥\u3040-ゟ゠-ヿ]+"
DEEPSEEK_WORDS = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+"""
DEEPSEEK_ASIAN = "[一-龥\u0800-一가-\ud7ff]+"
# Letters with case, by ranges of code points, in DeepSeek's first tokenizer.
CASED = (
    "41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C 38E-3A1 3A3-3F5 3F7-481 "
    "48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 "
    "1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC "
    "1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183 "
    "2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 "
    "FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943"
)


def characters(ranges: str) -> str:
    return "".join("-".join(chr(int(code, 16)) for code in part.split("-")) for part in ranges.split())


KIMI_UPPER, KIMI_LOWER = (kind[:-1] + r"&&[^\p{Han}]]" for kind in (UPPER, LOWER))

# The patterns of each, as its published tokenizer.json has them where that was to be had, else as llama.cpp's
# src/llama-vocab.cpp; `default` is its own.
PATTERNS = {
    "llama-bpe": [LLAMA3],
    "dbrx": [LLAMA3],
    "qwen2": [LLAMA3.replace("{1,3}", "")],
    "kormo": [LLAMA3.replace("{1,3}", "")],
    "qwen35": [
        LLAMA3.replace("{1,3}", "").replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r" ?[^\s\p{L}", r" ?[^\s\p{L}\p{M}")
    ],
    "ufakzeka": [LLAMA3.replace("{1,3}", "").removeprefix("(?i:'s|'t|'re|'ve|'m|'ll|'d)|")],
    "laguna": [r"[^\n]+|[\n]+", LLAMA3.replace("{1,3}", "")],
    "minicpm5": [r"\p{N}{1,3}", LLAMA3.replace("{1,3}", "+")],
    "jais-2": [
        LLAMA3.removesuffix(r"\s+(?!\S)|\s+")
        + "|".join(rf"\s{{{count}}}(?!\S)" for count in (512, 256, 128, 64, 32, 16, 8, 4, "1,2")) + r"|\s{1}"
    ],
    "bailingmoe": [
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
    ],
    "seed-coder": [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "exaone-moe": [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"
        r"|\s*[\r\n]|\s+(?!\S)|\s+"
    ],
    "tekken": [cased("", r"\p{N}")],
    "gpt-4o": [cased(ENDING, r"\p{N}{1,3}")],
    "granite-embed-multi-97m": [cased(ENDING, r"\p{N}{1,3}")],
    "youtu": [
        "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+", cased(ENDING, r"\p{N}")
    ],
    "kimi-k2": [
        r"[\p{Han}]+|"
        + cased(ENDING, r"\p{N}{1,3}").replace(UPPER, KIMI_UPPER).replace(LOWER, KIMI_LOWER).replace(r"[\r\n/]*", r"[\r\n]*")
    ],
    "deepseek-v3": [r"\p{N}{1,3}", CHINESE_JAPANESE, DEEPSEEK_WORDS + r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "spark2_5": [r"\p{N}{1,3}", CHINESE_JAPANESE, DEEPSEEK_WORDS + r"|[\r\n]|\s+(?!\S)|\s+", r"\p{N}"],
    "deepseek-llm": [
        r"[\r\n]", rf"\s?[{characters(CASED)}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", DEEPSEEK_ASIAN, r"\p{N}+"
    ],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_ASIAN, r"\p{N}"],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "bloom": [r" ?[^(\s|.,!?…。，、।۔،)]+"],
    "viking": [r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"],
    "chameleon": [
        "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}", r"[\p{P}!-/:-@\[-`{-~]", GPT2
    ],
    "superbpe": [r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
}
# Those whose ids are kept too.
WITH_IDS = ("llama-bpe", "dbrx", "qwen2", "tekken", "gpt-4o", "deepseek-v3", "default", "gpt-2", "olmo", "smollm", "command-r")
COMPOSING = ("command-r", "olmo", "qwen2", "qwen35")
IGNORING_MERGES = ("llama-bpe", "tekken", "granite-embed-multi-97m", "minicpm5", "youtu")


def uncut(drawn: list[str]) -> Tokenizer:
    """Byte-level BPE, trained on the texts without cutting them."""
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + 700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    library.train_from_iterator(drawn, trainer)
    library.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    return library


def with_pre_tokenizer(name: str, drawn: list[str]) -> Tokenizer:
    library = uncut(drawn)
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name in PATTERNS:
        splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in PATTERNS[name]]
        library.pre_tokenizer = pre_tokenizers.Sequence(
            [*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    elif name in ("smollm", "command-r"):
        library.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2])
    else:
        library.pre_tokenizer = gpt2
    if name in COMPOSING:
        library.normalizer = normalizers.NFC()
    if name in IGNORING_MERGES:
        library.model.ignore_merges = True
    return library


def encoders(data: pathlib.Path, corpus: list[str], drawn: list[str]) -> dict:
    """What turns a text into ids, by name."""
    def by_library(library: Tokenizer):
        return lambda text: library.encode(text, add_special_tokens=False).ids

    def by_pieces(tokenizer: families.FamilyTokenizer):
        processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.sentencepiece)
        control = [processor.id_to_piece(index) for index in range(processor.get_piece_size())
                   if processor.is_control(index) or processor.is_unknown(index)]
        library = by_library(tokenizer.library)
        # It does not know how to read special tokens.
        return lambda text: library(text) if any(token in text for token in control) else processor.encode(text)

    folders = ["gpt2-tied", "neox-parallel", "llama-biases", "qwen2-tied", "mistral-wide", "gemma3-pattern", "bert-masked-lm",
               "bert-cased-untied", "roberta-masked-lm"]
    found = {name: by_library(Tokenizer.from_file(str(data / "families" / name / "tokenizer.json"))) for name in folders}
    found["mistral-wide.pieces"] = by_pieces(families.mistral(corpus))
    found["gemma3-pattern.pieces"] = by_pieces(families.gemma(corpus))
    found["unigram"] = by_library(unigram(corpus))
    for name in WITH_IDS:
        found[f"pre-{name}"] = by_library(with_pre_tokenizer(name, drawn))
    return found


def main(data: pathlib.Path, show: list[str]) -> None:
    corpus = families.training_text(pathlib.Path(__file__).resolve().parent.parent)
    drawn = texts(SETTINGS)
    found = encoders(data, corpus, drawn)
    if show:
        text = drawn[int(show[0])]
        print(repr(text), found[show[1]](text))
        return
    out = data / "tokenizers"
    out.mkdir(exist_ok=True)
    (out / "texts.json").write_text(json.dumps(SETTINGS, ensure_ascii=True) + "\n")
    for name, library in (("unigram", unigram(corpus)), ("uncut", uncut(drawn))):
        (out / f"{name}.json").write_text(json.dumps(json.loads(library.to_str()), ensure_ascii=False))
    of_cuts = [*drawn, *cut_texts()]
    cuts = {name: cut_digest(name, of_cuts) for name in dict.fromkeys((*PATTERNS, *WITH_IDS))}
    (out / "cuts.json").write_text(json.dumps({**CUTS, "digests": cuts}, ensure_ascii=True, indent=1) + "\n")
    print(f"{len(set(cuts.values()))} different ways of {len(cuts)} to cut words")
    digests = {}
    for name, encode in found.items():
        ids = [encode(text) for text in drawn]
        digests[name] = list(map(digest, ids))
        (out / f"{name}.digests").write_bytes(b"".join(digests[name]))
        print(f"{name}: {sum(map(len, ids))} tokens, {len(set(digests[name]))} different texts")
    for left, right in itertools.combinations(digests, 2):
        differ = sum(a != b for a, b in zip(digests[left], digests[right]))
        if differ < 20 and left.startswith("pre-"):
            print(f"{left} and {right} differ on {differ}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
