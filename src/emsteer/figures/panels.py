"""Rows of panels along one axis: lines of treatments, base behind them, random directions beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from emsteer.figures import points, style
from emsteer.figures.style import Look

ROW_INCHES = 2.3
NOTHING = "no such settings"
SEEDS = "single seeds (markers: their mean)"
REFERENCE = "whole vector at the same dose"


@dataclass(frozen=True)
class Measure:
    """What a row of panels shows: a metric of off-domain questions, its label, and what its values are multiplied by."""

    metric: str
    label: str
    scale: float
    limits: tuple[float | None, float | None]
    height: float = 1.0


ON_TOPIC_EM = Measure("on_topic_em", "on-topic EM,\noff-domain [%]", 100, (0, None))
COHERENCE = Measure("coherence", "coherence,\noff-domain\n[points of 100]", 1, (0, 100), height=0.75)
MARGIN = Measure("margin", "margin (unsafe − safe),\noff-domain [nats/token]", 1, (None, None), height=0.9)


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of every panel: a column of the table."""

    column: str
    label: str
    ticks: Literal["powers of two", "every value"]
    log: bool = True


def of_measures(rows: pd.DataFrame, measures: Sequence[Measure]) -> pd.DataFrame:
    """The rows that panels of these measures show."""
    return rows[rows["group"].eq("off_domain") & rows["metric"].isin([measure.metric for measure in measures])]


def paint(
    shown: pd.DataFrame, titles: Sequence[str], measures: Sequence[Measure], along: Axis, looks: Mapping[str, Look]
) -> Figure:
    """A column of panels per title (column `panel`), a row per benchmark, judge and measure."""
    blocks = points.blocks(shown)
    rows = [(block, measure) for block in blocks for measure in measures]
    width = max(style.WIDTH_INCHES, 2.4 * len(titles))
    figure = Figure(figsize=(width, ROW_INCHES * sum(measure.height for _, measure in rows) + 1.0), layout="constrained")
    heights = {"height_ratios": [measure.height for _, measure in rows]}
    axes: Any = figure.subplots(len(rows), len(titles), squeeze=False, sharex=True, sharey="row", gridspec_kw=heights)
    for of_row, (block, measure) in zip(axes, rows, strict=True):
        for axis, title in zip(of_row, titles, strict=True):
            of = shown[points.same(shown, panel=title, benchmark=block[0], judge=block[1], metric=measure.metric)]
            panel(axis, of, measure, along.column, looks)
            if measure is measures[0]:
                axis.set_title(points.caption(title, block, len(blocks)))
        of_row[0].set_ylabel(measure.label)
        _limit(of_row[0], measure)
    values = shown[along.column].dropna().astype(float)
    for axis in axes[-1]:
        scale(axis, along, values)
        axis.set_xlabel(along.label)
    legend(figure, looks)
    return figure


def panel(axis: Axes, rows: pd.DataFrame, measure: Measure, x: str, looks: Mapping[str, Look]) -> None:
    """One metric of one column."""
    rows = rows.assign(**{name: rows[name].astype(float) * measure.scale for name in ("value", "low", "high")})
    for row in rows[rows["shown_as"].eq(points.BASE)].itertuples():
        axis.axhline(row.value, color=style.BASE["color"], linestyle="--", linewidth=1, label="base", zorder=1.5)
        axis.axhspan(row.low, row.high, color=style.BASE["color"], alpha=0.1, linewidth=0)
    random = rows[rows["shown_as"].eq(points.RANDOM)]
    if len(random):
        crosses: dict[str, Any] = {"s": 12, "linewidths": 0.7, "zorder": 1.8, "label": "random direction of equal norm"}
        axis.scatter(random[x].astype(float), random["value"], **style.RANDOM, **crosses)
    for row in rows[rows["shown_as"].eq(points.REFERENCE)].itertuples():
        axis.axhline(row.value, color=looks[row.line]["color"], linestyle=":", linewidth=1.3, label=REFERENCE)
    treated = rows[rows["shown_as"].isin([points.MEAN, points.SEED, points.ALONE])]
    for name, of in treated.groupby("line", sort=False):
        line(axis, of, x, str(name), looks[str(name)])
    if treated.empty:
        say_nothing(axis)


def say_nothing(axis: Axes) -> None:
    """Says that there is nothing to show, on top of base."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    axis.text(0.5, 0.5, NOTHING, transform=axis.transAxes, ha="center", va="center", color=style.BASE["color"], bbox=box)


def line(axis: Axes, rows: pd.DataFrame, x: str, label: str, look: Look) -> None:
    """One seed with its intervals; or the mean of seeds, and each of them thin."""
    for _, of in rows[rows["shown_as"].eq(points.SEED)].groupby("seed"):
        at = of[x].astype(float)
        axis.plot(at, of["value"], color=look["color"], linewidth=0.6, alpha=0.45, marker=".", markersize=2, label=SEEDS)
    means, alone = rows[rows["shown_as"].eq(points.MEAN)], rows[rows["shown_as"].eq(points.ALONE)]
    if len(means):
        axis.plot(means[x].astype(float), means["value"], label=label, zorder=3, **look)
    if len(alone):
        errors = [alone["value"] - alone["low"], alone["high"] - alone["value"]]
        axis.errorbar(alone[x].astype(float), alone["value"], yerr=errors, label=label, elinewidth=0.8, zorder=3, **look)


def legend(figure: Figure, looks: Mapping[str, Look]) -> None:
    """One legend below all panels: base, treatments in the order of their looks, then the rest."""
    found = {label: handle for axis in figure.axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    neutral: dict[str, dict[str, Any]] = {
        SEEDS: {"linewidth": 0.8, "linestyle": "-"},
        REFERENCE: {"linewidth": 1.3, "linestyle": ":"},
    }
    found |= {label: Line2D([], [], color=style.NEUTRAL, **look) for label, look in neutral.items() if label in found}
    order = [name for name in ("base", *looks) if name in found]
    order += [name for name in found if name not in order]
    if found:
        figure.legend([found[name] for name in order], order, loc="outside lower center", ncols=min(3, len(order)))


def _limit(axis: Axes, measure: Measure) -> None:
    """Limits of a row of panels, with room for markers on its ends; shares that are all 0 do not fill it."""
    low, high = measure.limits
    if low is not None:
        top = max(axis.get_ylim()[1], 5.0) if high is None else high
        axis.set_ylim(low - 0.03 * (top - low), top + 0.03 * (top - low))


def scale(axis: Axes, along: Axis, values: pd.Series) -> None:
    """Of the horizontal axis: plain labels; a linear axis where a value has no logarithm; none where there is no value."""
    if values.empty:
        axis.set_xticks([])
        return
    if along.log and values.min() > 0:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_locator(LogLocator(base=2))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_minor_formatter(NullFormatter())
    if along.ticks == "every value":
        axis.xaxis.set_major_locator(FixedLocator(sorted(set(values))))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
