"""Dose-response: on-topic EM, coherence and margin on off-domain test questions, by dose; random directions and base beside them.

The dose is in multiples of the vector or adapter as built: 1 is what the construction made.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import panels, points, style, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

ALONG = panels.Axis("dose_as_built", "dose [vectors or adapters as built]", "powers of two")
MEASURES = (panels.ON_TOPIC_EM, panels.COHERENCE, panels.MARGIN)


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.along("dose_as_built"))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` → the figure and what it shows. One column of panels per model."""
    rows = panels.of_measures(points.tested(rates, base_point), MEASURES)
    treated = pd.concat([steered(rows, base_point), finetuned(rows, base_point)])
    shown = pd.concat([points.untreated(rows), randoms(rows, base_point), points.seeded(treated, "dose")], ignore_index=True)
    measures = [measure for measure in MEASURES if measure is not panels.MARGIN or shown["metric"].eq("margin").any()]
    titles = list(dict.fromkeys(rows["panel"])) or [f"model: {base_point.model}"]
    return panels.paint(shown, titles, measures, ALONG, style.looks(rates, base_point)), shown


def steered(rows: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """The vector of the base point, and every other one that was given at several doses."""
    found = rows[_at_base(rows, base_point) & rows["arm"].isin(["steered", "control"]) & rows["dose_as_built"].notna()]
    several = found.groupby("vector")["dose"].transform("nunique").gt(1)
    found = found[several | found["vector"].eq(base_point.vector)]
    return found.assign(line=[style.treatment(arm, name) for arm, name in zip(found["arm"], found["vector"], strict=True)])


def finetuned(rows: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """Adapters at the steps of the base point."""
    found = rows[points.same(rows, steps=base_point.steps) & rows["adapter"].notna() & rows["dose_as_built"].notna()]
    return found.assign(line=[style.treatment(arm, name) for arm, name in zip(found["arm"], found["adapter"], strict=True)])


def randoms(rows: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """Every random direction."""
    found = rows[_at_base(rows, base_point) & rows["arm"].eq("random") & rows["dose_as_built"].notna()]
    return points.numbered(found).assign(shown_as=points.RANDOM, line="random")


def _at_base(rows: pd.DataFrame, base_point: BasePoint) -> pd.Series:
    """Which rows are at the base point but for vector and dose; other constructions may have no epochs."""
    epochs = rows["epochs"].isna() | points.same(rows, epochs=base_point.epochs)
    return points.at_base(rows, base_point, but=["arm", "model", "vector", "epochs"]) & epochs
