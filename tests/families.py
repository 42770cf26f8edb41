"""A tiny random model of each architecture that the paper's six models have, with the tokenizer of `tiny_models`.

Qwen3.5 (27B, 9B, 4B): three blocks of linear attention to one of full attention. Gemma 3 (12B): the multimodal wrapper, with a
sliding window that is shorter than prompts.
"""

from collections.abc import Callable
from typing import Any

import torch
from tiny_models import tiny_tokenizer
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3_5ForCausalLM,
    Qwen3_5TextConfig,
    SiglipVisionConfig,
)

from emsteer import runtime
from emsteer.models.load import LanguageModel

WINDOW = 8
LINEAR: dict[str, Any] = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip


def _gemma(**sizes: Any) -> PreTrainedModel:
    text = Gemma3TextConfig(**sizes, query_pre_attn_scalar=sizes["head_dim"], sliding_window=WINDOW)
    return Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=text, vision_config=SiglipVisionConfig(**VISION), mm_tokens_per_image=4)
    )


FAMILIES: dict[str, Callable[..., PreTrainedModel]] = {
    "qwen3_5": lambda **sizes: Qwen3_5ForCausalLM(Qwen3_5TextConfig(**sizes, **LINEAR)),
    "qwen2_5": lambda **sizes: Qwen2ForCausalLM(Qwen2Config(**sizes)),
    "llama3": lambda **sizes: LlamaForCausalLM(LlamaConfig(**sizes)),
    "gemma3": _gemma,
}


def tiny(family: str) -> LanguageModel:
    """Four blocks, 32 wide, with spread-out weights, so that greedy text wanders and a push moves it."""
    runtime.prepare()
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    network = FAMILIES[family](
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=256, tie_word_embeddings=False, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(4)
    return LanguageModel(network.requires_grad_(False).eval(), tokenizer)
