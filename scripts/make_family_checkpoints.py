#!/usr/bin/env python3
"""Make tiny random checkpoints of every family, with the outputs that `transformers` computes.

For each a Hugging Face folder with `expected.safetensors` and `expected.json` (README.md of the folder that is written
says what they hold). Every parameter is drawn away from its initial value, and queries and keys are scaled until
attention is far from uniform, so that leaving out any part of a model shows in its outputs.

Needs torch, transformers, safetensors, tokenizers, sentencepiece and gguf.
Usage: make_family_checkpoints.py crates/model/tests/data/families [NAME ...]
"""

import contextlib
import dataclasses
import itertools
import json
import pathlib
import shutil
import sys
import zlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.models.bloom import modeling_bloom
from transformers.models.falcon import modeling_falcon
from transformers.models.gpt_oss import modeling_gpt_oss
from transformers.models.gpt_oss.modeling_gpt_oss import repeat_kv

import family_tokenizers as tokenizers_of
from family_specifications import SPECIFICATIONS, Specification
from family_tokenizers import FamilyTokenizer

# Rows with fewer keys than this say little about how sharp attention is.
FEWEST_KEYS = 4
# Of the entropy of uniform attention: the median over all rows has to be below.
SHARP = 0.5
GREEDY = 8
# By how much leaving out any parameter has to change an output; the tests allow 1e-4.
NOTICED = 1e-2
# By how much the best of all tokens has to be better than the second, in logits.
MARGIN = 2e-3


@dataclasses.dataclass
class Outputs:
    # [N, vocabulary], where there is an output head.
    logits: torch.Tensor | None
    # [N, d], what the head reads.
    hidden: torch.Tensor
    # [layers, heads, N, N]
    attentions: torch.Tensor
    # [layers, heads, N]
    lse: torch.Tensor
    # How many keys each query sees, [layers, N].
    visible: torch.Tensor

    def entropy(self) -> float:
        """Median entropy of the rows, in parts of what uniform attention over the same keys has."""
        weights = self.attentions.double()
        entropy = -torch.special.xlogy(weights, weights).sum(-1)
        visible = self.visible[:, None, :].expand(entropy.shape)
        return float((entropy / visible.log())[visible >= FEWEST_KEYS].median())


def attention_with_sinks(module, query, key, value, attention_mask, scaling, dropout=0.0, **_):
    """gpt-oss's, whose log-sum-exp can be seen: the library's subtracts each row's largest score before the softmax."""
    keys, values = (repeat_kv(states, module.num_key_value_groups) for states in (key, value))
    scores = query @ keys.transpose(2, 3) * scaling + attention_mask
    sinks = module.sinks.reshape(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
    weights = torch.nn.functional.softmax(torch.cat([scores, sinks], -1), dim=-1)[..., :-1]
    return (weights @ values).transpose(1, 2).contiguous(), weights


modeling_gpt_oss.eager_attention_forward = attention_with_sinks


class Recorder:
    """Notes the scores before each softmax of an eager attention, mask included."""

    def __enter__(self):
        self.lse, self.keys, self.original = [], [], torch.nn.functional.softmax

        def softmax(scores, *arguments, **named):
            if scores.dim() == 4:
                self.lse.append(torch.logsumexp(scores[0].float(), -1))
                self.keys.append((scores[0, 0] > torch.finfo(scores.dtype).min / 2).sum(-1))
            return self.original(scores, *arguments, **named)

        torch.nn.functional.softmax = softmax
        return self

    def __exit__(self, *_):
        torch.nn.functional.softmax = self.original


def let_falcon_add_alibi_once() -> None:
    """Where attention weights are computed, transformers adds Falcon's penalty twice: within the mask, and by itself. Its fused
    path adds it once, which check_reload compares with."""
    forward = modeling_falcon.FalconAttention.forward

    def without_penalty_in_the_mask(self, hidden_states, alibi, attention_mask, **named):
        least = torch.finfo(hidden_states.dtype).min
        if alibi is not None and self.config._attn_implementation == "eager":
            attention_mask = torch.where(attention_mask > least / 2, 0.0, least)
        return forward(self, hidden_states, alibi, attention_mask, **named)

    modeling_falcon.FalconAttention.forward = without_penalty_in_the_mask


def run(model: torch.nn.Module, ids: list[int]) -> Outputs:
    inputs = torch.tensor([ids])
    with torch.no_grad(), Recorder() as recorder:
        output = model(inputs, attention_mask=torch.ones_like(inputs), output_attentions=True, output_hidden_states=True)
    lse = torch.stack(recorder.lse)
    slopes = alibi_slopes(model.config)
    if slopes is not None:
        # transformers adds slope · j for −slope · (i − j): the same weights, and other scores.
        lse = lse - slopes[:, None] * torch.arange(len(ids))
    return Outputs(
        logits=output.logits[0] if "logits" in output else None,
        hidden=output.hidden_states[-1][0],
        attentions=torch.cat(output.attentions),
        lse=lse,
        visible=torch.stack(recorder.keys).double(),
    )


def is_query_or_key(name: str) -> bool:
    parts = ("q_proj", "k_proj", "q_norm", "k_norm", "q_lin", "k_lin", "attention.self.query", "attention.self.key")
    return any(f".{part}." in f".{name}" for part in parts)


def fill(model: torch.nn.Module, specification: Specification, seed: int) -> None:
    """Draws every parameter, none at the value that it is initialised with."""
    generator = torch.Generator().manual_seed(seed)
    gain_is_added = specification.gain_is_added
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            # Not so near to zero that rounding takes it there.
            away = noise + 0.3 * noise.sign()
            is_norm = "norm" in name.lower() or ".ln_" in name
            if is_norm and name.endswith("weight"):
                values = 0.3 * away + (0 if gain_is_added else 1)
            elif parameter.dim() == 1 or name.endswith("_bias"):
                values = 0.4 * away
            elif "embed" in name or ".wte" in name or ".wpe" in name:
                values = noise * specification.embedding_scale / parameter.shape[-1] ** 0.5
            elif any(part in name for part in ("c_attn", "c_proj", "c_fc")) or specification.experts_transposed and ".experts." in name:
                values = noise * specification.matrix_scale / parameter.shape[-2] ** 0.5
            else:
                values = noise * specification.matrix_scale / parameter.shape[-1] ** 0.5
            parameter.copy_(values)


def key_value_heads(config) -> int:
    if config.model_type != "falcon":
        return getattr(config, "num_key_value_heads", config.num_attention_heads)
    if config.new_decoder_architecture:
        return config.num_kv_heads
    return 1 if config.multi_query else config.num_attention_heads


def alibi_slopes(config) -> torch.Tensor | None:
    """What each head takes off a score for each token of distance."""
    if config.model_type != "bloom" and not getattr(config, "alibi", False):
        return None
    slopes = modeling_bloom._get_alibi_slopes(config.num_attention_heads, torch.device("cpu"))
    # Falcon adds the penalty before scores are scaled.
    return slopes / config.head_dim**0.5 if config.model_type == "falcon" else slopes


def sharpen(model: torch.nn.Module, factor: float) -> None:
    """Multiplies what makes queries and keys."""
    heads = model.config.num_attention_heads
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if is_query_or_key(name):
                parameter.mul_(factor)
            elif "attn.c_attn" in name:
                parameter[..., : parameter.shape[-1] // 3 * 2].mul_(factor)
            elif "attention.query_key_value" in name:
                # For each key/value head its queries, its key and its value.
                kv_heads = key_value_heads(model.config)
                parameter.view(kv_heads, heads // kv_heads + 2, -1)[:, :-1].mul_(factor)
            elif "qkv_proj" in name or "Wqkv" in name:
                kv_heads = key_value_heads(model.config)
                parameter.view(heads + 2 * kv_heads, -1)[: heads + kv_heads].mul_(factor)


def rounded(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Values as the checkpoint will store them."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(dtype).float())


def sharp_model(specification: Specification, config, ids: list[int], seed: int) -> tuple[torch.nn.Module, Outputs]:
    for step in range(40):
        torch.manual_seed(seed)
        model = specification.model(config).eval()
        initial = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        fill(model, specification, seed)
        for name, parameter in model.named_parameters():
            assert (parameter != initial[name]).all(), f"{name} is where it began"
        sharpen(model, 1.12**step)
        rounded(model, specification.dtype)
        outputs = run(model, ids)
        if outputs.entropy() < specification.target_entropy:
            return model, outputs
    raise AssertionError(f"{specification.name}: attention stays too even: {outputs.entropy():.2f}")


class BadDraw(Exception):
    """Two tokens are equally likely, up to what another order of additions may change, the text ends early, or an expert reads nothing."""


def check_that_each_counts(
    model: torch.nn.Module, specification: Specification, ids: list[int], outputs: Outputs
) -> None:
    """Leaving out any one parameter (a bias or a matrix at 0, a gain at 1) changes an output."""
    # transformers reads the bias from `decoder.bias` where the head is its own matrix.
    unused = () if model.config.tie_word_embeddings else ("cls.predictions.bias", "lm_head.bias")
    for name, parameter in model.named_parameters():
        if "pooler" in name or name in unused:
            continue
        is_gain = "norm" in name.lower() or ".ln_" in name
        neutral = float(is_gain and name.endswith("weight") and not specification.gain_is_added)
        # Of the experts', which stand in one, each.
        for part in parameter.detach() if ".experts." in name else [parameter.detach()]:
            kept = part.clone()
            part.fill_(neutral)
            changed = run(model, ids)
            part.copy_(kept)
            pairs = [(changed.attentions, outputs.attentions), (changed.lse, outputs.lse), (changed.hidden, outputs.hidden)]
            if outputs.logits is not None:
                pairs.append((changed.logits, outputs.logits))
            change = max(float((a - b).abs().max()) for a, b in pairs)
            if change == 0 and ".experts." in name:
                raise BadDraw
            assert change > NOTICED, f"{specification.name}: without {name} outputs change by {change:.1e}"


def greedy(model: torch.nn.Module, ids: list[int]) -> list[int]:
    """What follows, each token from a pass over all before it."""
    found = list(ids)
    for _ in range(GREEDY):
        with torch.no_grad():
            logits = model(torch.tensor([found])).logits[0, -1]
        best = logits.topk(2).values
        if best[0] - best[1] < MARGIN:
            raise BadDraw
        found.append(int(logits.argmax()))
        if found[-1] == model.config.eos_token_id:
            raise BadDraw
    return found[len(ids) :]


def save_weights(folder: pathlib.Path, model: torch.nn.Module, specification: Specification) -> None:
    model.to(specification.dtype)
    model.config.dtype = specification.dtype
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    path = folder / "model.safetensors"
    if specification.rename is not None:
        tensors = specification.rename(load_file(path), model.config)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    if specification.edit_config is not None:
        specification.edit_config(config)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def save_expected(
    folder: pathlib.Path, specification: Specification, tokenizer: FamilyTokenizer, ids: list[int], outputs: Outputs,
    continuation: list[int] | None,
) -> None:
    tensors = {
        "input_ids": torch.tensor(ids, dtype=torch.int32),
        "attentions": outputs.attentions,
        "lse": outputs.lse,
        "hidden": outputs.hidden,
    }
    if outputs.logits is not None:
        tensors["logits"] = outputs.logits
    if continuation is not None:
        tensors["greedy"] = torch.tensor(continuation, dtype=torch.int32)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "expected.safetensors")
    summary = {
        "family": specification.family,
        "text": specification.text,
        "ids": ids,
        "tokens": [tokenizer.library.id_to_token(index) for index in ids],
        "prefix_tokens": tokenizer.prefix,
        "suffix_tokens": tokenizer.suffix,
        "greedy": continuation,
        "median_entropy": round(outputs.entropy(), 3),
        "largest_logit": None if outputs.logits is None else round(float(outputs.logits.abs().max()), 2),
        "transformers": transformers.__version__,
    }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in summary.items())
    (folder / "expected.json").write_text("{\n" + lines + "\n}\n")


def special_ids(tokenizer: FamilyTokenizer) -> dict:
    names = {"bos_token_id": "bos_token", "eos_token_id": "eos_token", "pad_token_id": "pad_token"}
    return {key: tokenizer.id(tokenizer.config.get(name)) for key, name in names.items()}


def make(folder: pathlib.Path, specification: Specification, tokenizer: FamilyTokenizer, seed: int) -> Outputs:
    ids = tokenizer.library.encode(specification.text).ids
    assert 20 <= len(ids) <= 30, f"{specification.name}: {len(ids)} tokens"
    config = specification.config_class(
        vocab_size=tokenizer.size, attn_implementation="eager", **{**special_ids(tokenizer), **specification.config}
    )
    for attempt in itertools.count():
        model, outputs = sharp_model(specification, config, ids, seed + 1000 * attempt)
        with contextlib.suppress(BadDraw):
            continuation = greedy(model, ids) if specification.is_decoder else None
            check_that_each_counts(model, specification, ids, outputs)
            break
    assert outputs.entropy() < SHARP
    folder.mkdir(parents=True)
    save_expected(folder, specification, tokenizer, ids, outputs, continuation)
    tokenizer.save(folder)
    save_weights(folder, model, specification)
    return outputs


def check_reload(folder: pathlib.Path, specification: Specification, outputs: Outputs) -> None:
    """The folder as written, read by transformers, is the same model and the same tokenizer."""
    expected = json.loads((folder / "expected.json").read_text())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = tokenizer(specification.text)["input_ids"]
    if found != expected["ids"]:
        print(f"  {specification.name}: AutoTokenizer gives {found}")
    model = specification.model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    again = run(model, expected["ids"])
    assert torch.equal(again.attentions, outputs.attentions), specification.name
    assert torch.equal(again.hidden, outputs.hidden), specification.name
    if specification.family == "falcon":
        fused = specification.model.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
        with torch.no_grad():
            hidden = fused(torch.tensor([expected["ids"]]), output_hidden_states=True).hidden_states[-1][0]
        assert torch.allclose(hidden, outputs.hidden, rtol=1e-3, atol=1e-3), f"{specification.name}: others without weights"


def main(out: pathlib.Path, names: list[str]) -> None:
    transformers.logging.set_verbosity_error()
    let_falcon_add_alibi_once()
    corpus = tokenizers_of.training_text(pathlib.Path(__file__).resolve().parent.parent)
    for specification in SPECIFICATIONS:
        if names and specification.name not in names:
            continue
        folder = out / specification.name
        shutil.rmtree(folder, ignore_errors=True)
        tokenizer = specification.tokenizer(corpus)
        outputs = make(folder, specification, tokenizer, zlib.crc32(specification.name.encode()) % 1000)
        check_reload(folder, specification, outputs)
        largest = 0.0 if outputs.logits is None else float(outputs.logits.abs().max())
        size = sum(path.stat().st_size for path in folder.iterdir())
        layers, heads, n, _ = outputs.attentions.shape
        print(f"{specification.name}: {layers} layers, {heads} heads, {n} tokens, entropy {outputs.entropy():.3f}, "
              f"largest logit {largest:.1f}, {size} bytes", flush=True)
    print(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()), "bytes")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
