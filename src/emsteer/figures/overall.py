"""Overall: on-topic EM off-domain by model and target task: base, and the treatments of the base point at their chosen settings.

A treatment of which no dose was coherent and harmful says so; one that was not run says that, in one word where none was.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emsteer import schemas
from emsteer.figures import points, style, words
from emsteer.figures.categories import treatments
from emsteer.figures.draw import drawn
from emsteer.figures.panels import say_nothing
from emsteer.packs import Job
from emsteer.recipes import BasePoint

COLUMNS = [
    "line",
    *points.PLACE,
    "arm",
    "treatment",
    "point",
    "setting",
    "layer",
    "steps",
    "dose",
    "n_seeds",
    "metric",
    *points.NUMBERS,
]
NO_DOSE, NOT_RUN = "no dose chosen", "not run"
Pairs = set[tuple[str, str]]  # model, line
APART = 0.26  # between the arms of a row


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Chosen, words.by_place(["task", "model"]))


def draw(chosen: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Chosen` → the figure and what it shows. A column of panels for each target task, a row for each judge."""
    chosen = chosen[~chosen["task"].isin(controls(chosen))]
    shown = selected(chosen, base_point)
    tasks = sorted(chosen["task"].unique(), key=lambda task: (task != base_point.task, task)) or [base_point.task]
    models = sorted(chosen["model"].unique(), key=lambda model: (model != base_point.model, model)) or [base_point.model]
    blocks, lines = points.blocks(shown), ["base", *treatments(base_point)]
    looks = {"base": style.BASE} | style.looks_of(treatments(base_point))
    size = max(style.WIDTH_INCHES, 2.4 * len(tasks)), len(blocks) * (0.62 * len(models) + 0.7) + 0.7
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(len(blocks), len(tasks), squeeze=False, sharex=True, sharey=True)
    for of_row, block in zip(axes, blocks, strict=True):
        for axis, task in zip(of_row, tasks, strict=True):
            place = {"task": task, "benchmark": block[0], "judge": block[1]}
            panel(axis, shown[points.same(shown, **place)], models, lines, looks)
            if shown.empty:
                say_nothing(axis)
            else:
                remarks(
                    axis,
                    set(zip(*(shown.loc[points.same(shown, **place), name] for name in ("model", "line")), strict=True)),
                    ran(chosen[points.same(chosen, **place)]),
                    models,
                    lines,
                )
            axis.set_title(points.caption(f"target: {task}", block, len(blocks)))
    axes[0, 0].set_yticks(range(len(models)), models)
    axes[0, 0].set_ylim(len(models) - 0.5, -0.5)
    axes[0, 0].set_xlim(left=-2)
    for axis in axes[-1]:
        axis.set_xlabel("on-topic EM, off-domain [%]")
    for axis in axes.flat:
        axis.label_outer()
    handles = [Line2D([], [], linestyle="", **look, label=name) for name, look in looks.items() if shown["line"].eq(name).any()]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure, shown


def controls(chosen: pd.DataFrame) -> set[str]:
    """Tasks that only controls learnt from: no panel, since no treatment could stand in it."""
    treated = chosen["arm"].isin(["steered", "finetuned"])
    return set(chosen.loc[chosen["arm"].eq("control"), "task"]) - set(chosen.loc[treated, "task"])


def selected(chosen: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """One number for each model, target task and treatment; base beside treatments only, where there are any."""
    treated = chosen["arm"].isin(["steered", "finetuned"])
    beside = treated.groupby([chosen["model"], chosen["task"]]).transform("any")
    if treated.any():
        chosen = chosen[beside]
    rows = chosen[points.same(chosen, group="off_domain", metric="on_topic_em") & chosen["point"].isin(["base", "chosen"])]
    lines = [style.treatment(arm, name) for arm, name in zip(rows["arm"], rows["treatment"], strict=True)]
    rows = rows.assign(line=lines)
    rows["line"] = rows["line"].where(rows["arm"].ne("base"), "base")
    return rows[rows["line"].isin(["base", *treatments(base_point)]) & rows["value"].notna()][COLUMNS]


def panel(axis: Axes, rows: pd.DataFrame, models: Sequence[str], lines: Sequence[str], looks: Mapping[str, style.Look]) -> None:
    """One target task: a row for each model, the arms a little apart, with their intervals."""
    axis.grid(visible=False, axis="y")
    if rows.empty:
        return
    at = [models.index(model) + APART * (lines.index(line) - 1) for model, line in zip(rows["model"], rows["line"], strict=True)]
    data = rows.assign(at=at, **{name: rows[name].astype(float) * 100 for name in ("value", "low", "high")})
    colours, markers = ({name: look[part] for name, look in looks.items()} for part in ("color", "marker"))
    plot = so.Plot(data, x="value", y="at", xmin="low", xmax="high", color="line", marker="line")
    plot = plot.add(so.Range(linewidth=0.9), orient="y", legend=False).add(so.Dot(pointsize=5), legend=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The copy keyword")  # seaborn 0.13 under pandas 3
        plot.scale(color=colours, marker=markers).label(x="", y="").on(axis).plot()


def ran(rows: pd.DataFrame) -> set[tuple[str, str]]:
    """(model, line) of every treatment that was run, whether or not a dose of it was chosen, and of base."""
    lines = [
        "base" if arm == "base" else style.treatment(arm, name) for arm, name in zip(rows["arm"], rows["treatment"], strict=True)
    ]
    return set(zip(rows["model"], lines, strict=True))


def remarks(axis: Axes, shown: Pairs, run: Pairs, models: Sequence[str], lines: Sequence[str]) -> None:
    """Says where there is nothing to show, and why."""
    said: dict[str, Any] = {"transform": axis.get_yaxis_transform(), "ha": "left", "va": "center", "fontsize": 6}
    for index, model in enumerate(models):
        if not any((model, line) in run for line in lines[1:]):
            axis.text(0.02, index, NOT_RUN, color=style.BASE["color"], **said)
            continue
        for place, line in enumerate(lines[1:]):
            if (model, line) not in shown:
                why = NO_DOSE if (model, line) in run else NOT_RUN
                axis.text(0.02, index + APART * place, f"{line}: {why}", color=style.BASE["color"], **said)
