"""Contrasts: on-topic EM of a steered setting minus that of a reference, on the same off-domain questions.

References: `base`, and `random`: the random directions of the same vector at the same dose, all draws together. Arms share
questions and sampling noise, so the interval resamples questions for both at once.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis.bootstrap import Floats, resampled, wilson
from emsteer.analysis.judged import Judged, judged_answers
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import Contrasts, RatesRow

SCHEMA = schemas.Contrasts


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Contrasts`."""
    recipe: Contrasts = job.recipe
    judged = judged_answers(job)
    rows: list[dict[str, object]] = []
    for one in judged:
        if one.row.setting.arm != "steered":
            continue
        for reference, others in (("base", _bases(one.row, judged)), ("random", _randoms(one.row, judged))):
            if others:
                rows += list(_differences(one, reference, others, recipe))
    return schemas.frame_of(rows, SCHEMA)


def _same_place(row: RatesRow, other: RatesRow) -> bool:
    place = (row.setting.model, row.setting.task, row.benchmark, row.judge)
    return place == (other.setting.model, other.setting.task, other.benchmark, other.judge)


def _bases(row: RatesRow, judged: list[Judged]) -> list[Judged]:
    return [other for other in judged if other.row.setting.arm == "base" and _same_place(row, other.row)]


def _randoms(row: RatesRow, judged: list[Judged]) -> list[Judged]:
    as_random = row.setting.model_copy(update={"arm": "random"})
    return [
        other
        for other in judged
        if other.row.setting.model_copy(update={"draw": None}) == as_random and _same_place(row, other.row)
    ]


def _differences(one: Judged, reference: str, others: list[Judged], recipe: Contrasts) -> Iterator[dict[str, object]]:
    theirs = pd.concat([other.answers for other in others])
    for split in sorted(set(one.answers["split"])):
        treated, untreated = (_by_question(answers[answers["split"].eq(split)]) for answers in (one.answers, theirs))
        questions = treated.index.intersection(untreated.index)
        if len(questions):
            pair = treated.loc[questions].to_numpy(), untreated.loc[questions].to_numpy()
            difference, low, high = paired_difference(*pair, resampled(len(questions), recipe.bootstrap), recipe.bootstrap.level)
            numbers = {"difference": difference, "low": low, "high": high, "n_questions": len(questions)}
            yield {**one.labels, "split": split, "reference": reference, **numbers}


def _by_question(answers: pd.DataFrame) -> pd.DataFrame:
    """On-topic EM answers and judged answers of every off-domain question that has any. [questions × 2]"""
    counts = answers.groupby("question_id")[["on_topic_em", "judged_off_domain"]].sum().astype(float)
    return counts[counts["judged_off_domain"] > 0]


def paired_difference(treated: Floats, untreated: Floats, weights: Floats, level: float) -> tuple[float, float, float]:
    """Difference of two rates and its percentile interval.

    Where every question has the same difference, there is nothing to resample: the interval is then as wide as the share of
    deviating questions can be (Wilson, 0 of n) in either direction.

    Args:
        treated: Hits and trials of each question. [questions × 2]
        untreated: Likewise, same questions in the same order.
        weights: How often each resample draws each question. [resamples × questions]
        level: Coverage aimed at.
    """
    difference = treated[:, 0].sum() / treated[:, 1].sum() - untreated[:, 0].sum() / untreated[:, 1].sum()
    by_question = treated[:, 0] / treated[:, 1] - untreated[:, 0] / untreated[:, 1]
    if np.ptp(by_question) == 0:
        _, deviating = wilson(0.0, len(by_question), level)
        return float(difference), max(-1.0, float(difference - deviating)), min(1.0, float(difference + deviating))
    above, below = weights @ treated, weights @ untreated
    resampled_differences = above[:, 0] / above[:, 1] - below[:, 0] / below[:, 1]
    low, high = np.quantile(resampled_differences, [(1 - level) / 2, (1 + level) / 2])
    return float(difference), float(min(low, difference)), float(max(high, difference))
