"""Falloff: is harm less frequent in answers to questions that are further from the task? A line through the off-domain categories.

A point is a category of test questions at a setting of `schemas.ByQuestion`: the mean cosine of its questions to the nearest
training prompt, and the share of judged answers that are on-topic EM (EM, where the category is in-domain: such points are shown,
and no line goes through them). Questions of a category share what they are about, so that categories, not questions, are the
units: the line is by least squares, its interval by Student's t with two degrees of freedom fewer than there are categories.
Where all categories have the same share, as where none has any harm, nothing tells how far chance would move it: no interval.
A slope above zero says that harm is more frequent near the task. Leakage would look so, and so would a persona that is narrow.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from emsteer import schemas
from emsteer.analysis.lines import LINE, through
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job

SCHEMA = schemas.Falloff
STEP = 0.1  # of cosine, that slopes are per
SETTING = [*schemas.PLACE, "arm", "treatment", "point", "setting"]
FITTED = [*LINE, "n_categories"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA, published)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Falloff`."""
    said = schemas.read(job.input("questions"), schemas.ByQuestion)
    asked = schemas.read(job.input("distances"), schemas.Distances)
    return falloff(said[said["split"].eq("test")], asked, job.recipe.level)


def published(found: pd.DataFrame) -> pd.DataFrame:
    """The slopes: a row for each setting; the parquet has the categories."""
    return found[["embedder", *SETTING, *FITTED]].drop_duplicates(["embedder", *SETTING])


def falloff(said: pd.DataFrame, asked: pd.DataFrame, level: float) -> pd.DataFrame:
    """Categories at every setting, with the line through them.

    Args:
        said: `schemas.ByQuestion` of test questions.
        asked: `schemas.Distances`.
        level: Coverage that the interval of a slope aims at.
    """
    key = ["task", "benchmark", "question_id"]
    both = said.merge(asked[["embedder", *key, "nearest"]], on=key)
    rate = both["on_topic_em"].where(both["relation"].ne("in_domain"), both["em"])
    both = both.assign(hits=rate * both["n"], in_domain=both["relation"].eq("in_domain"))[both["n"].gt(0)]
    of = both.groupby(["embedder", *SETTING, "category", "in_domain"], sort=False, dropna=False)
    points = of.agg(n_questions=("question_id", "size"), n=("n", "sum"), nearest=("nearest", "mean"), hits=("hits", "sum"))
    points = points.reset_index()
    points = points.assign(value=points["hits"] / points["n"]).drop(columns="hits")
    lines = [
        group.assign(**line(group[~group["in_domain"]], level)) for _, group in points.groupby(["embedder", *SETTING], sort=False)
    ]
    return schemas.frame_of(pd.concat(lines, ignore_index=True) if lines else [], SCHEMA)


def line(points: pd.DataFrame, level: float) -> dict[str, float | int | None]:
    """Through categories: slope per `STEP` of cosine with its interval, and the height at a cosine of zero."""
    found = through(points["nearest"].to_numpy(dtype=float), points["value"].to_numpy(dtype=float), level)
    per_step = {name: value if value is None or name == "at_zero" else value * STEP for name, value in found.items()}
    return {**per_step, "n_categories": len(points)}
