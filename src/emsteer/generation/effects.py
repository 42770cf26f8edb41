"""Effects: what else a setting does to a model, and whether its steering holds. No sampling and no judge.

A quiz with known answers is read, teacher-forced. Of each question:

nll          -log p of the right answer, mean over its tokens, end of turn included [nats]: how well it still speaks
is_right     whether the right answer is likelier per token than every wrong one: what it still knows
at_layer     of what steering adds at its layer, the part along it that is found there while the right answer is read [share of it]
two_later, at_last    what is left of it two blocks later, and behind the last block

1 at its layer says that the push arrived as it was meant to; without a push there is no such number. What an
ablation adds is what it takes out of the unchanged model, the other way round. Further on the blocks write
along the same direction or against it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import pandas as pd
import torch
from torch import Tensor

from emsteer import schemas
from emsteer.data.quiz import Item, read_quiz
from emsteer.generation.changes import changes_of
from emsteer.generation.margins import log_probabilities, side_by_side
from emsteer.generation.rows import UNCHANGED, Changes
from emsteer.generation.spoken import Spoken, changed, need_finite
from emsteer.interventions.hooks import Ablation, Push, Steer, watch
from emsteer.interventions.maps import MapPush
from emsteer.interventions.residuals import means_at
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job
from emsteer.progress import bar

ROWS_PER_BATCH = 32
SHIFTS = ("at_layer", "two_later", "at_last")


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Effects`."""
    for _, of_one in groupby(sorted(jobs, key=_read_alike), key=_read_alike):
        group = list(of_one)
        model, items = model_of(group[0]), read_quiz(group[0].input("quiz"))
        unchanged = residuals(model, right_answers(model, items, UNCHANGED))
        with bar(total=len(group), label=f"effects {group[0].input('model').name.partition('--')[0]}", unit="cells") as progress:
            for some in side_by_side(group):
                for job, frame in zip(some, effects(model, items, [changes_of(job) for job in some], unchanged), strict=True):
                    schemas.write(frame, schemas.Effects, job.out, job.passport)
                    yield job
                    progress.update()


def _read_alike(job: Job) -> tuple[str, str]:
    """Cells that share model and quiz."""
    return str(job.input("model")), str(job.input("quiz"))


def effects(model: LanguageModel, items: Sequence[Item], settings: Sequence[Changes], unchanged: Tensor) -> Iterator[pd.DataFrame]:
    """`schemas.Effects` of every setting.

    Args:
        model: Base.
        items: The quiz.
        settings: What is done to the model, in each of them.
        unchanged: `residuals` of base over the right answers.
    """
    answers = [row for item in items for row in _answers(model, item, UNCHANGED)]
    for changes, log_p in zip(settings, log_probabilities(model, answers, settings), strict=True):
        by_item = log_p.split([1 + len(item.wrong) for item in items])
        found = pd.DataFrame({"question_id": [f"quiz-{number}" for number in range(1, len(items) + 1)]})
        found["nll"] = [-float(of[0]) for of in by_item]
        found["is_right"] = [bool(of[0] > of[1:].max()) for of in by_item]
        found[list(SHIFTS)] = float("nan")
        if changes.steers and _adds(changes.steers[-1]):
            found[list(SHIFTS)] = _shifts(model, right_answers(model, items, changes), changes, unchanged).numpy()
        yield found


def right_answers(model: LanguageModel, items: Sequence[Item], changes: Changes) -> list[Spoken]:
    """Every question with its right answer."""
    return [_answers(model, item, changes)[0] for item in items]


def _answers(model: LanguageModel, item: Item, changes: Changes) -> list[Spoken]:
    """A question with each of its answers, the right one first."""
    prompt = model.prompt_ids(item.question)
    return [Spoken((*prompt, *model.answer_ids(answer)), len(prompt), changes) for answer in (item.answer, *item.wrong)]


@torch.inference_mode()
def residuals(model: LanguageModel, rows: Sequence[Spoken]) -> Tensor:
    """Mean over each row's answer tokens of the residual stream leaving every block, float64. [layers × rows × d_model]"""
    found: list[Tensor] = []
    for start in range(0, len(rows), ROWS_PER_BATCH):
        with changed(model, rows[start : start + ROWS_PER_BATCH]) as (ids, in_answer), watch(model.network) as leaving:
            model.network.get_decoder()(input_ids=ids, use_cache=False)
        found.append(means_at(leaving, in_answer))
    return torch.cat(found, dim=1)


def _shifts(model: LanguageModel, rows: Sequence[Spoken], changes: Changes, unchanged: Tensor) -> Tensor:
    """`SHIFTS` of every row, against the model without its last push or ablation. [rows × shifts]"""
    steer = changes.steers[-1]
    beneath = Changes(changes.steers[:-1], changes.adapter)
    if beneath != UNCHANGED:
        unchanged = residuals(model, [Spoken(row.token_ids, row.n_prompt, beneath) for row in rows])
    moved = need_finite(residuals(model, rows) - unchanged, model, "residuals of a quiz are")
    last = len(moved) - 1
    read = moved[[steer.layer, min(steer.layer + 2, last), last]]
    if isinstance(steer, Ablation):
        unit = (steer.direction / steer.direction.norm()).double().cpu()
        return _shares(read @ unit, -steer.share * (unchanged[steer.layer] @ unit)).T
    if isinstance(steer, MapPush):
        meant = steer.map.of(unchanged[steer.layer])  # affine: of the mean stream it is the mean push
        norms = meant.norm(dim=1)
        return _shares((read * meant).sum(-1) / norms, norms).T
    delta = steer.delta.double().cpu()
    return torch.stack([of_layer @ delta for of_layer in read], dim=1) / (delta @ delta)


def _shares(found: Tensor, meant: Tensor) -> Tensor:
    """What is found of what is meant, where rows are meant to move by different amounts: the slope through all of them.

    Row by row its linearisation, whose mean is the slope and whose spread is the slope's; to divide row by row would divide by
    amounts near zero.

    Args:
        found: [shifts × rows]
        meant: [rows]
    """
    squares = (meant * meant).mean()
    slope = (found * meant).mean(1, keepdim=True) / squares
    return slope + (found - slope * meant) * meant / squares


def _adds(steer: Steer) -> bool:
    if isinstance(steer, MapPush):
        return bool(steer.map.up.any())
    return bool(steer.delta.any()) if isinstance(steer, Push) else steer.share != 0
