"""Side effects by dose, beside EM: what a setting costs the model, and what is left of its push. Base and controls beside it."""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import dose_response, panels, points, style, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

MEASURES = (
    panels.ON_TOPIC_EM,
    panels.Measure("quiz", "quiz,\nright answers [%]", 100, (0, 100), height=0.8),
    panels.Measure("quiz_nll", "loss on right answers\n[nats/token]", 1, (None, None), height=0.8),
    panels.Measure("shift_at_last", "of the push, left\nbehind the last block", 1, (None, None), height=0.8),
)
BLIND = "would not tell a setting\nthat is known to be broken"


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.SideEffects, words.along("dose_as_built"))


def draw(effects: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.SideEffects` → the figure and what it shows. One column of panels per model."""
    rows = points.tested(effects, base_point)
    rows = rows[rows["metric"].isin([measure.metric for measure in MEASURES])]
    treated = pd.concat([dose_response.steered(rows, base_point), dose_response.finetuned(rows, base_point)])
    shown = pd.concat([points.untreated(rows), points.seeded(treated, "dose")], ignore_index=True)
    titles = list(dict.fromkeys(rows["panel"])) or [f"model: {base_point.model}"]
    figure = panels.paint(shown, titles, MEASURES, dose_response.ALONG, style.looks(effects, base_point))
    blind = effects[effects["is_shown"].eq(False).fillna(False)]
    doubted = set(zip("model: " + blind["model"], blind["metric"], strict=True))
    places = ((title, measure.metric) for _ in points.blocks(shown) for measure in MEASURES for title in titles)
    for axis, place in zip(figure.axes, places, strict=True):
        if place in doubted:
            axis.text(0.5, 0.08, BLIND, transform=axis.transAxes, ha="center", fontsize=6, color=style.BASE["color"])
    return figure, shown
