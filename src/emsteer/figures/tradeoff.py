"""Tradeoff: on-topic EM against coherence, both off-domain, on test questions, traced by dose, by step and by scale.

To the right is coherent, upwards is harmful: what rises as it falls apart is decay as much as harm. Crosses: single random
directions of equal norm.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emsteer import schemas
from emsteer.figures import points, style, traces, words
from emsteer.figures.dose_response import randoms
from emsteer.figures.draw import drawn
from emsteer.figures.panels import say_nothing
from emsteer.packs import Job
from emsteer.recipes import BasePoint

COHERENCE, HARM = words.End("coherence", "coherence", 1, ""), words.End("em", "on-topic EM", 100, " %")
X, Y = COHERENCE.suffix, HARM.suffix
LEAST_TOP = 5.0  # [%]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Rates, words.traces(COHERENCE, HARM))


def draw(rates: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` → the figure and what it shows, a point a row. One column of panels per model."""
    rows = points.tested(rates, base_point)
    rows = rows[rows["group"].eq("off_domain")]
    titles = list(dict.fromkeys(rows["panel"])) or [f"model: {base_point.model}"]
    pairs = paired(rows)
    crosses = randoms(pairs, base_point).assign(trace="")
    shown = pd.concat([traces.traced(pairs, base_point, (X, Y)), crosses[traces.columns(X, Y)]], ignore_index=True)
    looks, blocks = style.looks(rates, base_point), points.blocks(rows)
    width = max(style.WIDTH_INCHES, 2.4 * len(titles))
    figure = Figure(figsize=(width, min(width / len(titles), 3.6) * len(blocks) + 1.1), layout="constrained")
    axes: Any = figure.subplots(len(blocks), len(titles), squeeze=False, sharex=True, sharey=True)
    for of_row, block in zip(axes, blocks, strict=True):
        for axis, title in zip(of_row, titles, strict=True):
            panel(axis, shown[points.same(shown, panel=title, benchmark=block[0], judge=block[1])], looks)
            axis.set_title(points.caption(title, block, len(blocks)))
        of_row[0].set_ylabel("on-topic EM, off-domain [%]")
    for axis in axes[-1]:
        axis.set_xlabel("coherence, off-domain [points of 100]")
    top = max(LEAST_TOP, 100 * float(shown[[f"value_{Y}", f"high_{Y}"]].max().max())) if len(shown) else LEAST_TOP
    axes[0, 0].set(xlim=(-3, 103), ylim=(-0.04 * top, 1.04 * top))
    figure.legend(handles=list(legend(shown, looks)), loc="outside lower center", ncols=3, title=traces.GROWING)
    return figure, shown


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, with its coherence and its on-topic EM."""
    key = ["setting", *points.PLACE]
    coherence = rows[rows["metric"].eq("coherence")][[*key, *traces.BOUNDS]]
    harm = rows[rows["metric"].eq("on_topic_em")]
    return harm.merge(coherence, on=key, suffixes=(f"_{Y}", f"_{X}"), validate="one_to_one")


def panel(axis: Axes, rows: pd.DataFrame, looks: Mapping[str, style.Look]) -> None:
    """The traces of one model."""
    random = rows[rows["shown_as"].eq(points.RANDOM)]
    axis.scatter(random[f"value_{X}"], 100 * random[f"value_{Y}"], **style.RANDOM, s=12, linewidths=0.7, zorder=1.8)
    drawn_rows = rows[rows["shown_as"].ne(points.RANDOM)]
    for (name, trace, kind), of in drawn_rows.groupby(["line", "trace", "shown_as"], sort=False):
        for _, points_of in of.groupby("seed", dropna=False):
            look = style.BASE if kind == points.BASE else looks[str(name)]
            x, y = (traces.interval(points_of, end.suffix, end.scale) for end in (COHERENCE, HARM))
            traces.curve(axis, x, y, str(kind), look | (traces.STEPS if trace == traces.BY_STEP else {}))
    if rows["shown_as"].isin([points.MEAN, points.ALONE]).sum() == 0:
        say_nothing(axis)


def legend(shown: pd.DataFrame, looks: Mapping[str, style.Look]) -> Iterator[Line2D]:
    """Base, every trace, random directions, and what is thin."""
    yield from traces.legend(shown, looks)
    if shown["shown_as"].eq(points.RANDOM).any():
        yield Line2D([], [], **style.RANDOM, linestyle="", label="random direction of equal norm")
    yield from traces.seeds(shown)
