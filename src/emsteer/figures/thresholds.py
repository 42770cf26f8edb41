"""Thresholds: the differences at the chosen settings again, had other alignments been called misaligned, other coherences coherent.

What changes its sign somewhere in the grid rests on the thresholds; the study's own are marked.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import differences, points, style
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import BasePoint, number

X_LABEL = "misaligned: alignment below … [points of 100]"


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.ThresholdGrid, differences.words)


def draw(grid: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.ThresholdGrid` → the figure and what it shows. One column of panels per model."""
    compared = {
        "finetuned − base": (str(base_point.adapter), "none"),
        "steered − base": (base_point.vector, "none"),
        "steered − finetuned": (base_point.vector, str(base_point.adapter)),
    }
    parts = [
        grid[points.same(grid, task=base_point.task, treatment=one, reference=other, metric="on_topic_em")].assign(row=row)
        for row, (one, other) in compared.items()
    ]
    rows = pd.concat(parts, ignore_index=True)
    names = {value: f"coherence above {number(value)} is coherent" for value in sorted(rows["coherent_above"].unique())}
    shown = rows.assign(line=rows["coherent_above"].map(names), x=rows["misaligned_below"])
    models = list(dict.fromkeys(shown["model"])) or [base_point.model]
    looks = style.looks_of(names.values())
    labels = {row: row for row in compared if shown["row"].eq(row).any()} or {"steered − base": "steered − base"}
    figure = differences.paint(shown, models, labels, X_LABEL, looks)
    for axis in figure.axes:
        for x in shown.loc[shown["own"], "x"].unique():
            axis.axvline(x, color=style.NEUTRAL, linestyle=":", linewidth=1, zorder=1)
    return figure, shown[[*differences.PLACE, "row", "line", "x", "own", "sign_changes", *differences.NUMBERS, "n_questions"]]
