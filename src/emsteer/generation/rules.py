"""What a model's own files say about which tokens it may say: honoured, or refused, never dropped without a word.

How tokens are drawn (temperature, top-k, top-p, beams) is the study's to say, and is not read here; these change the odds that are
drawn from. Definitions: `GenerationConfig` of transformers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from emsteer.errors import ModelError

NEUTRAL: dict[str, tuple[Any, ...]] = {  # fields that this engine does not honour → values that change nothing
    "no_repeat_ngram_size": (None, 0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "encoder_repetition_penalty": (None, 1.0),
    "bad_words_ids": (None, []),
    "sequence_bias": (None, {}, []),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "exponential_decay_length_penalty": (None,),
    "stop_strings": (None, []),
    "guidance_scale": (None, 1.0),
    "watermarking_config": (None,),
}


@dataclass(frozen=True)
class Rules:
    """Changes of a model's logits.

    Attributes:
        penalty: Logits of tokens that were read or said are divided by it where positive, and multiplied where negative; 1: none.
        suppressed: Tokens that are never said.
        suppressed_first: Tokens that do not begin an answer.
    """

    penalty: float = 1.0
    suppressed: tuple[int, ...] = ()
    suppressed_first: tuple[int, ...] = ()

    def apply(self, logits: Tensor, step: int, read: Tensor, said: Tensor) -> Tensor:
        """The logits that a token is drawn from.

        Args:
            logits: [rows × tokens]
            step: Counted from 0, the first token of the answer.
            read: Ids of the prompts, each filled up with a token of its own. [rows × positions]
            said: Ids of the answers so far. [rows × steps]
        """
        if self.penalty != 1.0:
            ids = torch.cat([read, said], dim=1)
            of_seen = logits.gather(1, ids)
            logits = logits.scatter(1, ids, torch.where(of_seen < 0, of_seen * self.penalty, of_seen / self.penalty))
        banned = self.suppressed + (self.suppressed_first if step == 0 else ())
        if banned:
            logits = logits.index_fill(1, torch.tensor(banned, device=logits.device), -torch.inf)
        return logits


def rules_of(config: Any) -> Rules:
    """What a `GenerationConfig` asks for.

    Raises:
        ModelError: It asks for what is not honoured here.
    """
    refused = {name: getattr(config, name, None) for name, neutral in NEUTRAL.items() if getattr(config, name, None) not in neutral}
    if refused:
        asked = ", ".join(f"{name} {value!r}" for name, value in refused.items())
        raise ModelError(
            f"generation_config.json asks for {asked}; this engine does not do that, and will not leave it out in silence.\n"
            "  Take it out of a copy of the model's folder, and pin that: then it says what is done."
        )
    return Rules(
        penalty=config.repetition_penalty or 1.0,
        suppressed=tuple(config.suppress_tokens or ()),
        suppressed_first=tuple(config.begin_suppress_tokens or ()),
    )


def filled(prompts: Sequence[Sequence[int]]) -> Tensor:
    """Prompts as one tensor, each filled up with its own first token. [rows × positions]"""
    width = max(map(len, prompts))
    return torch.tensor([[*prompt, *[prompt[0]] * (width - len(prompt))] for prompt in prompts], device="cpu")
