"""Directions at equal doses: what every construction, control and counterpart does, at equal norm and at equal KL.

A row for each direction, a shade for each dose. Behind them, for each dose, the band of its random directions: from the one that
does least to the one that does most; thin lines are such ranges over the draws of other counterparts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emsteer import schemas
from emsteer.analysis.sides import UNNAMED
from emsteer.figures import panels, points, style, words
from emsteer.figures.draw import drawn
from emsteer.packs import Job
from emsteer.recipes import COUNTERPARTS, BasePoint

MEASURES = (panels.ON_TOPIC_EM, panels.Measure("coverage", "coherent answers,\noff-domain [%]", 100, (0, 100)))
UNITS = {"residual_norm": ("at equal norm", "residual norms"), "kl": ("at equal KL", "nats/token of base's answers")}
OF_DIRECTION = ["arm", "vector", "rank", "dose", "dose_unit", "dose_relative", "dose_kl", "cosine", "n_seeds", "n_draws"]
RANGES = ["lowest", "largest", "random_draws", "random_below"]
COLUMNS = ["panel", "line", "at", *points.PLACE, "setting", *OF_DIRECTION, "group", "metric", *points.NUMBERS, *RANGES]
OTHER_TASK = "another task"
ROW_INCHES, COLOUR = 0.24, style.PALETTE[0]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Directions, words.by_place(["panel", "metric", "at"]))


def draw(directions: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Directions` → the figure and what it shows: a row of panels for each unit and judge, a column for each measure."""
    shown = selected(directions, base_point)
    treated = shown[shown["arm"].ne("base")]
    titles = [title for title, _ in UNITS.values() if treated["panel"].eq(title).any()] or [UNITS["kl"][0]]
    names = {title: names_of(treated[treated["panel"].eq(title)], base_point) for title in titles}
    rows = [(block, title) for block in points.blocks(shown) for title in titles]
    heights = [len(names[title]) + 3 for _, title in rows]
    size = style.WIDTH_INCHES, ROW_INCHES * sum(heights) + 0.4
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(len(rows), 2, squeeze=False, sharey="row", gridspec_kw={"height_ratios": heights})
    for of_row, (block, title) in zip(axes, rows, strict=True):
        for axis, measure in zip(of_row, MEASURES, strict=True):
            of = shown[points.same(shown, panel=title, benchmark=block[0], judge=block[1], metric=measure.metric)]
            panel(axis, of, names[title], measure)
            axis.set_xlabel(measure.label.replace("\n", " "))
        of_row[0].set_title(points.caption(title, block, len(points.blocks(shown))), loc="left")
        of_row[1].set_title(f"model: {base_point.model}", loc="right", fontweight="normal")
    return figure, shown


def selected(directions: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """The base point's model; of other tasks, their vectors and controls, each off its own task; base in every panel."""
    metrics = directions["metric"].isin([measure.metric for measure in MEASURES])
    rows = directions[points.same(directions, model=base_point.model, group="off_domain") & metrics]
    rows = rows[rows["task"].eq(base_point.task) | rows["arm"].isin(["steered", "control"])]
    panel = rows["dose_unit"].map({unit: title for unit, (title, _) in UNITS.items()})
    lines = [line(one.arm, one.vector, one.rank, one.task, base_point) for one in rows.itertuples()]
    said = [
        "untreated" if pd.isna(dose) else f"dose {dose:g} [{UNITS[unit][1]}]"
        for dose, unit in zip(rows["dose"], rows["dose_unit"], strict=True)
    ]
    rows = rows.assign(panel=panel, line=lines, at=said)
    base = rows[rows["arm"].eq("base")]
    parts = [base.assign(panel=title) for title, _ in UNITS.values() if rows["panel"].eq(title).any()]
    return pd.concat([*parts, rows[rows["arm"].ne("base")]])[COLUMNS].reset_index(drop=True)


def line(arm: Any, vector: Any, rank: Any, task: Any, base_point: BasePoint) -> str:
    """What a row is called."""
    if arm == "base":
        return UNNAMED[arm]
    named = vector if pd.isna(rank) else f"{vector}, rank {rank}"
    if arm == "random":
        return UNNAMED[arm]
    if arm in UNNAMED:
        return f"{UNNAMED[arm]}: {named}"
    if task == base_point.task:
        return f"{arm}: {named}"
    return f"{OTHER_TASK if arm == 'steered' else arm}: {named}, {task}"


def names_of(rows: pd.DataFrame, base_point: BasePoint) -> list[str]:
    """Rows from top to bottom: the vector of the base point, other constructions, other tasks, controls, counterparts."""
    order = {arm: place for place, arm in enumerate(("steered", OTHER_TASK, "control", *COUNTERPARTS))}
    keys = rows[["line", "task", "arm", "vector", "rank"]].drop_duplicates("line").fillna({"rank": -1})
    arm = keys["arm"].mask(keys["arm"].eq("steered") & keys["task"].ne(base_point.task), OTHER_TASK)
    placed = keys.assign(place=arm.map(order), other=keys["vector"].ne(base_point.vector))
    return list(placed.sort_values(["place", "other", "vector", "rank"], kind="stable")["line"])


def panel(axis: Axes, rows: pd.DataFrame, names: Sequence[str], measure: panels.Measure) -> None:
    """One measure at the doses of one unit."""
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    ends = ["value", "low", "high", "lowest", "largest"]
    rows = rows.assign(**{name: rows[name].astype(float) * measure.scale for name in ends}).dropna(subset=["value"])
    for row in rows[rows["arm"].eq("base")].itertuples():
        axis.axvline(row.value, color=style.BASE["color"], linestyle="--", linewidth=1, zorder=1.5)
        axis.axvspan(row.low, row.high, color=style.BASE["color"], alpha=0.1, linewidth=0)
    treated = rows[rows["arm"].ne("base")]
    if treated.empty:
        panels.say_nothing(axis)
        return
    shades = shades_of(treated)
    for place, (dose, look) in enumerate(shades.items()):
        of = treated[treated["dose"].eq(dose)]
        for row in of[of["arm"].eq("random")].itertuples():
            axis.axvspan(row.lowest, row.largest, color=look["color"], alpha=0.12, linewidth=0, zorder=1)
        dots(axis, of, names, look, apart=(place - (len(shades) - 1) / 2) * 0.6 / len(shades))
    low, high = measure.limits
    axis.set_xlim(low, max(axis.get_xlim()[1], 5.0) if high is None else high + 1)
    if measure is MEASURES[-1]:
        called = treated.drop_duplicates("dose").set_index("dose")["at"]
        handles = [Line2D([], [], linestyle="", label=called[dose], **look) for dose, look in shades.items()]
        axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=6)


def dots(axis: Axes, rows: pd.DataFrame, names: Sequence[str], look: style.Look, apart: float) -> None:
    """Values with their intervals; of what is drawn, the range over draws as well."""
    at = [names.index(name) + apart for name in rows["line"]]
    errors = [(rows["value"] - rows["low"]).clip(lower=0), (rows["high"] - rows["value"]).clip(lower=0)]
    axis.errorbar(rows["value"], at, xerr=errors, linestyle="", elinewidth=0.9, zorder=3, **look)
    for place, row in zip(at, rows.itertuples(), strict=True):
        if row.n_draws > 1:
            axis.plot([row.lowest, row.largest], [place, place], color=look["color"], linewidth=0.5, zorder=2.5)


def shades_of(rows: pd.DataFrame) -> Mapping[float, style.Look]:
    """Dose → colour, from light to dark."""
    found = sorted(rows["dose"].unique())
    colours = seaborn.light_palette(COLOUR, len(found) + 2).as_hex()[2:]
    return {dose: {"color": colour, "marker": "o", "markersize": 3.5} for dose, colour in zip(found, colours, strict=True)}
