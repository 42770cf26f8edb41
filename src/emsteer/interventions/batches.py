"""Examples as padded batches: prompts with answers, and where the answer's tokens are."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emsteer.models.load import LanguageModel


def encode(model: LanguageModel, asked: pd.DataFrame, side: str) -> list[tuple[list[int], int]]:
    """(token ids of prompt and answer, number of prompt tokens) for each example.

    Args:
        model: Whose chat template and tokenizer are used.
        asked: With the columns `prompt`, `system` (null where there is no system line) and `side`.
        side: The column of the answers: `safe` or `unsafe`.
    """
    prompt_ids = prompts_of(model, asked)
    found = [(ids + model.answer_ids(answer), len(ids)) for ids, answer in zip(prompt_ids, asked[side], strict=True)]
    for (ids, _), prompt in zip(found, asked["prompt"], strict=True):
        model.check_length(len(ids), f"an example about {prompt[:60]!r}")
    return found


def prompts_of(model: LanguageModel, asked: pd.DataFrame) -> list[list[int]]:
    """Token ids of every prompt of a table with the columns `prompt` and `system`."""
    systems = [None if pd.isna(line) else str(line) for line in asked["system"]]
    pairs = [*zip(asked["prompt"], systems, strict=True)]
    ids = {pair: model.prompt_ids(*pair) for pair in dict.fromkeys(pairs)}  # a question stands there once for each sample
    return [ids[pair] for pair in pairs]


def pad(model: LanguageModel, examples: Sequence[tuple[list[int], int]]) -> tuple[Tensor, Tensor]:
    """Right-padded token ids and the mask of answer tokens, both [examples × positions], where the model is.

    Under a causal mask no token sees the padding to its right, so no attention mask is needed.
    """
    device = model.device
    rows = [torch.tensor(ids, device=device) for ids, _ in examples]
    ids = pad_sequence(rows, batch_first=True, padding_value=model.pad_id)
    position = torch.arange(ids.shape[1], device=device)[None]
    starts = torch.tensor([start for _, start in examples], device=device)[:, None]
    ends = torch.tensor([len(ids) for ids, _ in examples], device=device)[:, None]
    return ids, (position >= starts) & (position < ends)


def before(in_answer: Tensor) -> Tensor:
    """Where logits are of answer tokens: one position before each of them. [examples × positions]"""
    return in_answer.roll(-1, dims=1)  # no answer begins a text, so nothing comes in at the end
