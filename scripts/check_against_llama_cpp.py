#!/usr/bin/env python3
"""Check that llama.cpp computes of the tiny checkpoints' GGUF files what `transformers` computes of their folders.

Logits after every token, for encoders the last hidden states; f32 files, f32 cache, no flash attention. Within 2e-3, or
2e-2 where llama.cpp takes GELU from a table of 16-bit numbers. The tokens are compared as well.

Files with 16-bit matrices are first written as f32 ones, of the same values: llama.cpp rounds what it multiplies 16-bit
matrices by.
Needs llama-cpp-python, gguf, numpy and safetensors.
Usage: check_against_llama_cpp.py crates/model/tests/data/families
"""

import json
import pathlib
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import load_file

WITHIN = 2e-3
WITHIN_WHERE_GELU = 2e-2
GELU = {"gpt2", "neox", "gemma2", "gemma3", "bert"}


def widen(path: pathlib.Path, target: pathlib.Path) -> None:
    """The same file with every tensor in f32."""
    reader = gguf.GGUFReader(path)
    fields = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    writer = gguf.GGUFWriter(target, fields.pop("general.architecture").contents())
    for name, field in fields.items():
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=inner)
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def load(path: pathlib.Path, is_encoder: bool) -> llama_cpp.Llama:
    f32 = llama_cpp.GGML_TYPE_F32
    pooling = llama_cpp.LLAMA_POOLING_TYPE_NONE if is_encoder else llama_cpp.LLAMA_POOLING_TYPE_UNSPECIFIED
    return llama_cpp.Llama(
        str(path), n_ctx=48, n_batch=48, n_ubatch=48, n_threads=1, n_threads_batch=1, logits_all=not is_encoder,
        embedding=is_encoder, pooling_type=pooling, type_k=f32, type_v=f32, flash_attn=False, swa_full=True, verbose=False,
    )


def computed(model: llama_cpp.Llama, ids: list[int], is_encoder: bool) -> np.ndarray:
    if is_encoder:
        # Not by `embed`, which reads no special tokens in a text.
        model._batch.add_sequence(ids, 0, True)
        model._ctx.decode(model._batch)
        hidden = llama_cpp.llama_get_embeddings(model._ctx.ctx)
        return np.ctypeslib.as_array(hidden, (len(ids), model.n_embd())).copy()
    model.eval(ids)
    return np.array(model.scores[: len(ids)])


def check(path: pathlib.Path, aside: pathlib.Path) -> bool:
    """Whether llama.cpp agrees on a folder's file."""
    expected = json.loads((path.parent / "expected.json").read_text())
    tensors = load_file(path.parent / "expected.safetensors")
    is_encoder = expected["greedy"] is None
    widen(path, aside)
    model = load(aside, is_encoder)
    ids = model.tokenize(expected["text"].encode(), add_bos=True, special=True)
    found = computed(model, expected["ids"], is_encoder)
    model.close()
    reference = tensors["hidden" if is_encoder else "logits"]
    off = float(np.abs(found - reference).max()) if found.shape == reference.shape else np.inf
    within = WITHIN_WHERE_GELU if expected["family"] in GELU else WITHIN
    tokens = "the same tokens" if ids == expected["ids"] else f"tokens {ids}, not {expected['ids']}"
    good = off < within and ids == expected["ids"]
    print(f"{'  ' if good else '! '}{path.parent.name}: off by at most {off:.1e} of {within:.0e}; {tokens}", flush=True)
    return good


def main(folders: pathlib.Path) -> int:
    with tempfile.TemporaryDirectory() as aside:
        checked = [check(path, pathlib.Path(aside) / "model.gguf") for path in sorted(folders.glob("*/model.gguf"))]
    return checked.count(False)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])) > 0)
