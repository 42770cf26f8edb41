"""Differences in on-topic EM, each with its interval, along an axis: a row of panels per comparison, a column per model."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emsteer.figures import points, style
from emsteer.figures.panels import legend, say_nothing
from emsteer.figures.words import NOTHING, block
from emsteer.recipes import number

COLUMN_INCHES, ROW_INCHES = 2.4, 2.1
SPREAD = 0.012  # of the axis, between the lines of a place, so that their intervals stand side by side
PLACE = ["model", "task", *points.BLOCK, "treatment", "reference", "metric"]
NUMBERS = ["value", "reference_value", "difference", "low", "high"]


def paint(
    shown: pd.DataFrame, models: Sequence[str], rows: Mapping[str, str], x_label: str, looks: Mapping[str, style.Look]
) -> Figure:
    """The figure.

    Args:
        shown: Columns `model`, `benchmark`, `judge`, `row`, `line`, `x`, `difference`, `low`, `high` (shares).
        models: Columns of panels.
        rows: Value of `row` → what stands beside its panels.
        x_label: Of the horizontal axis.
        looks: Line → colour and marker.
    """
    grid = [(asked, row) for asked in points.blocks(shown) for row in rows]
    width = max(style.WIDTH_INCHES, COLUMN_INCHES * len(models))
    figure = Figure(figsize=(width, ROW_INCHES * len(grid) + 0.9), layout="constrained")
    axes: Any = figure.subplots(len(grid), len(models), squeeze=False, sharex=True, sharey="row")
    for of_row, (asked, row) in zip(axes, grid, strict=True):
        for axis, model in zip(of_row, models, strict=True):
            panel(axis, shown[points.same(shown, model=model, benchmark=asked[0], judge=asked[1], row=row)], shown["x"], looks)
            if row == next(iter(rows)):
                axis.set_title(points.caption(f"model: {model}", asked, len(points.blocks(shown))))
        of_row[0].set_ylabel(f"{rows[row]}\n[percentage points]")
    for axis in axes[-1]:
        axis.set_xlabel(x_label)
    legend(figure, looks)
    return figure


def panel(axis: Axes, rows: pd.DataFrame, all_x: pd.Series, looks: Mapping[str, style.Look]) -> None:
    """The lines of one model."""
    axis.axhline(0, color=style.BASE["color"], linestyle="--", linewidth=1, zorder=1.5)
    span = float(all_x.max() - all_x.min()) if len(all_x) else 0.0
    for place, (name, look) in enumerate(looks.items()):
        of = rows[rows["line"].eq(name)].sort_values("x")
        if len(of):
            x = of["x"] + (place - (len(looks) - 1) / 2) * SPREAD * span
            errors = [of["difference"] - of["low"], of["high"] - of["difference"]]
            axis.errorbar(
                x, 100 * of["difference"], yerr=[100 * error for error in errors], label=name, elinewidth=0.8, zorder=3, **look
            )
    if rows.empty:
        say_nothing(axis)


def words(shown: pd.DataFrame) -> str:
    """Of every line, its difference at its ends."""
    said = []
    for (model, benchmark, judge, row, line), of in shown.groupby(["model", *points.BLOCK, "row", "line"], sort=False):
        ordered = of.sort_values("x")
        ends = ordered.iloc[[0, -1]] if len(of) > 1 else ordered
        parts = [
            f"{_points(end.difference)} [{_points(end.low)}, {_points(end.high)}] at {number(end.x)}" for end in ends.itertuples()
        ]
        said.append(f"model: {model}{block(shown, benchmark, judge)}, {row}, {line}: {' to '.join(parts)}.")
    return "\n".join(said) or NOTHING


def _points(share: object) -> str:
    value = float(pd.to_numeric(share))
    return "–" if pd.isna(value) else f"{100 * value:+z.0f}"
