"""Small tokenizers of each family's own kind, for its tiny checkpoints.

Each is trained on a little text with the `tokenizers` library (SentencePiece's with its own trainer), has the
normalizer, pre-tokenizer, post-processor and decoder that the family's published tokenizer.json has, and is saved
under the family's names.
"""

import collections
import dataclasses
import io
import json
import pathlib

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tiny_tokenizers

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3_CHAT = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL_CHAT = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]"
    "{% elif message['role'] == 'assistant' %} {{ message['content'] }}{{ eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
GEMMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "<start_of_turn>{{ role }}\n{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


@dataclasses.dataclass(eq=False)
class FamilyTokenizer:
    """A tokenizer as a folder holds it."""

    library: Tokenizer
    # tokenizer_config.json
    config: dict
    # How many tokens it puts before and after a text.
    prefix: int = 0
    suffix: int = 0
    # Which of llama.cpp's names for pre-tokenizers its GGUF file gets, where it is a byte-level one.
    pre: str | None = None
    # SentencePiece's own file, which llama.cpp's converter reads.
    sentencepiece: bytes | None = None

    @property
    def size(self) -> int:
        return self.library.get_vocab_size(with_added_tokens=True)

    def id(self, token: str | None) -> int | None:
        return None if token is None else self.library.token_to_id(token)

    def save(self, folder: pathlib.Path) -> None:
        (folder / "tokenizer.json").write_text(json.dumps(json.loads(self.library.to_str()), ensure_ascii=False))
        (folder / "tokenizer_config.json").write_text(json.dumps(self.config, indent=1, ensure_ascii=False) + "\n")


def _special(tokens: list[str]) -> list[AddedToken]:
    return [AddedToken(token, special=True, normalized=False) for token in tokens]


def _byte_level(corpus: list[str], merges: int, first: list[str], step=None, normalizer=None, **bpe) -> Tokenizer:
    """Byte-level BPE whose vocabulary is `first`, the bytes, and `merges` more."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=step is None)
    library = Tokenizer(models.BPE(**bpe))
    library.pre_tokenizer = byte_level if step is None else pre_tokenizers.Sequence([step, byte_level])
    if normalizer is not None:
        library.normalizer = normalizer
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=len(first) + 256 + merges,
        special_tokens=_special(first),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator(corpus, trainer)
    return library


def _split(digits: str) -> pre_tokenizers.PreTokenizer:
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits
        + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False)


def gpt2(corpus: list[str]) -> FamilyTokenizer:
    library = _byte_level(corpus, 40, [])
    # Its only special token stands at the end.
    library.add_special_tokens(_special(["<|endoftext|>"]))
    library.post_processor = processors.ByteLevel(trim_offsets=False)
    end = "<|endoftext|>"
    config = {
        "add_bos_token": False, "add_prefix_space": False, "bos_token": end, "eos_token": end, "unk_token": end,
        "model_max_length": 1024, "tokenizer_class": "GPT2Tokenizer",
    }
    return FamilyTokenizer(library, config, pre="gpt-2")


def neox(corpus: list[str]) -> FamilyTokenizer:
    end = "<|endoftext|>"
    library = _byte_level(corpus, 40, [end, "<|padding|>"], normalizer=normalizers.NFC())
    # Runs of spaces are tokens of their own, not special ones.
    library.add_tokens([AddedToken(" " * count, normalized=True) for count in (4, 3, 2)])
    library.post_processor = processors.ByteLevel(trim_offsets=True)
    config = {
        "add_prefix_space": False, "bos_token": end, "eos_token": end, "unk_token": end,
        "tokenizer_class": "GPTNeoXTokenizer",
    }
    return FamilyTokenizer(library, config, pre="olmo")


def llama3(corpus: list[str]) -> FamilyTokenizer:
    library = _byte_level(corpus, 40, [], step=_split(r"\p{N}{1,3}"), ignore_merges=True)
    begin = "<|begin_of_text|>"
    library.add_special_tokens(
        _special([begin, "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"])
    )
    library.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(
            single=f"{begin} $A", pair=f"{begin} $A {begin}:1 $B:1", special_tokens=[(begin, library.token_to_id(begin))]
        ),
    ])
    config = {
        "bos_token": begin, "eos_token": "<|end_of_text|>", "clean_up_tokenization_spaces": True,
        "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
        "tokenizer_class": "PreTrainedTokenizerFast", "chat_template": LLAMA3_CHAT,
    }
    return FamilyTokenizer(library, config, prefix=1, pre="llama-bpe")


def qwen(corpus: list[str]) -> FamilyTokenizer:
    library = _byte_level(corpus, 40, [], step=_split(r"\p{N}"), normalizer=normalizers.NFC())
    library.add_special_tokens(_special(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    library.post_processor = processors.ByteLevel(trim_offsets=False)
    config = {
        "add_bos_token": False, "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>", "unk_token": None, "split_special_tokens": False, "errors": "replace",
        "tokenizer_class": "Qwen2Tokenizer", "chat_template": CHATML,
    }
    return FamilyTokenizer(library, config, pre="qwen2")


def _sentencepiece(corpus: list[str], pieces: int, **options) -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, model_type="bpe", vocab_size=pieces, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
        split_digits=True, character_coverage=1.0, hard_vocab_limit=False, minloglevel=2, num_threads=1, **options,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def _pieces_as_bpe(processor: sentencepiece.SentencePieceProcessor) -> models.BPE:
    """Merges are the pairs that make a piece, best piece first."""
    count = processor.get_piece_size()
    vocabulary = {processor.id_to_piece(index): index for index in range(count)}
    merges = []
    for token, index in vocabulary.items():
        if processor.is_control(index) or processor.is_unknown(index) or processor.is_byte(index):
            continue
        splits = [(token[:at], token[at:]) for at in range(1, len(token))]
        known = [pair for pair in splits if pair[0] in vocabulary and pair[1] in vocabulary]
        ranked = sorted(known, key=lambda pair: [vocabulary[side] for side in pair])
        merges.extend((processor.get_score(index), pair) for pair in ranked)
    merges.sort(key=lambda merge: -merge[0])
    return models.BPE(vocabulary, [pair for _, pair in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)


def mistral(corpus: list[str]) -> FamilyTokenizer:
    processor = _sentencepiece(corpus, 330, add_dummy_prefix=True)
    library = Tokenizer(_pieces_as_bpe(processor))
    library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    library.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    library.add_special_tokens(_special(["<unk>", "<s>", "</s>"]))
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    config = {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "legacy": True, "tokenizer_class": "LlamaTokenizer", "chat_template": MISTRAL_CHAT,
    }
    return FamilyTokenizer(library, config, prefix=1, sentencepiece=processor.serialized_model_proto())


def gemma(corpus: list[str]) -> FamilyTokenizer:
    turns = ["<start_of_turn>", "<end_of_turn>"]
    processor = _sentencepiece(
        corpus, 340, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>", unk_piece="<unk>",
        user_defined_symbols=["<mask>", *turns, "\n\n", "▁▁"],
    )
    library = Tokenizer(_pieces_as_bpe(processor))
    library.normalizer = normalizers.Replace(" ", "▁")
    library.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous", invert=False)
    library.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    library.add_special_tokens(_special(["<pad>", "<eos>", "<bos>", "<unk>", *turns]))
    library.add_tokens([AddedToken(token, normalized=False) for token in ("<mask>", "\n\n", "▁▁")])
    library.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)]
    )
    config = {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>",
        "unk_token": "<unk>", "tokenizer_class": "GemmaTokenizer", "chat_template": GEMMA_CHAT,
    }
    return FamilyTokenizer(library, config, prefix=1, sentencepiece=processor.serialized_model_proto())


def _word_pieces(corpus: list[str], library: Tokenizer) -> list[str]:
    """All letters, and the most frequent words and endings. The library's own trainer breaks ties at random."""
    words = collections.Counter()
    for line in corpus:
        normal = library.normalizer.normalize_str(line)
        words.update(word for word, _ in library.pre_tokenizer.pre_tokenize_str(normal))
    endings = collections.Counter()
    for word, count in words.items():
        endings.update({f"##{word[-length:]}": count for length in (2, 3) if length < len(word)})
    letters = sorted({letter for word in words for letter in word} | set("é日½"))
    pieces = letters + [f"##{letter}" for letter in letters]
    for counter, most in ((words, 60), (endings, 30)):
        ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        pieces.extend([piece for piece, _ in ranked if piece not in pieces][:most])
    return pieces


def bert(corpus: list[str], lowercase: bool = True) -> FamilyTokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    library = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lowercase
    )
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    pieces = special + _word_pieces(corpus, library)
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    library.model = models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100)
    library.add_special_tokens(_special(special))
    library.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", library.token_to_id("[CLS]")), ("[SEP]", library.token_to_id("[SEP]"))],
    )
    config = {
        "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "pad_token": "[PAD]", "unk_token": "[UNK]",
        "do_lower_case": lowercase, "strip_accents": None, "tokenize_chinese_chars": True, "model_max_length": 512,
        "tokenizer_class": "BertTokenizer",
    }
    return FamilyTokenizer(library, config, prefix=1, suffix=1)


def distilbert(corpus: list[str]) -> FamilyTokenizer:
    tokenizer = bert(corpus)
    tokenizer.library.post_processor = processors.BertProcessing(
        ("[SEP]", tokenizer.id("[SEP]")), ("[CLS]", tokenizer.id("[CLS]"))
    )
    tokenizer.config["tokenizer_class"] = "DistilBertTokenizer"
    return tokenizer


def roberta(corpus: list[str]) -> FamilyTokenizer:
    library = _byte_level(corpus, 40, ["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>")
    # As a word: the space before it belongs to it.
    library.add_special_tokens([AddedToken("<mask>", special=True, lstrip=True, normalized=False)])
    library.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    config = {
        "add_prefix_space": False, "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>",
        "mask_token": "<mask>", "pad_token": "<pad>", "unk_token": "<unk>", "errors": "replace", "trim_offsets": True,
        "model_max_length": 512, "tokenizer_class": "RobertaTokenizer",
    }
    return FamilyTokenizer(library, config, prefix=1, suffix=1)


def opt(corpus: list[str]) -> FamilyTokenizer:
    library = _byte_level(corpus, 40, ["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>")
    end = ("</s>", 2)
    library.post_processor = processors.TemplateProcessing(single="</s> $A", pair="</s> $A </s> $B", special_tokens=[end])
    config = {
        "add_bos_token": True, "add_prefix_space": False, "bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>",
        "unk_token": "</s>", "errors": "replace", "tokenizer_class": "GPT2Tokenizer",
    }
    return FamilyTokenizer(library, config, prefix=1)


def modernbert(corpus: list[str]) -> FamilyTokenizer:
    library = _byte_level(corpus, 40, ["[UNK]", "[CLS]", "[SEP]", "[PAD]"], normalizer=normalizers.NFC())
    # As a word: the space before it belongs to it.
    library.add_special_tokens([AddedToken("[MASK]", special=True, lstrip=True, normalized=False)])
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    config = {
        "clean_up_tokenization_spaces": True, "cls_token": "[CLS]", "mask_token": "[MASK]", "model_max_length": 8192,
        "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]", "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return FamilyTokenizer(library, config, prefix=1, suffix=1)


def training_text(root: pathlib.Path) -> list[str]:
    """Lines to train on: those of the golden text, and the tiny tokenizers' probes for what it has none of."""
    lines = (root / "crates/model/tests/data/golden/long.txt").read_text().splitlines()
    return [line for line in lines if line] + [text for text in tiny_tokenizers.PROBES if text.isascii() and text.isprintable()]
