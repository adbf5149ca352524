"""Small tokenizers for the tiny checkpoints, and texts that tell them apart.

Four byte-level ones share one vocabulary and one list of merges and differ in
how they cut a text first; the merges are chosen so that each cut shows in the
ids. The fifth is Llama's: SentencePiece BPE with bytes for unknown characters.
"""

import dataclasses
import io
import json
import pathlib

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors

# Pairs as a reader would write them; "_" stands for a space, "/" for a newline.
MERGES = """
1 2|12 3|123 4|0 0|_ 1|_1 2|1 9|r e|v e|' s|' t|' l|'l l|' re|' S|' L|'L L|h e|_ t|_t he|i n|a n|l l|l o|H e
He llo|_ a|_a n|_ _|__ __|/ /|// /|_ /|__ /|. /|./ /|. .|.. .|! !|! h|!h e|( a|_ (|_( a|) ;|_ .|a b|ab c|_abc d
c d|b c|o f|_ of|e r|_ w|w o|_wo r|s ?|é é|ï v|日 本|😀 😀|\t \t
"""
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN_ADDED = ["<tool>"]
# Not to be reached by merging: Llama 3's tokenizer finds it all the same.
WHOLE_WORDS = [" world", "xyzzy"]

PROBES = [
    "", " ", "  ", "\n", "\r\n", "\t\t", " \n ", "\n\n\n", "a  b   c    d", "Hello world", "xyzzy xyzzyx",
    "In 1995, 12345 things", "1 12 123 1234 12345 1,234.56 001900", "x=10 y", "x²+½=Ⅷ ٣٤٥ 一二三",
    "I'll don't we've", "HELLO'S he'S I'LL 'S 'LL", "'tis o'clock ''s ſ's 'ſ", "the Hello in an abcd of worlds",
    "naïve café — “quotes” 日本語 🙂", "cafe\u0301 A\u030angström Å", "éé ïv 日本日本 😀😀😀", "👩‍👩‍👧 👍🏽",
    "\u00a0nbsp\u2003em\u3000ideographic", "\ufeffbom zero\u200bwidth \ufffd", "a\x00b\x7fc",
    "<|im_start|>user\nhi<|im_end|>", "<|endoftext|><|endoftext|> x", " <tool> a<tool>b", "<|im_start <|im_start|",
    "(a) (abc); [x] {y} foo_bar --- ... !!!he", "end.\n\n\nNext...\n", "  indented\n\tcode( a)\n", "\t\t\ttabs \t ",
    "▁ lower ▁▁one", "Ġ is a letter", "trailing space ", "   leading", "ﬁ ｆｕｌｌ İstanbul ß", "a" * 60,
]


def _byte_level() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The shared vocabulary, special tokens first, and the merges."""
    to_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)

    def level(text: str) -> str:
        text = text.replace("_", " ").replace("/", "\n").replace("\\t", "\t")
        return "".join(piece for piece, _ in to_level.pre_tokenize_str(text))

    tokens = SPECIAL + PLAIN_ADDED + sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = []

    def merge(left: str, right: str) -> None:
        if left + right not in tokens:
            merges.append((left, right))
            tokens.append(left + right)

    def join(text: str) -> None:
        """Makes a token of a text by merges from its left end."""
        for end in range(1, len(text)):
            merge(text[:end], text[end])

    for pair in MERGES.replace("\n", "|").strip("|").split("|"):
        left, right = pair.split(" ")
        join(level(left))
        join(level(right))
        merge(level(left), level(right))
    tokens.extend(level(word) for word in WHOLE_WORDS)
    return {token: index for index, token in enumerate(tokens)}, merges


@dataclasses.dataclass(eq=False)
class TinyTokenizer:
    """One tokenizer in both formats."""

    library: Tokenizer
    bos: str | None
    eos: str
    adds_bos: bool
    # GGUF's keys tokenizer.ggml.*
    model: str
    pre: str | None
    tokens: list[str]
    types: list[int]
    scores: list[float] | None = None
    processor: sentencepiece.SentencePieceProcessor | None = None

    def merges(self) -> list[str]:
        return [" ".join(pair) for pair in json.loads(self.library.to_str())["model"]["merges"]]

    def ids(self, text: str) -> list[int]:
        """Ids of a text without what is put around it. SentencePiece itself decides
        where the text has no special tokens, which it does not know how to read."""
        ids = self.library.encode(text, add_special_tokens=False).ids
        if self.processor is not None and not any(token in text for token in ("<s>", "</s>", "<unk>")):
            expected = self.processor.encode(text)
            if expected != ids:
                print(f"tokenizer.json differs from sentencepiece on {text!r}: {ids} {expected}")
            return expected
        return ids

    def probes(self) -> list[dict]:
        texts = PROBES + ([] if self.processor is None else ["<s> a</s>b", "<s><s>", " <unk> x"])
        return [{"text": text, "ids": self.ids(text)} for text in texts]

    def save(self, folder: pathlib.Path, chat_template: str | None = None) -> None:
        (folder / "tokenizer.json").write_text(json.dumps(json.loads(self.library.to_str()), ensure_ascii=False))
        config = {
            "add_bos_token": self.adds_bos,
            "bos_token": self.bos,
            "eos_token": self.eos,
            "tokenizer_class": "PreTrainedTokenizerFast",
        }
        if chat_template is not None:
            config["chat_template"] = chat_template
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")

    def write(self, writer: gguf.GGUFWriter) -> None:
        writer.add_tokenizer_model(self.model)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        if self.pre is not None:
            writer.add_tokenizer_pre(self.pre)
            writer.add_token_merges(self.merges())
        if self.scores is not None:
            writer.add_token_scores(self.scores)
            writer.add_unk_token_id(0)
        if self.bos is not None:
            writer.add_bos_token_id(self.tokens.index(self.bos))
        writer.add_eos_token_id(self.tokens.index(self.eos))
        writer.add_add_bos_token(self.adds_bos)


def byte_level(pre: str) -> TinyTokenizer:
    """Byte-level BPE with the pre-tokenizer that GGUF files call `pre`."""
    vocabulary, merges = _byte_level()
    library = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre == "llama-bpe"))
    library.pre_tokenizer = _pre_tokenizer(pre)
    if pre == "qwen2":
        library.normalizer = normalizers.NFC()
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    library.add_tokens([AddedToken(token, normalized=False) for token in PLAIN_ADDED])
    adds_bos = pre == "llama-bpe"
    bos = SPECIAL[0] if adds_bos else SPECIAL[1]
    if adds_bos:
        library.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, vocabulary[bos])]
        )
    else:
        library.post_processor = processors.ByteLevel(trim_offsets=True)
    kinds = {**dict.fromkeys(SPECIAL, gguf.TokenType.CONTROL), **dict.fromkeys(PLAIN_ADDED, gguf.TokenType.USER_DEFINED)}
    return TinyTokenizer(
        library=library,
        bos=bos,
        eos=SPECIAL[2],
        adds_bos=adds_bos,
        model="gpt2",
        pre=pre,
        tokens=list(vocabulary),
        types=[int(kinds.get(token, gguf.TokenType.NORMAL)) for token in vocabulary],
    )


def _pre_tokenizer(pre: str) -> pre_tokenizers.PreTokenizer:
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pre == "gpt-2":
        return gpt2
    if pre == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2])
    digits = {"llama-bpe": r"\p{N}{1,3}", "qwen2": r"\p{N}"}[pre]
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits
        + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False)
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def llama(corpus: list[str], pieces: int, byte_fallback: bool) -> TinyTokenizer:
    """SentencePiece BPE, set up as Llama's, with `pieces` entries."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        model_type="bpe",
        vocab_size=pieces,
        byte_fallback=byte_fallback,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        character_coverage=1.0 if byte_fallback else 0.98,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    count = processor.get_piece_size()
    tokens = [processor.id_to_piece(index) for index in range(count)]
    scores = [processor.get_score(index) for index in range(count)]
    return TinyTokenizer(
        library=_llama_library(tokens, scores, byte_fallback),
        bos="<s>",
        eos="</s>",
        adds_bos=True,
        model="llama",
        pre=None,
        tokens=tokens,
        types=[int(_llama_type(processor, index)) for index in range(count)],
        scores=scores,
        processor=processor,
    )


def _llama_type(processor: sentencepiece.SentencePieceProcessor, index: int) -> gguf.TokenType:
    if processor.is_unknown(index):
        return gguf.TokenType.UNKNOWN
    if processor.is_control(index):
        return gguf.TokenType.CONTROL
    return gguf.TokenType.BYTE if processor.is_byte(index) else gguf.TokenType.NORMAL


def _llama_library(tokens: list[str], scores: list[float], byte_fallback: bool) -> Tokenizer:
    """The same as a tokenizer.json: merges are the pairs that make a piece, best piece first."""
    vocabulary = {token: index for index, token in enumerate(tokens)}
    merges = []
    for token, score in zip(tokens, scores):
        splits = [(token[:at], token[at:]) for at in range(1, len(token))]
        known = [pair for pair in splits if pair[0] in vocabulary and pair[1] in vocabulary]
        merges.extend((score, pair) for pair in sorted(known, key=lambda pair: [vocabulary[side] for side in pair]))
    merges.sort(key=lambda merge: -merge[0])
    library = Tokenizer(
        models.BPE(
            vocabulary, [pair for _, pair in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback
        )
    )
    library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    library.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    library.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return library
