"""Paths of settings through a plane of two numbers: by dose, by adapter scale and by finetuning step, seeds and their mean."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from emsteer.figures import points, style
from emsteer.figures.panels import SEEDS
from emsteer.recipes import BasePoint

BOUNDS = ["value", "low", "high", "n"]
BY_DOSE, BY_SCALE, BY_STEP = "by dose", "by scale", "by step"
HOLLOW: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 1}
STEPS: dict[str, Any] = {"linestyle": "--", **HOLLOW}
GROWING = "markers grow with dose, step and scale"
Interval = NDArray[np.float64]


def columns(*axes: str) -> list[str]:
    """Of what a plane shows; `axes`: suffixes of the columns of either axis."""
    place = ["panel", "line", "trace", "group", "shown_as", *points.PLACE, "setting", "arm", *points.TREATMENT, *points.DOSES]
    return [*place, *(f"{name}_{axis}" for axis in axes for name in BOUNDS)]


def traced(pairs: pd.DataFrame, base_point: BasePoint, axes: Sequence[str]) -> pd.DataFrame:
    """Base, and every trace in its order: seed by seed, and their mean where there are several."""
    steered = style.treatment("steered", base_point.vector)
    finetuned = style.treatment("finetuned", str(base_point.adapter))
    adapter = points.same(pairs, arm="finetuned", adapter=base_point.adapter)
    by_dose = pairs[points.at_base(pairs, base_point, but=["model"])].assign(trace=BY_DOSE, line=steered)
    by_scale = pairs[adapter & points.same(pairs, steps=base_point.steps)].assign(trace=BY_SCALE, line=finetuned)
    by_step = pairs[adapter & points.same(pairs, dose=1.0)].assign(trace=BY_STEP, line=finetuned)
    base = points.untreated(pairs).assign(trace="")
    traces = [points.seeded(by_dose, "dose"), points.seeded(by_scale, "dose"), points.seeded(by_step, "steps")]
    return pd.concat([base, *traces], ignore_index=True)[columns(*axes)]


def curve(axis: Axes, x: Interval, y: Interval, kind: str, look: style.Look) -> None:
    """One trace, in its order; markers grow along it. x, y: value, low and high of every point, in the axis's unit."""
    if kind == points.SEED:
        axis.plot(x[0], y[0], color=look["color"], linewidth=0.6, alpha=0.45)
        return
    if kind != points.MEAN:
        bars: dict[str, Any] = {"fmt": "none", "ecolor": look["color"], "elinewidth": 0.6, "alpha": 0.5, "zorder": 2}
        axis.errorbar(x[0], y[0], xerr=[x[0] - x[1], x[2] - x[0]], yerr=[y[0] - y[1], y[2] - y[0]], **bars)
    axis.plot(x[0], y[0], **{name: value for name, value in look.items() if not name.startswith("marker")}, zorder=3)
    face = look.get("markerfacecolor", look["color"])
    sizes = np.linspace(10, 42, len(x[0])) if len(x[0]) > 1 else 30
    axis.scatter(x[0], y[0], s=sizes, marker=look["marker"], facecolor=face, edgecolor=look["color"], zorder=3.5)


def interval(rows: pd.DataFrame, axis: str, unit: float) -> Interval:
    """[3, points] value, low and high of the rows along an axis, multiplied by its unit."""
    return (rows[[f"{name}_{axis}" for name in BOUNDS[:3]]].to_numpy(dtype=float) * unit).T


def legend(shown: pd.DataFrame, looks: Mapping[str, style.Look]) -> Iterator[Line2D]:
    """Base, and every trace."""
    if shown["shown_as"].eq(points.BASE).any():
        yield Line2D([], [], **style.BASE, linestyle="", label="base")
    traces = shown[shown["trace"].ne("")].drop_duplicates(["line", "trace"])
    for name, trace in zip(traces["line"], traces["trace"], strict=True):
        yield Line2D([], [], **looks[name] | (STEPS if trace == BY_STEP else {}), label=f"{name}, {trace}")


def seeds(shown: pd.DataFrame) -> Iterator[Line2D]:
    """What is thin, where anything is."""
    if shown["shown_as"].eq(points.SEED).any():
        yield Line2D([], [], color=style.NEUTRAL, linewidth=0.8, label=SEEDS)
