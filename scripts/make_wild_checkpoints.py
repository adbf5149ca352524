#!/usr/bin/env python3
"""Make the test data of checkpoints as they are met in the wild, from the tiny checkpoints that are there.

`four_bit.safetensors`: random blocks of IQ4_NL, IQ4_XS and MXFP4 with the `gguf` package's dequantisation (`TYPE.bytes`,
`TYPE.values`), and MXFP4 in two tensors (`mx_blocks`, `mx_scales`) with that of `transformers` (`mx.values`).
`lora-*`: adapters that PEFT saved, with the logits that it computes with them (f32, eager). `pickled*`: tiny checkpoints as
`torch.save` writes them, with tensors that share a storage, lie transposed or begin within it.
`mxfp4`: a tiny gpt-oss whose experts are MXFP4.
`../cases/*.json`: what the gguf package and the `tokenizers` library make of the GGUF files there.

Needs torch, transformers, peft, safetensors, tokenizers and gguf.
Usage: make_wild_checkpoints.py crates/model/tests/data
"""

import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

TEXT = "The keeper's lamp wasn't lit at 12:45; nobody KNEW aboutIt, not even Anne-Marie…\n\n  日本語 café"
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def four_bit(out: pathlib.Path) -> None:
    rng = np.random.default_rng(4)
    tensors = {}
    for kind, blocks in ((Type.IQ4_NL, 12), (Type.IQ4_XS, 3), (Type.MXFP4, 12)):
        entries, size = gguf.GGML_QUANT_SIZES[kind]
        data = rng.integers(0, 256, (blocks, size), dtype=np.uint8)
        if kind == Type.MXFP4:
            data[:, 0] = [0, 1, 2, 100, 120, 126, 127, 128, 130, 140, 200, 250]
        else:
            data[:, :2] = rng.normal(size=(blocks, 1)).astype(np.float16).view(np.uint8)
        tensors[f"{kind.name}.bytes"] = data.reshape(-1)
        tensors[f"{kind.name}.values"] = gguf.quants.dequantize(data, kind).astype(np.float32).reshape(-1)
        assert tensors[f"{kind.name}.values"].size == blocks * entries
    blocks = rng.integers(0, 256, (2, 5, 3, 16), dtype=np.uint8)
    scales = rng.integers(110, 140, (2, 5, 3), dtype=np.uint8)
    values = convert_moe_packed_tensors(torch.tensor(blocks), torch.tensor(scales), dtype=torch.float32)
    tensors |= {"mx_blocks": blocks, "mx_scales": scales, "mx.values": values.transpose(1, 2).contiguous().numpy()}
    save_arrays(tensors, out / "four_bit.safetensors")


ADAPTERS = {
    "lora-llama": (
        "../../tiny/grouped",
        dict(r=4, lora_alpha=12, target_modules=["q_proj", "v_proj", "down_proj"], alpha_pattern={"layers.1.mlp.down_proj": 5.0},
             rank_pattern={"layers.0.self_attn.v_proj": 2}),
    ),
    "lora-gpt2": (
        "../../families/gpt2-untied",
        dict(r=3, lora_alpha=6, use_rslora=True, target_modules=["c_attn", "c_fc", "wte", "lm_head"], fan_in_fan_out=True),
    ),
}


def adapter(out: pathlib.Path, name: str) -> None:
    base, settings = ADAPTERS[name]
    folder = out / name
    source = (folder / base).resolve()
    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager")
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "lora_" in parameter_name:
                parameter.normal_(std=0.3)
        with safe_open(source / "expected.safetensors", "pt") as file:
            ids = file.get_tensor("input_ids").long()
        logits = model(ids[None]).logits[0]
        plain = model.get_base_model()
        with model.disable_adapter():
            change = (logits - plain(ids[None]).logits[0]).abs().max()
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base
    config["target_modules"] = sorted(config["target_modules"])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file({"input_ids": ids.int(), "logits": logits.contiguous()}, folder / "expected.safetensors")
    print(f"{name}: logits change by up to {change:.2f}")


def pickled(data: pathlib.Path, out: pathlib.Path) -> None:
    """A tied checkpoint: the output head shares the table's storage, one matrix lies transposed, others begin within a storage."""
    source, folder = data / "tiny" / "tied", out / "pickled"
    copy_texts(source, folder)
    state = load_file(source / "model.safetensors")
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    layer = "model.layers.0."
    state[layer + "mlp.up_proj.weight"] = state[layer + "mlp.up_proj.weight"].t().contiguous().t()
    keys, values = (state[f"{layer}self_attn.{part}_proj.weight"] for part in "kv")
    together = torch.cat([keys, values])
    state[layer + "self_attn.k_proj.weight"], state[layer + "self_attn.v_proj.weight"] = together.split(len(keys))
    wide = torch.cat([state["model.layers.1.mlp.down_proj.weight"], torch.full_like(state["model.layers.1.mlp.down_proj.weight"], 7)], 1)
    state["model.layers.1.mlp.down_proj.weight"] = wide[:, : wide.shape[1] // 2]
    state["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.arange(4)
    torch.save(state, folder / "pytorch_model.bin")


def pickled_shards(data: pathlib.Path, out: pathlib.Path) -> None:
    source, folder = data / "tiny" / "untied-bf16", out / "pickled-shards"
    copy_texts(source, folder)
    state = load_file(source / "model.safetensors")
    names = sorted(state)
    weight_map = {}
    for index, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :])):
        shard = f"pytorch_model-{index + 1:05}-of-00002.bin"
        torch.save({name: state[name].clone() for name in part}, folder / shard)
        weight_map |= {name: shard for name in part}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index) + "\n")


def mxfp4(data: pathlib.Path, out: pathlib.Path) -> None:
    """A tiny gpt-oss whose experts lie in blocks and scales, as the published ones do."""
    source, folder = data / "families" / "gptoss-windows", out / "mxfp4"
    copy_texts(source, folder)
    config = json.loads((source / "config.json").read_text()) | {"intermediate_size": 32}
    torch.manual_seed(5)
    reference = AutoConfig.for_model(**config)
    model = AutoModelForCausalLM.from_config(reference, dtype=torch.float32, attn_implementation="eager").eval()
    state = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(std=0.3)
            if not name.endswith(("gate_up_proj", "down_proj")):
                parameter.copy_(parameter.to(torch.bfloat16).float())
                state[name] = parameter.to(torch.bfloat16)
                continue
            experts, columns, rows = parameter.shape
            blocks = torch.randint(0, 256, (experts, rows, columns // 32, 16), dtype=torch.uint8)
            scales = torch.randint(124, 128, (experts, rows, columns // 32), dtype=torch.uint8)
            parameter.copy_(convert_moe_packed_tensors(blocks, scales, dtype=torch.float32) * 1.0)
            state |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        ids = torch.arange(3, 15)
        logits = model(ids[None]).logits[0]
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")
    save_file({"input_ids": ids.int(), "logits": logits.contiguous()}, folder / "expected.safetensors")


def copy_texts(source: pathlib.Path, folder: pathlib.Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)


def cases(data: pathlib.Path) -> None:
    reader = gguf.GGUFReader(data / "cases" / "iq4_nl" / "iq4_nl.gguf")
    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64).reshape(-1)
        tensors[tensor.name] = {
            "type": tensor.tensor_type.name, "sum": values.sum(), "squares": (values**2).sum(), "last": values[-16:].tolist(),
        }
    (data / "cases" / "iq4_nl" / "expected.json").write_text(json.dumps(tensors, indent=1) + "\n")
    reader = gguf.GGUFReader(data / "cases" / "pre-tekken" / "pre-tekken.gguf")
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in reader.fields["tokenizer.ggml.merges"].contents()]
    library = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges, ignore_merges=True))
    split = pre_tokenizers.Split(Regex(TEKKEN), "isolated")
    library.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    expected = {"text": TEXT, "ids": library.encode(TEXT).ids}
    (data / "cases" / "pre-tekken" / "expected.json").write_text(json.dumps(expected) + "\n")


def main(data: pathlib.Path) -> None:
    out = data / "wild"
    out.mkdir(exist_ok=True)
    four_bit(out)
    for name in ADAPTERS:
        adapter(out, name)
    pickled(data, out)
    pickled_shards(data, out)
    mxfp4(data, out)
    cases(data)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
