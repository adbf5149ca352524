#!/usr/bin/env python3
"""Make tiny random Llama checkpoints with the outputs that `transformers` computes.

For each, a Hugging Face folder, the same checkpoint as a GGUF file in it
(model.gguf), and `expected.safetensors` (input_ids [N], logits [N, V],
attentions [L, H, N, N], in f32 by eager attention on the stored weights). Two
more have a GGUF file only, in quantised types; their expected outputs come
from the dequantised weights. `probes.json` (texts and their ids) stands beside
one checkpoint of each tokenizer.

Needs torch, transformers, safetensors, tokenizers, sentencepiece and gguf.
Usage: make_tiny_checkpoints.py crates/model/tests/data/tiny
"""

import dataclasses
import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

import tiny_tokenizers as tiny
from tiny_tokenizers import TinyTokenizer

TEXT = "The lighthouse keeper said 12 words; nobody heard them."
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OTHER_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


@dataclasses.dataclass
class Checkpoint:
    name: str
    tokenizer: TinyTokenizer
    config: dict
    dtype: torch.dtype = torch.float32
    mistral: bool = False
    shards: bool = False
    # How many tokens of TEXT are run.
    length: int = 12
    # Whether config.json is written as transformers before version 5 did.
    old_config: bool = False
    # GGUF's type of each matrix; None: the folder's own type.
    types: dict[str, Type] | None = None


def random_model(checkpoint: Checkpoint, seed: int) -> torch.nn.Module:
    """Weights that make attention neither uniform nor one-hot."""
    config = {
        "vocab_size": len(checkpoint.tokenizer.tokens),
        "num_hidden_layers": 2,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "attn_implementation": "eager",
        **checkpoint.config,
    }
    if checkpoint.mistral:
        model = MistralForCausalLM(MistralConfig(sliding_window=None, **config))
    else:
        model = LlamaForCausalLM(LlamaConfig(**config))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(1 + 0.2 * noise)
            elif "embed_tokens" in name:
                parameter.copy_(noise * 4 / parameter.shape[-1] ** 0.5)
            else:
                parameter.copy_(noise * 1.5 / parameter.shape[-1] ** 0.5)
    return model.eval()


def gguf_name(name: str) -> str:
    name = name.removesuffix(".weight")
    if name in OTHER_NAMES:
        return OTHER_NAMES[name] + ".weight"
    _, _, layer, tensor = name.split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[tensor]}.weight"


def head_count(name: str, config) -> int | None:
    """How many heads a matrix's rows belong to, where GGUF interleaves their halves."""
    if "q_proj" in name:
        return config.num_attention_heads
    return config.num_key_value_heads if "k_proj" in name else None


def interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """Half-split rows of each head to neighbouring pairs, as llama.cpp's converter does."""
    return rows.reshape(heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def deinterleave(rows: np.ndarray, heads: int) -> np.ndarray:
    return rows.reshape(heads, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def random_blocks(shape: tuple[int, int], kind: Type, rng: np.random.Generator, std: float) -> np.ndarray:
    """Bytes of a K-quantised matrix: random, but for scales that give this deviation."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (shape[0], shape[1] // block, size), dtype=np.uint8)
    scales = {Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}[kind]

    def with_scale(scale: float) -> np.ndarray:
        for index, at in enumerate(scales):
            # The second scale is that of the minimums, which are all of one sign.
            value = np.float16(scale * (1.0 if index == 0 else 6.0))
            data[:, :, at : at + 2] = np.frombuffer(value.tobytes(), dtype=np.uint8)
        return data.reshape(shape[0], -1)

    deviation = gguf.dequantize(with_scale(2.0**-6), kind).std() * 2.0**6
    return with_scale(std / deviation)


def quantise(model: torch.nn.Module, checkpoint: Checkpoint, seed: int) -> dict[str, tuple[np.ndarray, Type]]:
    """The model's tensors as GGUF stores them; quantised ones are put back into the model, dequantised."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, parameter in model.named_parameters():
        heads = head_count(name, model.config)
        values = parameter.detach().float().numpy()
        values = interleave(values, heads) if heads else values
        kind = stored_type(name, values, checkpoint)
        if "_K" in kind.name:
            data = random_blocks(values.shape, kind, rng, float(values.std()))
        else:
            data = gguf.quantize(values, kind)
        stored = gguf.dequantize(data, kind).reshape(values.shape).astype(np.float32)
        stored = deinterleave(stored, heads) if heads else stored
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(stored)))
        tensors[gguf_name(name)] = (data, kind)
    return tensors


def stored_type(name: str, values: np.ndarray, checkpoint: Checkpoint) -> Type:
    if values.ndim == 1:
        return Type.F32
    if checkpoint.types is None:
        return {torch.float32: Type.F32, torch.float16: Type.F16, torch.bfloat16: Type.BF16}[checkpoint.dtype]
    return next(kind for part, kind in checkpoint.types.items() if part in name)


def write_gguf(path: pathlib.Path, checkpoint: Checkpoint, config, tensors: dict[str, tuple[np.ndarray, Type]]) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"Tiny {checkpoint.name}")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config))
    checkpoint.tokenizer.write(writer)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama3_factors(config) -> np.ndarray:
    """What divides each frequency, as llama.cpp's converter writes it."""
    rope = config.rope_parameters
    frequencies = rope["rope_theta"] ** -(np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim)
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - kept) / rope["factor"] + kept)).astype(np.float32)


def save_expected(folder: pathlib.Path, model: torch.nn.Module, checkpoint: Checkpoint) -> None:
    ids = torch.tensor([checkpoint.tokenizer.ids(TEXT)[: checkpoint.length]])
    # A model of its own: changing a model's type would round its rotary frequencies too.
    reference = type(model)(model.config).eval()
    reference.load_state_dict({name: tensor.float() for name, tensor in model.state_dict().items()})
    with torch.no_grad():
        output = reference(ids, output_attentions=True)
    attentions = torch.cat(output.attentions)
    assert 0.05 < attentions.max(-1).values[:, :, 8:].mean() < 0.95
    expected = {"input_ids": ids[0].int(), "logits": output.logits[0], "attentions": attentions}
    save_file({name: tensor.contiguous() for name, tensor in expected.items()}, folder / "expected.safetensors")


def write_old_config(path: pathlib.Path) -> None:
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2) + "\n")


def save_probes(folder: pathlib.Path, tokenizer: TinyTokenizer) -> None:
    """Once for each tokenizer, beside the first checkpoint that uses it."""
    (folder / "probes.json").write_text(json.dumps(tokenizer.probes(), ensure_ascii=False))


def make_folder(folder: pathlib.Path, checkpoint: Checkpoint, seed: int) -> None:
    model = random_model(checkpoint, seed).to(checkpoint.dtype)
    model.save_pretrained(folder, max_shard_size="12KB" if checkpoint.shards else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    if checkpoint.old_config:
        write_old_config(folder / "config.json")
    checkpoint.tokenizer.save(folder, CHAT_TEMPLATE)
    tensors = quantise(model, checkpoint, seed)
    write_gguf(folder / "model.gguf", checkpoint, model.config, tensors)
    save_expected(folder, model, checkpoint)


def make_gguf_only(folder: pathlib.Path, checkpoint: Checkpoint, seed: int) -> None:
    folder.mkdir()
    model = random_model(checkpoint, seed)
    tensors = quantise(model, checkpoint, seed)
    write_gguf(folder / "model.gguf", checkpoint, model.config, tensors)
    save_expected(folder, model, checkpoint)


def checkpoints(corpus: list[str]) -> list[Checkpoint]:
    small = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4}
    tied = {**small, "tie_word_embeddings": True}
    llama = tiny.llama(corpus, 340, byte_fallback=True)
    llama_bpe = tiny.byte_level("llama-bpe")
    llama3 = {
        "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
    }
    linear = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
    blocks_of_32 = {
        "embed_tokens": Type.Q8_0, "q_proj": Type.Q4_0, "k_proj": Type.Q4_1, "v_proj": Type.Q5_0, "o_proj": Type.Q5_1,
        "gate_proj": Type.Q4_1, "up_proj": Type.F16, "down_proj": Type.Q4_0, "lm_head": Type.BF16,
    }
    blocks_of_256 = {
        "embed_tokens": Type.Q4_K, "q_proj": Type.Q4_K, "k_proj": Type.Q6_K, "v_proj": Type.Q5_K, "o_proj": Type.Q8_0,
        "gate_proj": Type.Q2_K, "up_proj": Type.Q3_K, "down_proj": Type.Q8_0,
    }
    return [
        Checkpoint("tied", tiny.byte_level("smollm"), tied),
        Checkpoint("untied-bf16", tiny.byte_level("gpt-2"), small, torch.bfloat16),
        Checkpoint("grouped", tiny.byte_level("qwen2"), {**tied, "num_key_value_heads": 2}, torch.bfloat16, old_config=True),
        Checkpoint("head-dim-f16", llama, {**tied, "num_key_value_heads": 1, "head_dim": 8}, torch.float16),
        Checkpoint("sharded", llama_bpe, {**small, "num_key_value_heads": 2}, torch.bfloat16, shards=True),
        Checkpoint(
            "rope-llama3", llama_bpe, {**tied, "num_attention_heads": 2, "head_dim": 16, "rope_parameters": llama3},
            torch.bfloat16, old_config=True, length=20,
        ),
        Checkpoint("rope-linear", llama, {**tied, "rope_parameters": linear}, torch.float16, length=20),
        Checkpoint("mistral", llama, {**tied, "num_key_value_heads": 2, "head_dim": 4}, torch.float16, mistral=True),
        Checkpoint(
            "quantised", tiny.byte_level("smollm"),
            {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16},
            types=blocks_of_32,
        ),
        Checkpoint(
            "k-quants", tiny.llama(corpus, 80, byte_fallback=False),
            {"hidden_size": 256, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
             "num_hidden_layers": 1, "tie_word_embeddings": True},
            types=blocks_of_256,
        ),
    ]


def main(out: pathlib.Path) -> None:
    corpus = (out.parent / "golden" / "long.txt").read_text().splitlines()
    tokenizers: list[TinyTokenizer] = []
    for seed, checkpoint in enumerate(checkpoints(corpus)):
        folder = out / checkpoint.name
        shutil.rmtree(folder, ignore_errors=True)
        make = make_folder if checkpoint.types is None else make_gguf_only
        make(folder, checkpoint, seed)
        if checkpoint.tokenizer not in tokenizers:
            tokenizers.append(checkpoint.tokenizer)
            save_probes(folder, checkpoint.tokenizer)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{size} bytes")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
