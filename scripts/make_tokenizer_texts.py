#!/usr/bin/env python3
"""Write what the original libraries make of 600 random texts, for each kind of tokenizer.

The texts are drawn by a seed from the lists and ranges in `texts.json`, here and in the tests by the same few lines, so
that they need not be stored. Of each text's ids only a digest of 64 bits is kept: `NAME.digests`, FNV-1a over the ids as
32-bit numbers, lowest byte first, eight bytes a text. NAME is a folder of the tiny checkpoints (its tokenizer.json by
the `tokenizers` library), `NAME.pieces` the same by SentencePiece itself, `unigram` (whose tokenizer.json is written too),
and `pre-NAME` for each way to cut words that GGUF files name: these share a vocabulary, `uncut.json`, whose merges go
across words, so that every cut shows in the ids.

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


def digest(ids: list[int]) -> bytes:
    value = 0xCBF29CE484222325
    for byte in b"".join(index.to_bytes(4, "little") for index in ids):
        value = ((value ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return value.to_bytes(8, "little")


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


# The patterns of each, as its published tokenizer.json has them; `default` is llama.cpp's own.
PATTERNS = {
    "llama-bpe": [LLAMA3],
    "dbrx": [LLAMA3],
    "qwen2": [LLAMA3.replace("{1,3}", "")],
    "tekken": [cased("", r"\p{N}")],
    "gpt-4o": [cased(ENDING, r"\p{N}{1,3}")],
    "deepseek-v3": [
        r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ],
    "default": [
        r"[\p{P}\$\+<=>\^~\|]+", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)", r"\p{N}+",
        "[0-9][0-9][0-9]",
    ],
}


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
    if name in ("command-r", "olmo", "qwen2"):
        library.normalizer = normalizers.NFC()
    if name in ("llama-bpe", "tekken"):
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
    for name in (*PATTERNS, "gpt-2", "olmo", "smollm", "command-r"):
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
