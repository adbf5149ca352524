#!/usr/bin/env python3
"""Write the tiny checkpoints of `make_family_checkpoints.py` as GGUF files, by llama.cpp's own converter.

The converter comes with llama.cpp's sources (`vendor/llama.cpp` in the source package of llama-cpp-python). It knows a
tokenizer's pre-tokenizer by a hash of what the published one gives, so that it is told the name here, and it reads
SentencePiece's own file, which the folders lack.

Values are those of the folder. The first of each family is stored in f32, matrices of the others in the folder's type.
Needs what make_family_checkpoints.py needs. Usage: make_family_ggufs.py LLAMA_CPP crates/model/tests/data/families [NAME ...]
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import family_tokenizers as tokenizers_of
from family_specifications import SPECIFICATIONS, Specification


KINDS = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
# Runs the converter, told the pre-tokenizer's name. It asks transformers for the configuration, which drops some keys of
# config.json (`rotary_pct`) that it needs.
CONVERT = """
import json, runpy, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/gguf-py"]
import conversion.base
pre = sys.argv[2]
conversion.base.TextModel.get_vocab_base_pre = lambda *_: pre
load = conversion.base.ModelBase.load_hparams
conversion.base.ModelBase.load_hparams = staticmethod(
    lambda folder, is_mistral_format: json.loads((folder / "config.json").read_text()) | load(folder, is_mistral_format)
)
program = sys.argv[1] + "/convert_hf_to_gguf.py"
sys.argv[:3] = [program]
runpy.run_path(program, run_name="__main__")
"""


def convert(llama_cpp: pathlib.Path, source: pathlib.Path, target: pathlib.Path, pre: str, kind: str) -> None:
    told = [sys.executable, "-c", CONVERT, str(llama_cpp), pre]
    options = ["--outfile", str(target), "--outtype", kind, "--model-name", source.name]
    subprocess.run([*told, str(source), *options], check=True)


def make(llama_cpp: pathlib.Path, folder: pathlib.Path, target: pathlib.Path, specification: Specification, kind: str,
         corpus: list[str]) -> None:
    tokenizer = specification.tokenizer(corpus)
    with tempfile.TemporaryDirectory() as aside:
        source = pathlib.Path(aside) / specification.name
        source.mkdir()
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(folder / name, source)
        # The converter does not know the mask's buffers.
        tensors = load_file(folder / "model.safetensors")
        kept = {name: tensor for name, tensor in tensors.items() if not name.endswith(".attn.bias")}
        save_file(kept, source / "model.safetensors", {"format": "pt"})
        if tokenizer.sentencepiece is not None:
            (source / "tokenizer.model").write_bytes(tokenizer.sentencepiece)
            added = {str(index): {"content": token.content, "special": token.special}
                     for index, token in tokenizer.library.get_added_tokens_decoder().items()}
            config = {**tokenizer.config, "added_tokens_decoder": added}
            (source / "tokenizer_config.json").write_text(json.dumps(config))
        convert(llama_cpp, source, target, tokenizer.pre or "bert-bge", kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("llama_cpp", type=pathlib.Path)
    parser.add_argument("folders", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    corpus = tokenizers_of.training_text(pathlib.Path(__file__).resolve().parent.parent)
    families = set()
    for specification in SPECIFICATIONS:
        if not specification.gguf:
            continue
        is_first = specification.family not in families
        families.add(specification.family)
        if given.names and specification.name not in given.names:
            continue
        folder = given.folders / specification.name
        target = folder / "model.gguf"
        kind = "f32" if is_first else KINDS[specification.dtype]
        make(given.llama_cpp, folder, target, specification, kind, corpus)
        print(f"{specification.name}: {target.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
