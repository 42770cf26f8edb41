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
    return [(ids + model.answer_ids(answer), len(ids)) for ids, answer in zip(prompt_ids, asked[side], strict=True)]


def prompts_of(model: LanguageModel, asked: pd.DataFrame) -> list[list[int]]:
    """Token ids of every prompt of a table with the columns `prompt` and `system`."""
    systems = [None if pd.isna(line) else str(line) for line in asked["system"]]
    return [model.prompt_ids(prompt, system) for prompt, system in zip(asked["prompt"], systems, strict=True)]


def pad(examples: Sequence[tuple[list[int], int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Right-padded token ids and the mask of answer tokens, both [examples × positions].

    Under a causal mask no token sees the padding to its right, so no attention mask is needed.
    """
    ids = pad_sequence([torch.tensor(ids) for ids, _ in examples], batch_first=True, padding_value=pad_id)
    position = torch.arange(ids.shape[1])[None]
    starts = torch.tensor([start for _, start in examples])[:, None]
    ends = torch.tensor([len(ids) for ids, _ in examples])[:, None]
    return ids, (position >= starts) & (position < ends)
