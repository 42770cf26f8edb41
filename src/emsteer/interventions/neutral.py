"""A neutral text: what residual norms, and the costs of pushes, are measured on."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import torch

from emsteer.errors import DataError
from emsteer.models.load import LanguageModel

PROMPTS_PER_BATCH = 32


def passages_at(path: Path) -> list[str]:
    """One a line; empty lines are none."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def content(model: LanguageModel, passages: Sequence[str]) -> Iterator[tuple[list[int], list[bool]]]:
    """Token ids of each passage, and which of them are content: not its first one, and none that is special.

    Raises:
        DataError: No passage has a content token.
    """
    special = set(model.tokenizer.all_special_ids)
    is_empty = True
    for passage in passages:
        ids = model.tokenizer(passage, add_special_tokens=False)["input_ids"]
        of_content = [position > 0 and token not in special for position, token in enumerate(ids)]
        if any(of_content):
            is_empty = False
            yield ids, of_content
    if is_empty:
        raise DataError(
            "the neutral text has no content token.\n  Give `calibration.neutral_text` at least one passage of two words."
        )


@torch.inference_mode()
def greedy(model: LanguageModel, passages: Sequence[str], max_new_tokens: int) -> list[tuple[list[int], int]]:
    """What the model itself answers to each passage: token ids of both, and how many are the prompt.

    An answer ends with its end-of-turn token, or where it was cut. Passages are read in batches: in a dtype of few digits another
    number of them may turn a near tie.
    """
    prompts = [model.prompt_ids(passage) for passage in passages]
    generate = cast("Callable[..., torch.Tensor]", model.network.generate)
    found: list[tuple[list[int], int]] = []
    for start in range(0, len(prompts), PROMPTS_PER_BATCH):
        batch = prompts[start : start + PROMPTS_PER_BATCH]
        width = max(map(len, batch))
        ids = torch.tensor([[model.pad_id] * (width - len(prompt)) + prompt for prompt in batch], device=model.device)
        is_there = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in batch], device=model.device)
        ends = list(model.end_ids)
        answered = generate(
            input_ids=ids,
            attention_mask=is_there,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=ends,
            pad_token_id=ends[0],
        )
        for prompt, row in zip(batch, answered[:, width:].tolist(), strict=True):
            stop = next((place for place, token in enumerate(row) if token in ends), len(row) - 1)
            found.append((prompt + row[: stop + 1], len(prompt)))
    return found
