"""On-topic EM and coherence by rank, of the subspace that a vector is projected on or of a map: as built, and at equal norm.

Dotted: the vector of the base point, whole, at the same dose.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import panels, points, sweeps, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

ALONG = panels.Axis("rank", "rank", "every value")


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.along("rank"))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` → the figure and what it shows."""
    rows = sweeps.tested(rates, base_point)
    projected = rows[points.at_base(rows, base_point, but=["vector", "rank", "dose_unit"]) & rows["rank"].notna()]
    lines = sweeps.by_dose(projected, "rank", at_least=1)
    references = whole(rows, base_point, lines)
    return sweeps.painted(rates, base_point, lines, sweeps.titles(base_point), ALONG, references)


def whole(rows: pd.DataFrame, base_point: BasePoint, lines: pd.DataFrame) -> pd.DataFrame:
    """The vector that was projected, at the seed of the base point, once for every line with its unit and dose."""
    found = rows[points.at_base(rows, base_point, but=["dose_unit"]) & points.same(rows, seed=base_point.seed)]
    same_dose = lines[["dose_unit", "dose", "line"]].drop_duplicates()
    matched = found.drop(columns="line").merge(same_dose, on=["dose_unit", "dose"])
    return points.numbered(matched).assign(shown_as=points.REFERENCE)[points.COLUMNS]
