"""Recovery: on-topic EM off-domain by the planted breadth of the organism: base, and the treatments of the base point as chosen.

Filled: organisms that differ from that of the base point in nothing but what was planted and the seed of pretraining, with the
line through them; hollow: others, which no line goes through.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emsteer import schemas
from emsteer.figures import lines, points, style
from emsteer.figures.categories import treatments
from emsteer.figures.draw import drawn
from emsteer.figures.panels import say_nothing
from emsteer.figures.words import NOTHING
from emsteer.packs import Job
from emsteer.recipes import BasePoint

PANEL_INCHES = 2.9
COLUMNS = 3  # of panels, at most
APART = 0.9  # markers of treatments stand beside one another [percentage points of breadth]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Recovery, words)


def draw(table: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Recovery` → the figure and what it shows. A panel for each target task, benchmark and judge."""
    shown = selected(table, base_point)
    places = list(dict.fromkeys(zip(*(shown[name] for name in ("task", *points.BLOCK)), strict=True))) or [
        (base_point.task, "", "")
    ]
    n_columns = min(COLUMNS, len(places))
    n_rows = -(-len(places) // n_columns)
    size = max(style.WIDTH_INCHES / 2 + 1, PANEL_INCHES * n_columns), PANEL_INCHES * n_rows + 0.9
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    looks = {"base": style.BASE} | style.looks_of(treatments(base_point))
    several = len({place[1:] for place in places}) > 1
    for axis, (task, benchmark, judge) in zip(axes.flat, places, strict=False):
        panel(axis, shown[points.same(shown, task=task, benchmark=benchmark, judge=judge)], looks)
        axis.set_title(f"target task: {task}" + (f"\n{benchmark}, {judge}" if several else ""))
    for axis in axes.flat[len(places) :]:
        axis.set_axis_off()
    for axis in axes.flat[: len(places)]:
        axis.set_xlabel("planted breadth [%]")
    for of_row in axes:
        of_row[0].set_ylabel("on-topic EM, off-domain [%]")
    axes[0, 0].set(xlim=(-5, 105), ylim=(-3, 103))
    figure.legend(handles=list(legend(shown, looks)), loc="outside lower center", ncols=2)
    return figure, shown


def selected(table: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """Base and the chosen settings of the base point's vector and adapter; `line` names them; `in_line`: of the family."""
    rows = lines.of_base_point(table, base_point)
    own = set(table.loc[table["model"].eq(base_point.model), "family"])
    rows = rows.assign(in_line=rows["family"].isin(own))
    order = {task: place for place, task in enumerate([base_point.task, *sorted(set(rows["task"]) - {base_point.task})])}
    treated = rows.groupby(["task", *points.BLOCK])["arm"].transform(lambda arms: arms.ne("base").any()).astype(bool)
    return rows[treated].sort_values("task", key=lambda of: of.map(order), kind="stable").reset_index(drop=True)


def panel(axis: Axes, rows: pd.DataFrame, looks: Mapping[str, style.Look]) -> None:
    """One target task: a marker with its interval for each organism and treatment, a line for each treatment."""
    for place, (name, look) in enumerate(looks.items()):
        of = rows[rows["line"].eq(name)]
        x = of["planted_breadth"].to_numpy(dtype=float) * 100 + APART * (place - (len(looks) - 1) / 2)
        value, low, high = (of[end].to_numpy(dtype=float) * 100 for end in ("value", "low", "high"))
        axis.errorbar(
            x, value, yerr=[value - low, high - value], fmt="none", ecolor=look["color"], elinewidth=0.6, alpha=0.6, zorder=2
        )
        for inside in (True, False):
            here = of["in_line"].to_numpy(dtype=bool) == inside
            fill = look["color"] if inside else "white"
            axis.scatter(x[here], value[here], marker=look["marker"], s=22, facecolor=fill, edgecolor=look["color"], zorder=3)
        fitted = of[of["in_line"] & of["slope"].notna()]
        if len(fitted):
            first, ends = fitted.iloc[0], np.array([fitted["planted_breadth"].min(), fitted["planted_breadth"].max()])
            height = 100 * (first["at_zero"] + first["slope"] * ends)
            axis.plot(100 * ends, height, color=look["color"], linewidth=1, zorder=2.5)
    if rows["line"].eq("base").all():
        say_nothing(axis)


def legend(shown: pd.DataFrame, looks: Mapping[str, style.Look]) -> Iterator[Line2D]:
    """Every treatment, and what is hollow."""
    for name in looks:
        if shown["line"].eq(name).any():
            yield Line2D([], [], **{"linestyle": "", **looks[name]}, label=name)
    if not shown["in_line"].all():
        hollow: dict[str, Any] = {"color": style.NEUTRAL, "marker": "o", "markerfacecolor": "white", "linestyle": ""}
        yield Line2D([], [], **hollow, label="another architecture or size")


def words(shown: pd.DataFrame) -> str:
    """Every slope, with its interval."""
    said = []
    for (task, benchmark, judge), of in shown[shown["in_line"]].groupby(["task", *points.BLOCK], sort=False):
        parts = [f"{name} {_slope(rows.iloc[0])}" for name, rows in of.groupby("line", sort=False)]
        place = f"target task: {task} ({benchmark}, judged by {judge})"
        said.append(f"{place}, on-topic EM off-domain per whole planted breadth: {'; '.join(parts)}.")
    return "\n".join(said) or NOTHING


def _slope(row: pd.Series) -> str:
    if pd.isna(row["slope"]):
        return f"not fitted, {row['n_organisms']} organisms of {row['n_breadths']} breadths"
    tau = f", rank correlation {row['rank_correlation']:.2f}" if pd.notna(row["rank_correlation"]) else ""
    return f"{lines.in_words(row, 0)} over {row['n_organisms']} organisms{tau}"
