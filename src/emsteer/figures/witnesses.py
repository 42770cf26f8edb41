"""Witnesses on off-domain test questions: steered and control vectors by dose, adapters by step; random directions and base beside.

Two columns of panels per model. The step of an adapter is that of its snapshot, at scale 1.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import dose_response, panels, points, style, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

BY_DOSE = panels.Axis("dose_as_built", "dose [vectors as built]", "powers of two")
BY_STEP = panels.Axis("steps", "finetuning [optimizer steps]", "every value")
ALONG = (BY_DOSE, BY_STEP)
SHOWN_BY = {BY_DOSE.column: "steered", BY_STEP.column: "finetuned"}


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.along("dose_as_built"))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` of witnesses → the figure and what it shows."""
    measures = [panels.MARGIN, *(_measure(str(name)) for name in rates["metric"].unique() if name != panels.MARGIN.metric)]
    rows = panels.of_measures(points.tested(rates, base_point), measures)
    parts = {
        BY_DOSE.column: pd.concat(
            [dose_response.randoms(rows, base_point), points.seeded(dose_response.steered(rows, base_point), "dose")]
        ),
        BY_STEP.column: points.seeded(finetuned(rows), "steps"),
    }
    base = points.untreated(rows)
    shown = pd.concat([pd.concat([base, of]).assign(along=column) for column, of in parts.items()], ignore_index=True)
    titles = list(dict.fromkeys(rows["panel"])) or [f"model: {base_point.model}"]
    return _paint(shown, titles, measures, style.looks(rates, base_point)), shown.drop(columns="along")


def _measure(name: str) -> panels.Measure:
    return panels.Measure(name, f"{name},\noff-domain [share]", 1, (None, None), height=0.8)


def finetuned(rows: pd.DataFrame) -> pd.DataFrame:
    """Adapters as trained, at all their steps."""
    found = rows[rows["adapter"].notna() & rows["dose"].eq(1).fillna(False)]
    return found.assign(line=[style.treatment(arm, name) for arm, name in zip(found["arm"], found["adapter"], strict=True)])


def _paint(shown: pd.DataFrame, titles: Sequence[str], measures: Sequence[panels.Measure], looks: dict[str, style.Look]) -> Figure:
    blocks = points.blocks(shown)
    rows = [(block, measure) for block in blocks for measure in measures]
    columns = [(title, along) for title in titles for along in ALONG]
    height = panels.ROW_INCHES * sum(measure.height for _, measure in rows) + 1.0
    figure = Figure(figsize=(max(style.WIDTH_INCHES, 3.0 * len(columns)), height), layout="constrained")
    heights = {"height_ratios": [measure.height for _, measure in rows]}
    axes: Any = figure.subplots(len(rows), len(columns), squeeze=False, sharex="col", sharey="row", gridspec_kw=heights)
    for of_row, (block, measure) in zip(axes, rows, strict=True):
        for axis, (title, along) in zip(of_row, columns, strict=True):
            place = {"panel": title, "benchmark": block[0], "judge": block[1], "metric": measure.metric, "along": along.column}
            panels.panel(axis, shown[points.same(shown, **place)], measure, along.column, looks)
            if measure is measures[0]:
                axis.set_title(points.caption(f"{title}, {SHOWN_BY[along.column]}", block, len(blocks)))
        of_row[0].set_ylabel(measure.label)
    for axis, (title, along) in zip(axes[-1], columns, strict=True):
        of = shown[points.same(shown, panel=title, along=along.column)]
        panels.scale(axis, along, of[along.column].dropna().astype(float))
        axis.set_xlabel(along.label)
    panels.legend(figure, looks)
    return figure
