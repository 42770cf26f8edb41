"""Teacher forcing: what a changed model makes of reference answers that it reads and does not sample."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from emsteer.errors import ModelError
from emsteer.generation.rows import UNCHANGED, Changes, steering_of
from emsteer.interventions.adapters import RowAdapters, adapted
from emsteer.interventions.batches import before, encode, pad
from emsteer.interventions.hooks import head_reads, steered
from emsteer.interventions.sharing import Once
from emsteer.models.load import LanguageModel

SIDES = ("safe", "unsafe")


@dataclass(frozen=True)
class Spoken:
    """A prompt with an answer that is read, not sampled.

    Attributes:
        token_ids: Prompt and answer.
        n_prompt: Tokens of the prompt.
        changes: What is done to the model meanwhile.
    """

    token_ids: tuple[int, ...]
    n_prompt: int
    changes: Changes = UNCHANGED


def with_references(questions: pd.DataFrame, n_per_category: int) -> pd.DataFrame:
    """The first test questions of every category that have both reference answers."""
    usable = questions[questions["split"].eq("test") & questions["safe"].notna() & questions["unsafe"].notna()]
    return usable.groupby("category", sort=False).head(n_per_category).reset_index(drop=True)


def references(model: LanguageModel, asked: pd.DataFrame, changes: Changes = UNCHANGED) -> list[Spoken]:
    """Every question with its safe answer, then every question with its unsafe one."""
    return [Spoken(tuple(ids), n_prompt, changes) for side in SIDES for ids, n_prompt in encode(model, asked, side)]


@contextmanager
def changed(model: LanguageModel, rows: Sequence[Spoken], once: Once | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Puts the changes of each row on the model, and gives what it is to read.

    Args:
        model: Base.
        rows: Of one batch.
        once: What the unchanged model made of these very texts. In between nothing can be read off blocks that are not changed.

    Yields:
        Token ids, and which of them are of answers. [rows × positions] both
    """
    ids, in_answer = pad(model, [(list(row.token_ids), row.n_prompt) for row in rows])
    steering = steering_of(model, [row.changes for row in rows])
    last_of_prompt = torch.tensor([row.n_prompt - 1 for row in rows], device=model.device)
    steering.answer_positions = torch.arange(ids.shape[1], device=model.device)[None] >= last_of_prompt[:, None]
    adapters = RowAdapters([row.changes.adapter for row in rows], model.device, model.network.dtype)
    first = min(steering.layers, default=None) if not adapters.scales else None
    given = once.up_to(first) if once else nullcontext()
    with given, steered(model.network, steering), adapted(model.network, adapters):
        yield ids, in_answer


def log_p_at_answers(model: LanguageModel, rows: Sequence[Spoken], once: Once | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """What the model holds likely where it reads answers; one batch, to be called under `torch.inference_mode`.

    `once`: of `changed`.

    Returns:
        Log-probabilities of every token in place of each answer token, row by row [answer tokens × vocabulary], float32;
        the ids that are read and which of them are of answers, both [rows × positions].

    Raises:
        ModelError: Not finite.
    """
    with changed(model, rows, once) as (ids, in_answer), head_reads(model.network, before(in_answer)):
        logits = model.network(input_ids=ids, use_cache=False).logits[0]
    return logits.float().log_softmax(-1), ids, in_answer


def need_finite(found: Tensor, model: LanguageModel, what: str) -> Tensor:
    """The numbers, if every one is finite.

    Raises:
        ModelError: One is not.
    """
    if not found.isfinite().all():
        raise ModelError(f"{what} not finite in {model.network.dtype}.\n  Lower the dose, or take another `dtype`.")
    return found
