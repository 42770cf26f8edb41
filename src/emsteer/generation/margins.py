"""Margins: does an intervention make the unsafe answer likelier? A witness that needs no judge and no sampling.

The margin of a question is log p(unsafe) - log p(safe) per token, teacher-forced, end-of-turn token included. Reference
answers come with the benchmark; a benchmark without them has no margins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import pandas as pd
import torch
from torch import Tensor

from emsteer import schemas
from emsteer.generation.changes import changes_of, questions_at
from emsteer.generation.rows import UNCHANGED, Changes
from emsteer.generation.spoken import SIDES, Spoken, log_p_at_answers, need_finite, references, with_references
from emsteer.interventions.sharing import Once
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar

ROWS_PER_BATCH = 96
SETTINGS_AT_ONCE = 8  # read what comes before their first change once


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Margins`, a few cells at a time, so that a killed run loses little."""
    for _, of_one in groupby(sorted(jobs, key=_read_alike), key=_read_alike):
        group = list(of_one)
        model = model_of(group[0])
        asked = with_references(questions_at(group[0].input("benchmark")), group[0].recipe.questions_per_category)
        with bar(total=len(group), label=f"margins {group[0].input('model').name.partition('--')[0]}", unit="cells") as progress:
            for some in side_by_side(group):
                found = log_probabilities(model, references(model, asked), [changes_of(job) for job in some])
                for job, (safe, unsafe) in zip(some, found.unflatten(1, (len(SIDES), len(asked))), strict=True):
                    columns = {"question_id": asked["question_id"], "log_p_safe": safe, "log_p_unsafe": unsafe}
                    frame = pd.DataFrame({**columns, "margin": unsafe - safe})
                    schemas.write(frame, schemas.Margins, job.out, job.passport)
                    yield job
                    progress.update()


def _read_alike(job: Job) -> tuple[str, str, int]:
    """Cells that share model and questions."""
    return str(job.input("model")), str(job.input("benchmark")), job.recipe.questions_per_category


def side_by_side(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """`SETTINGS_AT_ONCE` of the cells that read the same."""
    for start in range(0, len(jobs), SETTINGS_AT_ONCE):
        yield jobs[start : start + SETTINGS_AT_ONCE]


def log_probabilities(model: LanguageModel, texts: Sequence[Spoken], settings: Sequence[Changes] = (UNCHANGED,)) -> Tensor:
    """Mean log-probability per answer token of each text, under each setting [nats], float64. [settings × texts]"""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index].token_ids))
    found = torch.zeros(len(settings), len(texts), dtype=torch.float64, device="cpu")
    for start in range(0, len(order), ROWS_PER_BATCH):
        chosen = order[start : start + ROWS_PER_BATCH]
        once = Once(model.network)
        for place, changes in enumerate(settings):
            found[place, chosen] = _of_batch(model, [replace(texts[index], changes=changes) for index in chosen], once)
    return found


@torch.inference_mode()
def _of_batch(model: LanguageModel, rows: Sequence[Spoken], once: Once) -> Tensor:
    log_p, ids, in_answer = log_p_at_answers(model, rows, once)
    of_tokens = torch.zeros(in_answer.shape, dtype=torch.float64, device=model.device)
    of_tokens[in_answer] = log_p.gather(-1, ids[in_answer][:, None])[:, 0].double()
    return need_finite((of_tokens.sum(1) / in_answer.sum(1)).cpu(), model, "margins are")
