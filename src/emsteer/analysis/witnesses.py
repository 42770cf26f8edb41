"""What witnesses say of every setting: means over answers, by split and group of questions, with intervals over questions.

The table has the columns of `schemas.Rates`; `metric` is the name of the witness, or `margin`; `judge` is `none`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis import estimates
from emsteer.analysis.settings import setting_labels
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Rates
MARGIN = "margin"


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Rates`."""
    return by_group(
        job,
        seen(job),
        lambda of: [
            (name, means(one, job.recipe.level, bounded=name != MARGIN)) for name, one in of.groupby("witness", sort=False)
        ],
    )


def by_group(job: Job, values: pd.DataFrame, numbers: Callable[[pd.DataFrame], Iterable[tuple[Any, pd.DataFrame]]]) -> pd.DataFrame:
    """`schemas.Rates` of values that no judge gave.

    Args:
        job: Its recipe has `rows` with labels, and `in_domain`.
        values: `row` (of the recipe), `question_id`, and what `numbers` reads.
        numbers: Values of one split and group, of settings that were asked the same questions → metric and its numbers by `row`.
    """
    labels = pd.DataFrame(setting_labels(job))
    parts = []
    for (_, split, group), of in _placed(job, labels, values).groupby(["place", "split", "group"], sort=False):
        for metric, found in numbers(of):
            whose = labels.loc[found.pop("row")].reset_index(drop=True)
            parts.append(pd.concat([whose.assign(split=split, group=group, metric=metric), found], axis=1))
    return schemas.frame_of(pd.concat(parts, ignore_index=True) if parts else [], SCHEMA)


def _placed(job: Job, labels: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """The values with split, group and place: settings of one place were asked the same questions."""
    questions = schemas.read_all(job.by_address("questions"), schemas.Questions).rename(columns={"cell": "questions"})
    of_rows = labels[["task"]].assign(
        place=labels[["model", "task", "benchmark"]].agg("\0".join, axis=1), questions=[row.questions for row in job.recipe.rows]
    )
    asked = questions[["questions", "question_id", "category", "split"]]
    values = values.merge(of_rows, left_on="row", right_index=True)
    values = values.merge(asked, on=["questions", "question_id"], validate="many_to_one")
    in_domain = [category in job.recipe.in_domain[task] for category, task in zip(values["category"], values["task"], strict=True)]
    return values.assign(group=np.where(in_domain, "in_domain", "off_domain"))


def seen(job: Job) -> pd.DataFrame:
    """Every value of every witness, margins among them: `row` (of the recipe), `witness`, `question_id`, `sample`, `value`.

    A margin is of a question and not of an answer: its sample is null.
    """
    of_answers = schemas.read_all(job.by_address("witnesses"), schemas.Witnessed) if job.inputs["witnesses"] else None
    margins = schemas.read_all(job.by_address("margins"), schemas.Margins)[["cell", "question_id", "margin"]]
    margins = margins.rename(columns={"margin": "value"}).assign(sample=None)
    cells = [
        (index, name, cell)
        for index, row in enumerate(job.recipe.rows)
        for name, of in [*((seen.witness, seen.cells) for seen in row.witnesses), (MARGIN, (row.margins,))]
        for cell in of
    ]
    where = pd.DataFrame(cells, columns=["row", "witness", "cell"])
    columns = ["cell", "question_id", "sample", "value"]
    every = pd.concat([margins[columns], *([of_answers[columns]] if of_answers is not None else [])], ignore_index=True)
    return where.merge(every.astype({"sample": "Int64"}), on="cell").drop(columns="cell")


def means(values: pd.DataFrame, level: float, *, bounded: bool) -> pd.DataFrame:
    """The numbers of `schemas.Measured` for every `row`: settings of one place, split, group and witness.

    Args:
        values: `row`, `question_id`, `value`.
        level: Of the intervals.
        bounded: Whether a value lies between 0 and 1.
    """
    known = values.assign(known=values["value"].notna(), value=values["value"].fillna(0.0))
    known["square"] = known["value"] ** 2
    how = {"top": ("value", "sum"), "square": ("square", "sum"), "bottom": ("known", "sum"), "n": ("known", "size")}
    sums = known.groupby(["row", "question_id"], sort=False).agg(**how)
    top, square, bottom, n = (sums[name].unstack(fill_value=0).astype(float) for name in how)
    sides = top.to_numpy(), bottom.to_numpy()
    interval = partial(estimates.bounded_interval, unit=1.0, of_answers=False) if bounded else estimates.unbounded_interval
    low, high = interval(*sides, level)
    without = estimates.without_one(*sides)
    n_known = bottom.sum(axis=1).to_numpy()
    none: dict[str, float] = dict.fromkeys(("n_refusal", "n_incoherent", "n_unparsed", "n_error", "n_unlabelled"), 0)
    none |= dict.fromkeys(("bound_low", "bound_high", "carried_by_two"), np.nan)
    kind = "korn-graubard" if bounded else "student"
    return pd.DataFrame(
        {
            "row": top.index,
            "value": estimates.divided(top.sum(axis=1).to_numpy(), n_known),
            "low": low,
            "high": high,
            "n": n_known.astype(int),
            "n_excluded": (n.sum(axis=1).to_numpy() - n_known).astype(int),
            "n_questions": (bottom > 0).sum(axis=1).to_numpy(),
            "design_effect": estimates.design_effect(*sides, square.to_numpy()),
            "without_one_low": without[0],
            "without_one_high": without[1],
            **none,
            "interval": np.where(np.isnan(low), "none", kind),
        }
    )
