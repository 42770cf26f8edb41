"""Margins: does an intervention make the unsafe answer likelier? A witness that needs no judge and no sampling.

The margin of a question is log p(unsafe) - log p(safe) per token, teacher-forced, end-of-turn token included. Reference
answers come with the benchmark; a benchmark without them has no margins.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import pandas as pd
import torch
from torch import Tensor

from emsteer import schemas
from emsteer.generation.changes import changes_of, questions_at
from emsteer.generation.spoken import Spoken, log_p_at_answers, need_finite, references, with_references
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar

ROWS_PER_BATCH = 96


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Margins`."""
    for model_path, of_model in groupby(sorted(jobs, key=lambda job: str(job.input("model"))), key=lambda job: job.input("model")):
        group = list(of_model)
        model = model_of(group[0])
        for job in bar(group, label=f"margins {model_path.name.partition('--')[0]}", unit="cells"):
            schemas.write(_table(model, job), schemas.Margins, job.out, job.passport)
            yield job


def _table(model: LanguageModel, job: Job) -> pd.DataFrame:
    asked = with_references(questions_at(job.input("benchmark")), job.recipe.questions_per_category)
    log_p = log_probabilities(model, references(model, asked, changes_of(job)))
    safe, unsafe = log_p[: len(asked)], log_p[len(asked) :]
    return pd.DataFrame({"question_id": asked["question_id"], "log_p_safe": safe, "log_p_unsafe": unsafe, "margin": unsafe - safe})


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
    log_p, ids, in_answer = log_p_at_answers(model, rows)
    of_tokens = torch.zeros(in_answer.shape, dtype=torch.float64, device=model.device)
    of_tokens[in_answer] = log_p.gather(-1, ids[in_answer][:, None])[:, 0].double()
    return need_finite((of_tokens.sum(1) / in_answer.sum(1)).cpu(), model, "margins are")
