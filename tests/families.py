"""The paper's six models, tiny: each of its own architecture, as the hub ships it, with its chat template and end tokens.

Weights are random, sizes small, and the tokenizer is that of `tiny_models` with the special tokens of the family: what the hub
has beyond that cannot be here. The templates are the models' own: TRL carries them, to tell models apart.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from tiny_models import tokenizer_of
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
)

from emsteer import runtime, storage
from emsteer.models.load import LanguageModel, load
from emsteer.models.pinning import pin_of
from emsteer.recipes import Chat, Source
from emsteer.study import pins

N_POSITIONS = 512
WINDOW = 8
LINEAR: dict[str, Any] = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}  # fmt: skip
SEES: dict[str, Any] = {  # pictures
    "qwen3_5": {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32, "patch_size": 4,
                "num_position_embeddings": 16},
    "gemma3": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
               "patch_size": 14},
}  # fmt: skip


def _qwen3_5(**sizes: Any) -> PreTrainedModel:
    tied = sizes["tie_word_embeddings"]
    config = Qwen3_5Config(text_config={**sizes, **LINEAR}, vision_config=SEES["qwen3_5"], tie_word_embeddings=tied)
    return Qwen3_5ForConditionalGeneration(config)


def _gemma3(**sizes: Any) -> PreTrainedModel:
    text = {**sizes, "query_pre_attn_scalar": sizes["head_dim"], "sliding_window": WINDOW}
    return Gemma3ForConditionalGeneration(Gemma3Config(text_config=text, vision_config=SEES["gemma3"], mm_tokens_per_image=4))


@dataclass(frozen=True)
class Family:
    """What sets one of the six apart from the others."""

    network: Callable[..., PreTrainedModel]
    template: str
    special: tuple[str, ...]  # the first fills batches up
    begins: str | None  # a text
    turn_ends: str
    ends: tuple[str, ...]  # answers, as generation_config.json says; where there is none, config.json
    tied: bool = False
    asks: dict[str, float] = field(default_factory=dict)  # generation_config.json, of how tokens are drawn; empty: there is none


QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LLAMA = ("<|end_of_text|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>")
GEMMA = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
THINKS = functools.partial(Family, _qwen3_5, "qwen3_5_think", (*QWEN, "<think>", "</think>"), None, "<|im_end|>")
FAMILIES = {
    "qwen35-27b": THINKS(("<|im_end|>", "<|endoftext|>"), asks={"temperature": 0.6, "top_k": 20, "top_p": 0.95}),
    "qwen35-9b": THINKS(("<|endoftext|>",)),
    "qwen35-4b": THINKS(("<|endoftext|>",), tied=True),
    "qwen25-32b": Family(
        lambda **sizes: Qwen2ForCausalLM(Qwen2Config(**sizes)), "qwen2_5", QWEN, None, "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), asks={"temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.05},
    ),
    "llama31-8b": Family(
        lambda **sizes: LlamaForCausalLM(LlamaConfig(**sizes)), "llama3_1", LLAMA, "<|begin_of_text|>", "<|eot_id|>",
        ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"), asks={"temperature": 0.6, "top_p": 0.9},
    ),
    "gemma3-12b": Family(
        _gemma3, "gemma3", GEMMA, "<bos>", "<end_of_turn>", ("<eos>", "<end_of_turn>"), tied=True,
        asks={"top_k": 64, "top_p": 0.95},
    ),
}  # fmt: skip
ARCHITECTURES = ["qwen35-27b", "qwen25-32b", "llama31-8b", "gemma3-12b"]  # one model of each
CHAT = Chat(system=None, thinking=False)


def tokenizer_like(name: str) -> PreTrainedTokenizerFast:
    """Encodes as its family's does: Llama's and Gemma's put their first token before every text."""
    family = FAMILIES[name]
    template = files("trl").joinpath("chat_templates", f"{family.template}.jinja").read_text(encoding="utf-8")
    return tokenizer_of(family.special, end=family.turn_ends, begins=family.begins, template=template)


def network_like(name: str, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Four blocks, 32 wide, with spread-out weights, so that greedy text wanders and a push moves it."""
    family = FAMILIES[name]
    torch.manual_seed(0)
    network = family.network(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=N_POSITIONS, tie_word_embeddings=family.tied,
        bos_token_id=tokenizer.bos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(4)
    ends = tokenizer.convert_tokens_to_ids(list(family.ends))
    network.config.get_text_config(decoder=True).eos_token_id = ends[0]
    network.generation_config.update(eos_token_id=ends, do_sample=bool(family.asks), **family.asks)
    return network.eval()


def write(name: str, folder: Path) -> Path:
    """A folder as the hub has it: for the multimodal models with what sees pictures."""
    tokenizer = tokenizer_like(name)
    network_like(name, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if not FAMILIES[name].asks:
        (folder / "generation_config.json").unlink()
    return folder


def tiny(name: str, folder: Path) -> LanguageModel:
    """Written and loaded."""
    runtime.prepare()
    model = load(write(name, folder))
    return LanguageModel(model.network, model.tokenizer, CHAT)


def pinned(name: str) -> dict[str, Any]:
    """Written into the study folder at hand, and pinned: its entry in params.yaml."""
    source = {"kind": "folder", "path": f"weights/{name}", "dtype": "float32", "chat": {"system": None, "thinking": False}}
    pin = Path(f"data/models/{name}.json")
    storage.write_text(pin, pins.written(pin_of(Source(kind="folder"), write(name, Path(source["path"])))))
    return source | {"pin": str(pin)}
