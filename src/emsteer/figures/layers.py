"""On-topic EM and coherence by the layer that is steered; one line per dose that several layers were given."""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import panels, points, sweeps, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

ALONG = panels.Axis("layer", "steered layer [0-based]", "every value", log=False)


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.along("layer"))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` → the figure and what it shows."""
    rows = sweeps.tested(rates, base_point)
    lines = sweeps.by_dose(rows[points.at_base(rows, base_point, but=["layer"])], "layer", at_least=2)
    columns: dict[str, str] = {base_point.unit: sweeps.title(base_point, base_point.unit)}
    return sweeps.painted(rates, base_point, lines, columns, ALONG)
