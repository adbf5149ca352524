#!/usr/bin/env python3
"""Make a random gpt-oss checkpoint with experts in MXFP4, to see what a mixture of experts takes in memory.

1.2 billion parameters by default: 0.7 GB in the file, 4.8 GB if the experts were widened to f32. Then:

    /usr/bin/time -v lookback look "The keepers lit 12; I saw." --model FOLDER

Needs numpy and safetensors. Usage: make_random_mixture.py FOLDER [--layers N] [--experts N] [--width N]
"""

import argparse
import json
import pathlib
import shutil

import numpy as np
from safetensors.numpy import save_file

# Where the configuration and the tokenizer come from.
TINY = pathlib.Path(__file__).resolve().parent.parent / "crates/model/tests/data/families/gptoss-windows"
HEADS, KV_HEADS, HEAD_DIM = 16, 4, 64


def mxfp4(random: np.random.Generator, name: str, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Any bytes are numbers; the scales, 2^(s - 127), keep them near 1/16."""
    experts, rows, columns = shape
    blocks = random.integers(0, 256, (experts, rows, columns // 32, 16), dtype=np.uint8)
    return {f"{name}_blocks": blocks, f"{name}_scales": np.full((experts, rows, columns // 32), 121, dtype=np.uint8)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--experts", type=int, default=32)
    parser.add_argument("--width", type=int, default=1024)
    given = parser.parse_args()
    random, d = np.random.default_rng(0), given.width
    config = json.loads((TINY / "config.json").read_text()) | {
        "hidden_size": d, "intermediate_size": d, "num_hidden_layers": given.layers, "num_local_experts": given.experts,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "num_experts_per_tok": 4,
        "layer_types": [("sliding_attention", "full_attention")[layer % 2] for layer in range(given.layers)],
        "quantization_config": {"quant_method": "mxfp4"},
    }

    def matrix(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / shape[-1] ** 0.5).astype(np.float16)

    vocab = config["vocab_size"]
    tensors = {"model.embed_tokens.weight": matrix(vocab, d), "lm_head.weight": matrix(vocab, d),
               "model.norm.weight": np.ones(d, np.float16)}
    for layer in range(given.layers):
        at = f"model.layers.{layer}."
        for name, rows, columns in (("q", HEADS * HEAD_DIM, d), ("k", KV_HEADS * HEAD_DIM, d), ("v", KV_HEADS * HEAD_DIM, d),
                                    ("o", d, HEADS * HEAD_DIM)):
            tensors[f"{at}self_attn.{name}_proj.weight"] = matrix(rows, columns)
            tensors[f"{at}self_attn.{name}_proj.bias"] = matrix(rows)
        tensors[f"{at}self_attn.sinks"] = matrix(HEADS)
        tensors[f"{at}input_layernorm.weight"] = tensors[f"{at}post_attention_layernorm.weight"] = np.ones(d, np.float16)
        tensors[f"{at}mlp.router.weight"], tensors[f"{at}mlp.router.bias"] = matrix(given.experts, d), matrix(given.experts)
        tensors[f"{at}mlp.experts.gate_up_proj_bias"] = matrix(given.experts, 2 * d)
        tensors[f"{at}mlp.experts.down_proj_bias"] = matrix(given.experts, d)
        tensors |= mxfp4(random, f"{at}mlp.experts.gate_up_proj", (given.experts, 2 * d, d))
        tensors |= mxfp4(random, f"{at}mlp.experts.down_proj", (given.experts, d, d))
    given.folder.mkdir(parents=True)
    (given.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / name, given.folder)
    save_file(tensors, given.folder / "model.safetensors", {"format": "pt"})
    print(sum(path.stat().st_size for path in given.folder.iterdir()), "bytes")


if __name__ == "__main__":
    main()
