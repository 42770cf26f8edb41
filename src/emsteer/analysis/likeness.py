"""How near every setting comes to the finetuned model of its model and task, by group of test questions.

The table has the columns of `schemas.Rates`; `metric` is `position`, `kl_to_finetuned` or `kl_to_base`
(`generation.likeness`); `judge` is `none`. A question is one answer: n counts questions.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from emsteer import schemas
from emsteer.analysis import estimates
from emsteer.analysis.tables import tabulated
from emsteer.analysis.witnesses import by_group
from emsteer.packs import Job

SCHEMA = schemas.Rates
POSITION = "position"
MEANS = ("kl_to_finetuned", "kl_to_base")


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Rates`."""
    rows = pd.DataFrame({"row": range(len(job.recipe.rows)), "cell": [row.likeness for row in job.recipe.rows]})
    values = rows.merge(schemas.read_all(job.by_address("likeness"), schemas.Likeness), on="cell")
    metrics = (POSITION, *MEANS)
    return by_group(job, values, lambda of: [(metric, measured(of, metric, job.recipe.level)) for metric in metrics])


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
    none: dict[str, float] = dict.fromkeys(("n_excluded", "n_refusal", "n_incoherent", "n_unparsed", "n_error", "n_unlabelled"), 0)
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
