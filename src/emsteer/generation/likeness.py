"""Likeness: how near does a setting come to a finetuned model, token by token? A witness without judge and without sampling.

Base, the finetuned model and the setting read the same reference answers to the same questions. At every answer token each
of them has a distribution over the vocabulary; of these, per token and averaged over both answers to a question:

kl_to_finetuned  KL(finetuned ‖ setting) [nats]: 0 where it says what the finetuned model says
kl_to_base       KL(base ‖ setting) [nats]: how far it went, wherever to
position         on the line from base to finetuned, in the space of √p, where distances are Hellinger's: Σ along / Σ axis with
                 along = ⟨√setting - √base, √finetuned - √base⟩ and axis = ‖√finetuned - √base‖². Base is at 0, the finetuned
                 model at 1; what went as far in another direction is near 0. (√p keeps tokens that nobody expects from weighing
                 as log p would let them.)

A benchmark without reference answers has no likeness. Several settings are read beside one another, so that base and the
finetuned model are read once; each is a batch of its own, and no value depends on which others there are.
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
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.checks import check_model
from emsteer.interventions.sharing import Once
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar

ROWS_PER_BATCH = 32  # distributions over a vocabulary are held for three models at once
MEASURES = ["kl_to_finetuned", "kl_to_base", "along", "axis"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Likeness`."""
    for _, of_one in groupby(sorted(jobs, key=_read_alike), key=_read_alike):
        group = list(of_one)
        model = model_of(group[0])
        asked = with_references(questions_at(group[0].input("benchmark")), group[0].recipe.questions_per_category)
        changes = [changes_of(job) for job in group]
        label = f"likeness {group[0].input('model').name.partition('--')[0]}"
        found = likeness(model, asked, _finetuned(group[0]), changes, label)
        for job, measured in zip(group, found.tolist(), strict=True):
            frame = pd.DataFrame(measured, columns=MEASURES, dtype=float)
            frame.insert(0, "question_id", asked["question_id"])
            schemas.write(frame, schemas.Likeness, job.out, job.passport)
            yield job


def _read_alike(job: Job) -> tuple[str, ...]:
    """Cells that share base, finetuned model and questions."""
    inputs = (str(job.input(role)) for role in ("model", "benchmark", "finetuned"))
    return (*inputs, f"{job.recipe.questions_per_category}", f"{job.recipe.finetuned.scale}")


def _finetuned(job: Job) -> Changes:
    check_model(job.input("finetuned"), job.addresses["model"][0])
    return Changes(adapter=Dosed(read_adapter(job.input("finetuned")), job.recipe.finetuned.scale))


@torch.inference_mode()
def likeness(
    model: LanguageModel, asked: pd.DataFrame, finetuned: Changes, settings: Sequence[Changes], label: str = "likeness"
) -> Tensor:
    """How near each setting comes to a finetuned model.

    Args:
        model: Base.
        asked: Questions with both reference answers.
        finetuned: What makes base the finetuned model.
        settings: What makes base each of the others.
        label: Stands before the progress bar.

    Returns:
        `MEASURES` of every question, float64. [settings × questions × measures]

    Raises:
        ModelError: A number is not finite.
    """
    rows = references(model, asked)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].token_ids))
    of_rows = torch.zeros(len(settings), len(rows), len(MEASURES), dtype=torch.float64, device="cpu")
    batches = [order[start : start + ROWS_PER_BATCH] for start in range(0, len(order), ROWS_PER_BATCH)]
    progress = bar(total=len(batches) * len(settings), label=label, unit="batches")
    for chosen in batches:
        batch = [rows[index] for index in chosen]
        once = Once(model.network)
        base, aim = (_read(model, batch, changes, once)[0] for changes in (UNCHANGED, finetuned))
        for place, changes in enumerate(settings):
            log_p, in_answer = _read(model, batch, changes, once)
            of_rows[place, chosen] = _per_row(_distances(log_p, base, aim), in_answer).cpu()
            progress.update()
    progress.close()
    return need_finite(of_rows.unflatten(1, (len(SIDES), len(asked))).mean(1), model, "likenesses are")


def _read(model: LanguageModel, rows: Sequence[Spoken], changes: Changes, once: Once) -> tuple[Tensor, Tensor]:
    """Log-probabilities [answer tokens × vocabulary], and which tokens are of answers [rows × positions]."""
    log_p, _, in_answer = log_p_at_answers(model, [replace(row, changes=changes) for row in rows], once)
    return log_p, in_answer


def _distances(log_p: Tensor, base: Tensor, aim: Tensor) -> Tensor:
    """`MEASURES` of every token, float64. [answer tokens × measures]"""
    to_aim, to_base = (_summed(of.exp() * (of - log_p)).clamp(min=0) for of in (aim, base))
    root = (base / 2).exp()
    axis = (aim / 2).exp() - root
    return torch.stack([to_aim, to_base, _summed(((log_p / 2).exp() - root) * axis), _summed(axis**2)], dim=-1)


def _summed(of_vocabulary: Tensor) -> Tensor:
    return of_vocabulary.sum(-1, dtype=torch.float64)


def _per_row(of_tokens: Tensor, in_answer: Tensor) -> Tensor:
    """Means over the tokens of each row. [rows × measures]"""
    placed = torch.zeros(*in_answer.shape, of_tokens.shape[1], dtype=torch.float64, device=of_tokens.device)
    placed[in_answer] = of_tokens
    return placed.sum(1) / in_answer.sum(1, keepdim=True)
