"""Matched: how much more often steering is harmful off-domain than finetuning, where both are at one level of something else.

First row: equally often harmful in-domain; second: equally often coherent off-domain. The finetuned side follows the scale of
its adapter or its training steps; `reached` in the numbers says in how many resamples both sides are at the level at all.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import differences, points, style
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint

ROWS = {"in_domain_em": "at equal EM in-domain", "coverage": "at equal coverage"}
LABELS = {row: f"steered − finetuned,\n{row}" for row in ROWS.values()}
LINES = {"scale": "adapters by scale", "steps": "adapters by step"}


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Matched, differences.words)


def draw(matched: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Matched` → the figure and what it shows. One column of panels per model."""
    here = points.same(
        matched, task=base_point.task, treatment=base_point.vector, reference=base_point.adapter, metric="on_topic_em"
    )
    rows = matched[here]
    shown = rows.assign(row=rows["matched"].map(ROWS), line=rows["path"].map(LINES), x=100 * rows["at"]).reset_index(drop=True)
    models = list(dict.fromkeys(shown["model"])) or [base_point.model]
    figure = differences.paint(shown, models, LABELS, "level that both sides are at [%]", style.looks_of(LINES.values()))
    return figure, shown[[*differences.PLACE, "row", "line", "x", *differences.NUMBERS, "reached"]]
