"""On-topic EM and coherence by epochs of a vector's training: as built, where vectors grow, and at equal norm."""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import panels, points, sweeps, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

ALONG = panels.Axis("epochs", "epochs of training", "every value")


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.along("epochs"))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` → the figure and what it shows: the doses that several snapshots were given."""
    rows = sweeps.tested(rates, base_point)
    snapshots = rows[points.at_base(rows, base_point, but=["epochs", "dose_unit"]) & rows["epochs"].notna()]
    lines = sweeps.by_dose(snapshots, "epochs", at_least=2)
    return sweeps.painted(rates, base_point, lines, sweeps.titles(base_point), ALONG)
