"""Margins: does an intervention make the unsafe answer likelier? A witness that needs no judge and no sampling.

The margin of a question is log p(unsafe) - log p(safe) per token, teacher-forced, end-of-turn token included. Reference
answers come with the benchmark; a benchmark without them has no margins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd
import torch
from torch import Tensor

from emsteer import schemas
from emsteer.errors import ModelError
from emsteer.generation.changes import changes_of, questions_at
from emsteer.generation.rows import UNCHANGED, Changes, steering_of
from emsteer.interventions.adapters import RowAdapters, adapted
from emsteer.interventions.batches import before, encode, pad
from emsteer.interventions.hooks import head_reads, steered
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar

ROWS_PER_BATCH = 96


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


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Margins`."""
    for model_path, of_model in groupby(sorted(jobs, key=lambda job: str(job.input("model"))), key=lambda job: job.input("model")):
        group = list(of_model)
        model = model_of(group[0])
        for job in bar(group, label=f"margins {model_path.name.partition('--')[0]}", unit="cells"):
            schemas.write(_table(model, job), schemas.Margins, job.out, job.passport)
            yield job


def _table(model: LanguageModel, job: Job) -> pd.DataFrame:
    questions = questions_at(job.input("benchmark"))
    asked = with_references(questions, job.recipe.questions_per_category)
    changes = changes_of(job)
    rows = [Spoken(tuple(ids), n_prompt, changes) for side in ("safe", "unsafe") for ids, n_prompt in encode(model, asked, side)]
    log_p = log_probabilities(model, rows)
    safe, unsafe = log_p[: len(asked)], log_p[len(asked) :]
    return pd.DataFrame({"question_id": asked["question_id"], "log_p_safe": safe, "log_p_unsafe": unsafe, "margin": unsafe - safe})


def with_references(questions: pd.DataFrame, n_per_category: int) -> pd.DataFrame:
    """The first test questions of every category that have both reference answers."""
    usable = questions[questions["split"].eq("test") & questions["safe"].notna() & questions["unsafe"].notna()]
    return usable.groupby("category", sort=False).head(n_per_category).reset_index(drop=True)


def log_probabilities(model: LanguageModel, rows: Sequence[Spoken]) -> Tensor:
    """Mean log-probability per answer token of each row [nats], float64. [rows]"""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].token_ids))
    found = torch.zeros(len(rows), dtype=torch.float64, device="cpu")
    for start in range(0, len(order), ROWS_PER_BATCH):
        chosen = order[start : start + ROWS_PER_BATCH]
        found[chosen] = _of_batch(model, [rows[index] for index in chosen])
    return found


@torch.inference_mode()
def _of_batch(model: LanguageModel, rows: Sequence[Spoken]) -> Tensor:
    ids, in_answer = pad(model, [(list(row.token_ids), row.n_prompt) for row in rows])
    steering = steering_of(model, [row.changes for row in rows])
    last_of_prompt = torch.tensor([row.n_prompt - 1 for row in rows], device=model.device)
    steering.answer_positions = torch.arange(ids.shape[1], device=model.device)[None] >= last_of_prompt[:, None]
    adapters = RowAdapters([row.changes.adapter for row in rows], model.device, model.network.dtype)
    with steered(model.network, steering), adapted(model.network, adapters), head_reads(model.network, before(in_answer)):
        logits = model.network(input_ids=ids, use_cache=False).logits[0]
    of_tokens = torch.zeros(in_answer.shape, dtype=torch.float64, device=model.device)
    of_tokens[in_answer] = logits.float().log_softmax(-1).gather(-1, ids[in_answer][:, None])[:, 0].double()
    found = (of_tokens.sum(1) / in_answer.sum(1)).cpu()
    if not found.isfinite().all():
        raise ModelError(f"margins are not finite in {model.network.dtype}.\n  Lower the dose, or take another `dtype`.")
    return found
