"""Falloff: on-topic EM by how near a category is to the target task: base, and the treatments of the base point as chosen.

Filled: off-domain categories, with the line through them; hollow: in-domain ones, which no line goes through and which show EM.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emsteer import schemas
from emsteer.analysis.falloff import STEP
from emsteer.figures import lines, points, style
from emsteer.figures.categories import treatments
from emsteer.figures.draw import drawn
from emsteer.figures.panels import say_nothing
from emsteer.figures.words import NOTHING
from emsteer.packs import Job
from emsteer.recipes import BasePoint

PANEL_INCHES = 2.4
HOLLOW: dict[str, Any] = {"facecolor": "white", "linewidth": 1.1}


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Falloff, words)


def draw(table: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Falloff` → the figure and what it shows. A column of panels per model, a row per embedder, benchmark and judge."""
    shown = selected(table, base_point)
    models = list(dict.fromkeys(shown["model"])) or [base_point.model]
    rows = list(dict.fromkeys(zip(shown["embedder"], shown["benchmark"], shown["judge"], strict=True))) or [("", "", "")]
    looks = {"base": style.BASE} | style.looks_of(treatments(base_point))
    size = max(style.WIDTH_INCHES, PANEL_INCHES * len(models)), PANEL_INCHES * len(rows) + 0.8
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(len(rows), len(models), squeeze=False, sharex="row", sharey=True)
    for of_row, (embedder, benchmark, judge) in zip(axes, rows, strict=True):
        for axis, model in zip(of_row, models, strict=True):
            panel(axis, shown[points.same(shown, model=model, embedder=embedder, benchmark=benchmark, judge=judge)], looks)
            title = f"model: {model}" if len(rows) == 1 else f"model: {model}\n{embedder}, {benchmark}, {judge}"
            axis.set_title(title)
            axis.set_xlabel("cosine to the nearest training prompt")
        of_row[0].set_ylabel("on-topic EM [%]\n(hollow: EM, in-domain)")
    axes[0, 0].set_ylim(-3, max(5.0, 100 * float(shown["value"].max()) + 5) if len(shown) else 5.0)
    named = [name for name in looks if shown["line"].eq(name).any()]
    figure.legend(handles=[Line2D([], [], **looks[name], label=name) for name in named], loc="outside lower center", ncols=3)
    return figure, shown


def selected(table: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """The categories at base and at the chosen settings of the base point's task."""
    return lines.of_base_point(table[table["task"].eq(base_point.task)], base_point).reset_index(drop=True)


def panel(axis: Axes, rows: pd.DataFrame, looks: Mapping[str, style.Look]) -> None:
    """One model: a marker for each category and arm, a line for each arm."""
    for name, of in rows.groupby("line", sort=False):
        look = looks[str(name)]
        for inside, group in of.groupby("in_domain"):
            fill = HOLLOW if inside else {"facecolor": look["color"], "linewidth": 0}
            edge = {"edgecolor": look["color"], "marker": look["marker"], "s": 22, "zorder": 3}
            axis.scatter(group["nearest"], group["value"] * 100, **edge, **fill)
        outside = of[~of["in_domain"]]
        if len(outside) and pd.notna(outside["slope"].iloc[0]):
            x = np.array([outside["nearest"].min(), outside["nearest"].max()])
            first = outside.iloc[0]
            axis.plot(x, 100 * (first["at_zero"] + first["slope"] / STEP * x), color=look["color"], linewidth=1, zorder=2)
    if rows["line"].eq("base").all():
        say_nothing(axis)


def words(shown: pd.DataFrame) -> str:
    """Every slope, with its interval."""
    said = []
    for (embedder, model, benchmark, judge), of in shown.groupby(["embedder", "model", *points.BLOCK], sort=False):
        parts = [f"{name} {_slope(rows.iloc[0])}" for name, rows in of.groupby("line", sort=False)]
        place = f"model: {model} ({embedder}, {benchmark}, judged by {judge})"
        said.append(f"{place}, change of on-topic EM per {STEP:g} of cosine: {'; '.join(parts)}.")
    return "\n".join(said) or NOTHING


def _slope(row: pd.Series) -> str:
    if pd.isna(row["slope"]):
        return f"not fitted, {row['n_categories']} categories"
    return f"{lines.in_words(row, 1)} over {row['n_categories']} categories"
