"""Breadth: on-topic EM off-domain against EM in-domain, on test questions, traced by dose, by finetuning step and by scale.

On the diagonal, harm is as frequent off-domain as in the target domain. Where a planted persona splits the off-domain
categories of some model, a second row shows those that share it and those that do not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emsteer import schemas
from emsteer.figures import points, style, traces, words
from emsteer.figures.draw import drawn
from emsteer.figures.panels import say_nothing
from emsteer.packs import Job
from emsteer.recipes import BasePoint

IN, OFF = words.End("in_domain", "in-domain", 100, " %"), words.End("off_domain", "off-domain", 100, " %")
X, Y = IN.suffix, OFF.suffix
LINES: dict[str, dict[str, Any]] = {"off_domain": {}, "linked": {}, "unlinked": {"linestyle": ":", **traces.HOLLOW}}
DIAGONAL: dict[str, Any] = {"color": style.NEUTRAL, "linestyle": "-.", "linewidth": 0.8}
LABELS = {"off_domain": "on-topic EM, off-domain [%]", "linked": "on-topic EM, off-domain [%],\nby planted persona"}


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.traces(IN, OFF))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` → the figure and what it shows, a point a row. One column of panels per model."""
    rows = points.tested(rates, base_point)
    titles = list(dict.fromkeys(rows["panel"])) or [f"model: {base_point.model}"]
    shown, parts = split(traces.traced(paired(rows), base_point, (X, Y)))
    grid = [(block, groups) for block in points.blocks(rows) for groups in parts]
    width = max(style.WIDTH_INCHES, 2.4 * len(titles))
    height = min(width / len(titles), 4.5) * len(grid) + 1.1
    figure = Figure(figsize=(width, height), layout="compressed")
    axes: Any = figure.subplots(len(grid), len(titles), squeeze=False, sharex=True, sharey=True)
    looks = style.looks(rates, base_point)
    for of_row, (block, groups) in zip(axes, grid, strict=True):
        for axis, title in zip(of_row, titles, strict=True):
            here = points.same(shown, panel=title, benchmark=block[0], judge=block[1]) & shown["group"].isin(groups)
            panel(axis, shown[here], looks)
            axis.set_title(points.caption(title, block, len(grid) // len(parts)) if groups is parts[0] else "")
        of_row[0].set_ylabel(LABELS[groups[0]])
    largest = (
        np.nanmax(shown[[f"{name}_{end}" for name in traces.BOUNDS[:3] for end in (X, Y)]].to_numpy(float), initial=0.05) * 100
    )
    axes[0, 0].set(xlim=(-0.04 * largest, 1.04 * largest), ylim=(-0.04 * largest, 1.04 * largest))
    for axis in axes[-1]:
        axis.set_xlabel("EM, in-domain [%]")
    figure.legend(handles=list(legend(shown, looks)), loc="outside lower center", ncols=3, title=traces.GROWING)
    return figure, shown


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per setting and group of off-domain questions, with its EM in-domain and its on-topic EM in that group."""
    key = ["setting", *points.PLACE]
    inside = rows[points.same(rows, group="in_domain", metric="em")][[*key, *traces.BOUNDS]]
    outside = rows[rows["group"].isin(LINES) & rows["metric"].eq("on_topic_em")]
    return outside.merge(inside, on=key, suffixes=(f"_{Y}", f"_{X}"), validate="many_to_one")


def split(shown: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    """What rows of panels show: all off-domain questions; where a persona splits them for some model, its parts too."""
    by_persona = shown["group"].isin(["linked", "unlinked"])
    if not shown[by_persona].groupby("panel")["group"].nunique().gt(1).any():
        return shown[~by_persona], [("off_domain",)]
    kept = ~by_persona | (shown["trace"].ne(traces.BY_STEP) & shown["shown_as"].ne(points.SEED))
    return shown[kept], [("off_domain",), ("linked", "unlinked")]


def panel(axis: Axes, rows: pd.DataFrame, looks: Mapping[str, style.Look]) -> None:
    """The traces of one model."""
    axis.axline((0, 0), slope=1, **DIAGONAL, zorder=1)
    axis.set_aspect("equal")
    for (name, trace, group, kind), of in rows.groupby(["line", "trace", "group", "shown_as"], sort=False):
        for _, points_of in of.groupby("seed", dropna=False):
            look = style.BASE if kind == points.BASE else looks[str(name)]
            x, y = (traces.interval(points_of, end, 100) for end in (X, Y))
            traces.curve(axis, x, y, str(kind), look | (traces.STEPS if trace == traces.BY_STEP else LINES[str(group)]))
    if rows["shown_as"].isin([points.MEAN, points.ALONE]).sum() == 0:
        say_nothing(axis)


def legend(shown: pd.DataFrame, looks: Mapping[str, style.Look]) -> Iterator[Line2D]:
    """Base, every trace, what is hollow, and what is thin."""
    yield from traces.legend(shown, looks)
    if shown["group"].eq("unlinked").any():
        grey: style.Look = {"color": style.NEUTRAL, "marker": "o"}
        yield Line2D([], [], **grey, label="categories that share the planted persona")
        yield Line2D([], [], **grey | LINES["unlinked"], label="categories that do not")
    yield from traces.seeds(shown)
    yield Line2D([], [], **DIAGONAL, label="as frequent off-domain as in-domain")
