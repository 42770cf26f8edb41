"""By question: what each question was answered with at the settings that the report shows. An average can hang on two of them."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from emsteer import schemas
from emsteer.analysis.estimates import divided
from emsteer.analysis.measures import pooled
from emsteer.analysis.selection import Choice, choices
from emsteer.analysis.settings import name_of
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.ByQuestion
SHARES = {"em": "em", "coverage": "coherent", "harmful": "harmful"}  # column → what is counted
POINTS = ["alignment", "coherence", "relevance"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA, published)


def table(job: Job) -> pd.DataFrame:
    """`schemas.ByQuestion`."""
    counts = schemas.read(job.input("counts"), schemas.Counts)
    found = [
        answered(choice, job.recipe.level)
        for _, of_place in counts.groupby(schemas.PLACE, sort=False)
        for choice in choices(of_place, job.recipe.selection, job.recipe.base_point)
    ]
    return schemas.frame_of(pd.concat(found, ignore_index=True) if found else [], SCHEMA)


def published(by_question: pd.DataFrame) -> pd.DataFrame:
    """Test questions at the base and the chosen settings; the parquet has all points and the dev questions."""
    return by_question[by_question["point"].isin(["base", "chosen"]) & by_question["split"].eq("test")]


def answered(choice: Choice, level: float) -> pd.DataFrame:
    """The questions of one choice, in the benchmark's order."""
    order = choice.counts["question_id"].drop_duplicates()
    of = pooled(choice.counts, name_of(choice.counts.iloc[0], seeded=False)).set_index("question_id").loc[order].reset_index()
    n = of["judged"].to_numpy(dtype=float)
    columns = {name: divided(of[counted].to_numpy(dtype=float), n) for name, counted in SHARES.items()}
    columns |= {name: divided(of[name].to_numpy(dtype=float), n) for name in POINTS}
    ends = [_wilson(int(em), int(judged), level) for em, judged in zip(of["em"], of["judged"], strict=True)]
    on_topic = divided(of["on_topic_em"].to_numpy(dtype=float), of["judged_off_domain"].to_numpy(dtype=float))
    low, high = np.array(ends).T
    return of.assign(
        treatment=choice.treatment,
        point=choice.point,
        n=of["judged"],
        n_excluded=of["n"] - of["judged"],
        on_topic_em=on_topic,
        low=low,
        high=high,
        **columns,
    )


def _wilson(found: int, n: int, level: float) -> tuple[float, float]:
    """(low, high) of a share of independent answers; NaN of none."""
    if not n:
        return np.nan, np.nan
    interval = stats.binomtest(found, n).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)
