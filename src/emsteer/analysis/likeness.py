"""How near every setting comes to the finetuned model of its model and task, by group of test questions.

The table has the columns of `schemas.Rates`; `metric` is `position`, `kl_to_finetuned` or `kl_to_base`
(`generation.likeness`); `judge` is `none`. A question is one answer: n counts questions.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis import estimates
from emsteer.analysis.settings import setting_labels
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Rates
POSITION = "position"
MEANS = ("kl_to_finetuned", "kl_to_base")


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Rates`."""
    labels = pd.DataFrame(setting_labels(job))
    parts = []
    for (_, split, group), of in _placed(job, labels).groupby(["place", "split", "group"], sort=False):
        for metric in (POSITION, *MEANS):
            numbers = measured(of, metric, job.recipe.level)
            whose = labels.loc[numbers.pop("row")].reset_index(drop=True)
            parts.append(pd.concat([whose.assign(split=split, group=group, metric=metric), numbers], axis=1))
    return schemas.frame_of(pd.concat(parts, ignore_index=True) if parts else [], SCHEMA)


def _placed(job: Job, labels: pd.DataFrame) -> pd.DataFrame:
    """Every measure of every setting and question, with split, group and place: settings of one place were asked the same."""
    rows = job.recipe.rows
    of_rows = labels[["task"]].assign(
        place=labels[["model", "task", "benchmark"]].agg("\0".join, axis=1),
        row=labels.index,
        cell=[row.likeness for row in rows],
        questions=[row.questions for row in rows],
    )
    questions = schemas.read_all(job.by_address("questions"), schemas.Questions).rename(columns={"cell": "questions"})
    values = of_rows.merge(schemas.read_all(job.by_address("likeness"), schemas.Likeness), on="cell")
    asked = questions[["questions", "question_id", "category", "split"]]
    values = values.merge(asked, on=["questions", "question_id"], validate="many_to_one")
    in_domain = [category in job.recipe.in_domain[task] for category, task in zip(values["category"], values["task"], strict=True)]
    return values.assign(group=np.where(in_domain, "in_domain", "off_domain"))


def measured(values: pd.DataFrame, metric: str, level: float) -> pd.DataFrame:
    """The numbers of `schemas.Measured` for every `row`.

    Args:
        values: `row`, `question_id` and the measures of `schemas.Likeness`; every row has the same questions.
        metric: `position`, a ratio of sums over questions, or the mean of a measure.
        level: Of the intervals.
    """
    top, bottom = (
        values.pivot_table(index="row", columns="question_id", values=name, sort=False)
        for name in (("along", "axis") if metric == POSITION else (metric, metric))
    )
    sides = top.to_numpy(), bottom.to_numpy() if metric == POSITION else np.ones(bottom.shape)
    low, high = estimates.unbounded_interval(*sides, level)
    without = estimates.without_one(*sides)
    value = estimates.divided(*(side.sum(axis=1) for side in sides))
    n = np.where(np.isnan(value), 0, top.shape[1])  # a finetuned model that is base has no direction
    none: dict[str, float] = dict.fromkeys(("n_excluded", "n_refusal", "n_unparsed", "n_error", "n_unlabelled"), 0)
    none |= dict.fromkeys(("design_effect", "bound_low", "bound_high", "carried_by_two"), np.nan)
    return pd.DataFrame(
        {
            "row": top.index,
            "value": value,
            "low": low,
            "high": high,
            "n": n,
            "n_questions": n,
            "without_one_low": without[0],
            "without_one_high": without[1],
            **none,
            "interval": np.where(np.isnan(low), "none", "student"),
        }
    )
