"""What tiny checkpoints are made of each family, and which of its switches each turns."""

import dataclasses
from collections.abc import Callable

import torch
import transformers as t

import family_tokenizers as tokenizers_of
from family_tokenizers import FamilyTokenizer

TEXT = "The keepers lit 12; I saw."
SHORT_TEXT = "The keeper lit 12, so."
MASKED_TEXT = "The keeper lit 12 [MASK], and saw."


@dataclasses.dataclass
class Specification:
    name: str
    config_class: type
    model: type
    tokenizer: Callable[[list[str]], FamilyTokenizer]
    config: dict
    text: str = TEXT
    dtype: torch.dtype = torch.bfloat16
    is_decoder: bool = True
    # RMSNorm's gain is 1 + weight.
    gain_is_added: bool = False
    # Experts' matrices are [in, out].
    experts_transposed: bool = False
    embedding_scale: float = 2.0
    matrix_scale: float = 1.3
    target_entropy: float = 0.42
    # Tensors as a published checkpoint has them, where transformers writes other names today.
    rename: Callable | None = None
    edit_config: Callable[[dict], None] | None = None
    # Whether llama.cpp has all that it uses.
    gguf: bool = False

    @property
    def family(self) -> str:
        return self.name.split("-")[0]


def _rope_parameters(config: dict) -> None:
    """As transformers before version 5 wrote them."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    rope.pop("partial_rotary_factor", None)
    config["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    config["torch_dtype"] = config.pop("dtype")


def _gpt2_as_published(tensors: dict, config) -> dict:
    """Without the prefix, and with the buffers of the causal mask."""
    renamed = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    mask = torch.ones(config.n_positions, config.n_positions).tril()[None, None]
    return renamed | {f"h.{layer}.attn.bias": mask.clone() for layer in range(config.n_layer)}


def _gpt2_config_as_published(config: dict) -> None:
    config["n_ctx"] = config["n_positions"]


def _neox_as_published(tensors: dict, config) -> dict:
    """With the buffers of the mask and of the rotary frequencies."""
    length = config.max_position_embeddings
    mask = torch.ones(length, length, dtype=torch.uint8).tril()[None, None]
    rotary = int(config.hidden_size // config.num_attention_heads * config.rope_parameters["partial_rotary_factor"])
    frequencies = 1 / 10000 ** (torch.arange(0, rotary, 2).float() / rotary)
    for layer in range(config.num_hidden_layers):
        attention = f"gpt_neox.layers.{layer}.attention"
        tensors[f"{attention}.bias"] = mask.clone()
        tensors[f"{attention}.masked_bias"] = torch.tensor(-1e9)
        tensors[f"{attention}.rotary_emb.inv_freq"] = frequencies.clone()
    return tensors


def _neox_config_as_published(config: dict) -> None:
    rope = config.pop("rope_parameters")
    config["rotary_pct"] = rope["partial_rotary_factor"]
    config["rotary_emb_base"] = int(rope["rope_theta"])
    config["torch_dtype"] = config.pop("dtype")
    config.pop("attention_bias")


def _bert_as_published(tensors: dict, config) -> dict:
    """With TensorFlow's names of a norm's parts, and the parts for next-sentence prediction."""
    parts = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in parts.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    d, generator = config.hidden_size, torch.Generator().manual_seed(0)
    extra = {"bert.pooler.dense.weight": (d, d), "bert.pooler.dense.bias": (d,),
             "cls.seq_relationship.weight": (2, d), "cls.seq_relationship.bias": (2,)}
    return renamed | {name: torch.randn(shape, generator=generator) for name, shape in extra.items()}


def _drop(*keys: str) -> Callable[[dict], None]:
    def edit(config: dict) -> None:
        for key in keys:
            config.pop(key)
    return edit


def _old_gemma3_config(config: dict) -> None:
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope["full_attention"].pop("rope_theta")
    config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    config["rope_scaling"] = rope["full_attention"] if rope["full_attention"]["rope_type"] != "default" else None
    config["torch_dtype"] = config.pop("dtype")
    config["sliding_window_pattern"] = config.pop("_sliding_window_pattern")
    config.pop("layer_types")


def _phi3_config_as_published(config: dict) -> None:
    """With the part of a head that turns outside of the scaling, and parts that none has."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    kind = rope.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {
        "type": kind, "short_factor": rope["short_factor"], "long_factor": rope["long_factor"],
    }
    config["torch_dtype"] = config.pop("dtype")
    config |= {"auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}, "full_attn_mod": 1, "lm_head_bias": False}


def _bloom_as_published(tensors: dict, config) -> dict:
    """Without the prefix."""
    return {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}


def _bloom_config_as_published(config: dict) -> None:
    config["n_embed"] = config.pop("hidden_size")
    config["num_attention_heads"] = config.pop("n_head")
    config |= {"seq_length": 2048, "offset_alibi": 100, "n_inner": None, "skip_bias_add": True}


def _falcon_config_as_published(config: dict) -> None:
    config.pop("rope_parameters")
    config["torch_dtype"] = config.pop("dtype")
    config |= {"auto_map": {"AutoConfig": "configuration_falcon.FalconConfig"}, "apply_residual_connection_post_layernorm": False}


def _old_modernbert_config(config: dict) -> None:
    rope = config.pop("rope_parameters")
    config["global_rope_theta"] = rope[FULL]["rope_theta"]
    config["local_rope_theta"] = rope[SLIDING]["rope_theta"]
    config.pop("layer_types")
    config["torch_dtype"] = config.pop("dtype")
    config |= {"global_attn_every_n_layers": 3, "layer_norm_eps": config["norm_eps"], "position_embedding_type": "absolute"}


GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 32, "n_inner": 64, "activation_function": "gelu_new"}
NEOX = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48,
        "max_position_embeddings": 48, "hidden_act": "gelu"}
# A feed-forward layer of gated units.
GATED = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
         "intermediate_size": 36, "max_position_embeddings": 128, "rms_norm_eps": 1e-6}
MIXTURE = {"num_local_experts": 4, "num_experts_per_tok": 2}
BERT = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": 48, "hidden_act": "gelu"}
# As small as shows everything.
SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "intermediate_size": 28, "max_position_embeddings": 128, "rms_norm_eps": 1e-6}
OPT = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "ffn_dim": 36, "max_position_embeddings": 40}
BLOOM = {"hidden_size": 24, "n_layer": 2, "n_head": 4}
FALCON = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
MODERNBERT = {"hidden_size": 24, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 20,
              "max_position_embeddings": 64, "local_attention": 9}
DISTILBERT = {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 48}


def _rope(kind: str, theta: float = 10000.0, **parameters) -> dict:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **parameters}}


def gpt2(name: str, config: dict, **options) -> Specification:
    return Specification(f"gpt2-{name}", t.GPT2Config, t.GPT2LMHeadModel, tokenizers_of.gpt2, GPT2 | config, **options)


def neox(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"neox-{name}", t.GPTNeoXConfig, t.GPTNeoXForCausalLM, tokenizers_of.neox, NEOX | config, **options
    )


def llama(name: str, config: dict, **options) -> Specification:
    return Specification(f"llama-{name}", t.LlamaConfig, t.LlamaForCausalLM, tokenizers_of.llama3, GATED | config, **options)


def mistral(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"mistral-{name}", t.MistralConfig, t.MistralForCausalLM, tokenizers_of.mistral, GATED | config, text=SHORT_TEXT, **options
    )


def qwen2(name: str, config: dict, **options) -> Specification:
    return Specification(f"qwen2-{name}", t.Qwen2Config, t.Qwen2ForCausalLM, tokenizers_of.qwen, GATED | config, **options)


def qwen3(name: str, config: dict, **options) -> Specification:
    return Specification(f"qwen3-{name}", t.Qwen3Config, t.Qwen3ForCausalLM, tokenizers_of.qwen, GATED | config, **options)


def mixtral(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"mixtral-{name}", t.MixtralConfig, t.MixtralForCausalLM, tokenizers_of.mistral, GATED | MIXTURE | config,
        text=SHORT_TEXT, **options
    )


def qwen2moe(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"qwen2moe-{name}", t.Qwen2MoeConfig, t.Qwen2MoeForCausalLM, tokenizers_of.qwen,
        GATED | {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 20, "shared_expert_intermediate_size": 28}
        | config, **options
    )


def qwen3moe(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"qwen3moe-{name}", t.Qwen3MoeConfig, t.Qwen3MoeForCausalLM, tokenizers_of.qwen,
        GATED | {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 20, "head_dim": 8} | config, **options
    )


def gptoss(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"gptoss-{name}", t.GptOssConfig, t.GptOssForCausalLM, tokenizers_of.qwen,
        GATED | MIXTURE | {"head_dim": 8, "intermediate_size": 24, "num_hidden_layers": 4} | config,
        experts_transposed=True, **options
    )


def gemma2(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"gemma2-{name}", t.Gemma2Config, t.Gemma2ForCausalLM, tokenizers_of.gemma, GATED | config,
        text=SHORT_TEXT, gain_is_added=True, embedding_scale=1.0, **options,
    )


def gemma3(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"gemma3-{name}", t.Gemma3TextConfig, t.Gemma3ForCausalLM, tokenizers_of.gemma, GATED | config,
        text=SHORT_TEXT, gain_is_added=True, embedding_scale=1.0, **options,
    )


def phi3(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"phi3-{name}", t.Phi3Config, t.Phi3ForCausalLM, options.pop("tokenizer", tokenizers_of.mistral), SMALL | config,
        **{"text": SHORT_TEXT} | options,
    )


def olmo2(name: str, config: dict, **options) -> Specification:
    return Specification(f"olmo2-{name}", t.Olmo2Config, t.Olmo2ForCausalLM, tokenizers_of.neox, SMALL | config, **options)


def smollm3(name: str, config: dict, **options) -> Specification:
    return Specification(
        f"smollm3-{name}", t.SmolLM3Config, t.SmolLM3ForCausalLM, tokenizers_of.llama3, SMALL | config, **options
    )


def granite(name: str, config: dict, **options) -> Specification:
    return Specification(f"granite-{name}", t.GraniteConfig, t.GraniteForCausalLM, tokenizers_of.gpt2, SMALL | config, **options)


def opt(name: str, config: dict, **options) -> Specification:
    return Specification(f"opt-{name}", t.OPTConfig, t.OPTForCausalLM, tokenizers_of.opt, OPT | config, **options)


def bloom(name: str, config: dict, **options) -> Specification:
    return Specification(f"bloom-{name}", t.BloomConfig, t.BloomForCausalLM, tokenizers_of.neox, BLOOM | config, **options)


def falcon(name: str, config: dict, **options) -> Specification:
    return Specification(f"falcon-{name}", t.FalconConfig, t.FalconForCausalLM, tokenizers_of.neox, FALCON | config, **options)


def encoder(name: str, config_class: type, model: type, tokenizer: Callable, config: dict, **options) -> Specification:
    return Specification(
        name, config_class, model, tokenizer, config, is_decoder=False, **{"text": MASKED_TEXT} | options
    )


def bert(name: str, model: type, config: dict, **options) -> Specification:
    return encoder(f"bert-{name}", t.BertConfig, model, options.pop("tokenizer", tokenizers_of.bert), BERT | config, **options)


def distilbert(name: str, model: type, config: dict, **options) -> Specification:
    return encoder(
        f"distilbert-{name}", t.DistilBertConfig, model, tokenizers_of.distilbert, DISTILBERT | config, **options
    )


def roberta(name: str, model: type, config: dict, **options) -> Specification:
    masked = {"text": "The keepers lit <mask>; I saw."}
    return encoder(
        f"roberta-{name}", t.RobertaConfig, model, tokenizers_of.roberta,
        BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "max_position_embeddings": 50} | config, **masked | options,
    )


def modernbert(name: str, model: type, config: dict, **options) -> Specification:
    return encoder(
        f"modernbert-{name}", t.ModernBertConfig, model, tokenizers_of.modernbert, MODERNBERT | config,
        **{"text": "The keepers lit[MASK]; I saw."} | options,
    )


def _cased(corpus: list[str]) -> FamilyTokenizer:
    return tokenizers_of.bert(corpus, lowercase=False)


SLIDING, FULL = "sliding_attention", "full_attention"

SPECIFICATIONS = [
    gpt2("tied", {"n_inner": None, "n_embd": 24, "n_head": 3}, dtype=torch.float32, rename=_gpt2_as_published, edit_config=_gpt2_config_as_published, gguf=True),
    gpt2("inverse-layer", {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True}),
    gpt2("untied", {"tie_word_embeddings": False, "n_inner": None, "n_embd": 24, "n_head": 2, "layer_norm_epsilon": 1e-3}, edit_config=_gpt2_config_as_published, gguf=True),
    gpt2("unscaled-relu", {"scale_attn_weights": False, "activation_function": "relu", "n_inner": 80}),
    neox(
        "parallel", {"use_parallel_residual": True, "rotary_pct": 0.25, "tie_word_embeddings": False},
        dtype=torch.float16, rename=_neox_as_published, edit_config=_neox_config_as_published, gguf=True,
    ),
    neox("sequential", {"use_parallel_residual": False, "rotary_pct": 0.5, "tie_word_embeddings": False},
         edit_config=_neox_config_as_published, gguf=True),
    neox("tied", {
        "rotary_pct": 1.0, "tie_word_embeddings": True, "attention_bias": False, "num_attention_heads": 4,
        "hidden_act": "gelu_fast", "rotary_emb_base": 500, "layer_norm_eps": 1e-3,
    }),
    qwen2("tied", {
        "tie_word_embeddings": True, "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 1,
        "rope_theta": 1000000.0,
    }, edit_config=lambda config: (_rope_parameters(config), config.pop("layer_types"), config.update(sliding_window=8)), gguf=True),
    qwen2("untied", {"num_key_value_heads": 1, "tie_word_embeddings": False}, dtype=torch.float16, gguf=True),
    qwen2("window", {
        "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 2, "num_hidden_layers": 4,
    }, edit_config=_drop("layer_types")),
    qwen2("layer-types", {
        "use_sliding_window": True, "sliding_window": 6, "layer_types": [SLIDING, FULL, SLIDING],
        "tie_word_embeddings": True,
        **_rope("yarn", factor=4.0, original_max_position_embeddings=32),
    }),
    qwen3("tied", {"head_dim": 16, "tie_word_embeddings": True, "rope_theta": 1000000.0}, edit_config=_rope_parameters, gguf=True),
    qwen3("untied", {"head_dim": 8, "num_key_value_heads": 4, "tie_word_embeddings": False}, dtype=torch.float16, gguf=True),
    qwen3("biases", {"head_dim": 16, "num_key_value_heads": 1, "attention_bias": True}),
    qwen3("window", {
        "head_dim": 8, "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 1, "tie_word_embeddings": True,
    }),
    mixtral("window", {"sliding_window": 7, "tie_word_embeddings": False}),
    mixtral("tied", {"sliding_window": None, "tie_word_embeddings": True, "num_hidden_layers": 2}, dtype=torch.float16, gguf=True),
    mixtral("three-of-six", {
        "num_local_experts": 6, "num_experts_per_tok": 3, "num_key_value_heads": 1, "sliding_window": None,
    }, edit_config=_rope_parameters),
    qwen2moe("shared", {"tie_word_embeddings": False, "num_hidden_layers": 2}, gguf=True),
    qwen2moe("sparse-step", {
        "decoder_sparse_step": 2, "norm_topk_prob": True, "qkv_bias": False, "num_hidden_layers": 4, "tie_word_embeddings": True,
    }, dtype=torch.float16),
    qwen2moe("one-of-three", {
        "num_experts": 3, "num_experts_per_tok": 1, "mlp_only_layers": [0], "use_sliding_window": True, "sliding_window": 8,
        "max_window_layers": 2,
    }, edit_config=_drop("layer_types")),
    qwen3moe("normed", {"norm_topk_prob": True, "tie_word_embeddings": True, "num_hidden_layers": 2}, dtype=torch.float16, gguf=True),
    qwen3moe("shares-of-all", {"norm_topk_prob": False, "num_key_value_heads": 1, "attention_bias": True, "num_hidden_layers": 2}),
    qwen3moe("mixed", {
        "norm_topk_prob": True, "mlp_only_layers": [1], "num_experts_per_tok": 3, "use_sliding_window": True, "sliding_window": 8,
    }),
    gptoss("windows", {"sliding_window": 7, "tie_word_embeddings": False}, gguf=True),
    gptoss("plain-rope", {
        "sliding_window": 5, "num_hidden_layers": 2, "tie_word_embeddings": True, "num_experts_per_tok": 3, **_rope("default", theta=500.0),
    }, dtype=torch.float16),
    gptoss("layer-types", {
        "layer_types": [FULL, SLIDING, SLIDING], "num_hidden_layers": 3, "sliding_window": 9, "attention_bias": False,
        "num_key_value_heads": 4,
    }),
    bert(
        "masked-lm", t.BertForMaskedLM, {"type_vocab_size": 2, "hidden_size": 24, "num_attention_heads": 3}, dtype=torch.float32, rename=_bert_as_published, gguf=True,
    ),
    bert("base", t.BertModel, {"type_vocab_size": 2, "layer_norm_eps": 1e-5}, gguf=True),
    bert("cased-untied", t.BertForMaskedLM, {
        "type_vocab_size": 3, "hidden_act": "relu", "tie_word_embeddings": False, "num_attention_heads": 2,
    }, tokenizer=_cased),
    distilbert("masked-lm", t.DistilBertForMaskedLM, {"activation": "gelu"}, dtype=torch.float16),
    distilbert("base", t.DistilBertModel, {"activation": "gelu", "sinusoidal_pos_embds": True}),
    distilbert("untied-relu", t.DistilBertForMaskedLM, {
        "activation": "relu", "tie_word_embeddings": False, "n_heads": 2,
    }),
    roberta("masked-lm", t.RobertaForMaskedLM, {}, dtype=torch.float16),
    roberta("base", t.RobertaModel, {"num_attention_heads": 2}),
    roberta("untied", t.RobertaForMaskedLM, {
        "type_vocab_size": 2, "hidden_act": "gelu_new", "tie_word_embeddings": False,
    }),
    llama("biases", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False}, dtype=torch.float16, gguf=True),
    llama("rope-linear", {"head_dim": 16, **_rope("linear", factor=3.0)}, edit_config=_rope_parameters, gguf=True),
    llama("rope-dynamic", {
        "max_position_embeddings": 16, "tie_word_embeddings": True, **_rope("dynamic", theta=500.0, factor=2.0),
    }),
    llama("rope-yarn", {
        "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True,
        **_rope("yarn", theta=500.0, factor=4.0, original_max_position_embeddings=32),
    }, gguf=True),
    llama("rope-longrope", {
        "num_attention_heads": 2, "tie_word_embeddings": True,
        **_rope("longrope", theta=500.0, factor=8.0, original_max_position_embeddings=16,
                short_factor=[1.0, 1.02, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5], long_factor=[1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0]),
    }),
    llama("rope-llama3", {
        "num_attention_heads": 2, "tie_word_embeddings": True, "attention_bias": True,
        **_rope("llama3", theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
    }, gguf=True),
    mistral("window", {"sliding_window": 7, "tie_word_embeddings": False}),
    mistral("wide", {"sliding_window": 4096, "tie_word_embeddings": True}, dtype=torch.float16, edit_config=_rope_parameters, gguf=True),
    mistral("head-dim", {"sliding_window": None, "head_dim": 12, "num_key_value_heads": 1}, edit_config=_rope_parameters, gguf=True),
    gemma2("soft-caps", {
        "num_hidden_layers": 4, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 8,
        "attn_logit_softcapping": 12.0, "final_logit_softcapping": 5.0,
    }, edit_config=lambda config: (_rope_parameters(config), config.pop("layer_types")), gguf=True),
    gemma2("scalar", {
        "head_dim": 8, "query_pre_attn_scalar": 24, "sliding_window": 6, "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
    }),
    gemma2("layer-types", {
        "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 5, "layer_types": [FULL, SLIDING, SLIDING],
        "attn_logit_softcapping": 9.0, "final_logit_softcapping": None, "attention_bias": True,
    }),
    gemma3("pattern", {
        "num_hidden_layers": 7, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "query_pre_attn_scalar": 8,
        "sliding_window": 8, "intermediate_size": 24,
    }, edit_config=_old_gemma3_config, gguf=True),
    gemma3("scaled", {
        "num_hidden_layers": 4, "head_dim": 16, "query_pre_attn_scalar": 20, "sliding_window": 6,
        "final_logit_softcapping": 4.0, "layer_types": [SLIDING, FULL, SLIDING, FULL],
        "rope_parameters": {
            FULL: {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
            SLIDING: {"rope_type": "default", "rope_theta": 10000.0},
        },
    }),
    gemma3("biases", {
        "head_dim": 8, "num_key_value_heads": 1, "query_pre_attn_scalar": 8, "sliding_window": 9, "attention_bias": True,
        "layer_types": [SLIDING, SLIDING, FULL], "attn_logit_softcapping": None,
    }),
    phi3("plain", {"tie_word_embeddings": False}, edit_config=_phi3_config_as_published, gguf=True),
    phi3("longrope", {
        "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True,
        "original_max_position_embeddings": 16,
        **_rope("longrope", theta=500.0, partial_rotary_factor=0.75, short_factor=[1.0, 1.02, 1.05, 1.1, 1.2, 1.3],
                long_factor=[1.0, 1.2, 1.5, 2.0, 3.0, 4.0]),
    }, tokenizer=tokenizers_of.gpt2, text=TEXT, edit_config=_phi3_config_as_published, gguf=True),
    phi3("window", {"sliding_window": 7, **_rope("default", theta=300.0, partial_rotary_factor=0.7)}, dtype=torch.float16),
    olmo2("grouped", {}, edit_config=_rope_parameters, gguf=True),
    olmo2("biases", {"attention_bias": True, "tie_word_embeddings": True, "num_key_value_heads": 4}, dtype=torch.float16),
    olmo2("yarn", {
        "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-3,
        **_rope("yarn", theta=500.0, factor=4.0, original_max_position_embeddings=32),
    }),
    smollm3("interval", {
        "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 20,
    }, edit_config=lambda config: (_rope_parameters(config), config.pop("layer_types"), config.pop("no_rope_layers")), gguf=True),
    smollm3("layers", {
        "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1, "no_rope_layers": [0, 1, 0],
        "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False,
    }, dtype=torch.float16),
    smollm3("window", {"no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 7, **_rope("linear", factor=3.0)}),
    granite("multipliers", {
        "embedding_multiplier": 3.0, "attention_multiplier": 0.25, "residual_multiplier": 0.4, "logits_scaling": 0.7,
        "tie_word_embeddings": True,
    }, edit_config=_rope_parameters, gguf=True),
    granite("biases", {
        "attention_bias": True, "mlp_bias": True, "embedding_multiplier": 0.5, "attention_multiplier": 0.6,
        "hidden_size": 16, "num_key_value_heads": 4,
    }, dtype=torch.float16),
    granite("defaults", {"num_key_value_heads": 1, "residual_multiplier": 1.5, "rms_norm_eps": 1e-3}, edit_config=_drop("attention_multiplier", "logits_scaling")),
    opt("before", {}, dtype=torch.float16),
    opt("behind", {"do_layer_norm_before": False, "num_attention_heads": 2}),
    opt("no-biases", {"hidden_size": 16, "num_attention_heads": 2, "enable_bias": False, "activation_function": "gelu", "tie_word_embeddings": False}),
    bloom("tied", {}, rename=_bloom_as_published, edit_config=_bloom_config_as_published, gguf=True),
    bloom("three-heads", {"n_head": 3, "layer_norm_epsilon": 1e-3}, dtype=torch.float16),
    bloom("untied", {"hidden_size": 12, "n_head": 6, "tie_word_embeddings": False}),
    falcon("multi-query", {"num_kv_heads": 1, "layer_norm_epsilon": 1e-3}, edit_config=_falcon_config_as_published, gguf=True),
    falcon("rw", {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}),
    falcon("grouped", {"hidden_size": 16, "new_decoder_architecture": True, "num_kv_heads": 2, "tie_word_embeddings": False}, gguf=True),
    falcon("one-norm", {
        "new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1, "bias": True,
        "activation": "gelu_pytorch_tanh", "ffn_hidden_size": 40, "max_position_embeddings": 64, **_rope("linear", theta=500.0, factor=2.0),
    }, dtype=torch.float16),
    modernbert("masked-lm", t.ModernBertForMaskedLM, {}, edit_config=_old_modernbert_config),
    modernbert("base", t.ModernBertModel, {"norm_bias": True, "attention_bias": True, "norm_eps": 1e-3}, dtype=torch.float16),
    modernbert("untied", t.ModernBertForMaskedLM, {
        "hidden_size": 16, "num_hidden_layers": 3, "layer_types": [SLIDING, FULL, SLIDING], "mlp_bias": True, "classifier_bias": True,
        "decoder_bias": False, "norm_bias": True, "tie_word_embeddings": False, "hidden_activation": "silu",
        "classifier_activation": "relu", "local_attention": 12,
        "rope_parameters": {FULL: {"rope_type": "default", "rope_theta": 500.0}, SLIDING: {"rope_type": "default", "rope_theta": 50.0}},
    }),
]
