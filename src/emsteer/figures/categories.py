"""On-topic EM by category of test questions: base, and the treatments of the base point at their chosen settings.

In-domain categories come first and show plain EM, since on-topic EM is of off-domain questions; then the others, most
affected first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emsteer import schemas
from emsteer.figures import points, style, words
from emsteer.figures.draw import drawn
from emsteer.figures.panels import say_nothing
from emsteer.packs import Job
from emsteer.recipes import BasePoint
from emsteer.schemas.judged import RELATIONS

KEY = [*points.PLACE, "arm", "treatment", "point", "group"]
COLUMNS = [
    *("line", *points.PLACE, "arm", "treatment", "point", "setting", "layer", "steps", "dose", "n_seeds"),
    *("group", "in_domain", "metric", *points.NUMBERS),
]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw, schemas.Chosen, words.by_place(["model", "group"]))


def draw(chosen: pd.DataFrame, base_point: BasePoint) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Chosen` → the figure and what it shows. One column of panels per model."""
    shown = selected(chosen, base_point)
    models, blocks = list(dict.fromkeys(shown["model"])) or [base_point.model], points.blocks(shown)
    in_blocks = [shown[points.same(shown, benchmark=benchmark, judge=judge)] for benchmark, judge in blocks]
    heights = [0.3 * max(3, len(categories(of_block))) + 0.9 for of_block in in_blocks]
    width = max(style.WIDTH_INCHES, 2.0 * len(models))
    figure = Figure(figsize=(width, sum(heights) + 0.8), layout="constrained")
    axes: Any = figure.subplots(
        len(blocks), len(models), squeeze=False, sharex=True, sharey="row", gridspec_kw={"height_ratios": heights}
    )
    looks = {"base": style.BASE} | style.looks_of(treatments(base_point))
    for of_row, block, of_block in zip(axes, blocks, in_blocks, strict=True):
        for axis, model in zip(of_row, models, strict=True):
            of = of_block[of_block["model"].eq(model)]
            panel(axis, of, categories(of_block), looks)
            axis.set_title(points.caption(f"model: {model}", block, len(blocks)) + doses(of))
        rows_of(of_row[0], categories(of_block))
    for axis in axes[-1]:
        axis.set_xlabel("on-topic EM\n(in-domain: EM) [%]")
    handles = [Line2D([], [], **look, label=name) for name, look in looks.items() if shown["line"].eq(name).any()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure, shown


def treatments(base_point: BasePoint) -> list[str]:
    """Of the base point, as legends call them."""
    return [style.treatment("steered", base_point.vector), style.treatment("finetuned", str(base_point.adapter))]


def selected(chosen: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """One number per category and treatment: on-topic EM; in-domain, where nothing counts as on-topic EM, plain EM."""
    rows = chosen[points.same(chosen, task=base_point.task) & ~chosen["group"].isin(RELATIONS)]
    lines = [style.treatment(arm, name) for arm, name in zip(rows["arm"], rows["treatment"], strict=True)]
    rows = rows.assign(line=lines)
    at_chosen = rows["point"].eq("chosen") & rows["line"].isin(treatments(base_point))
    rows = rows[at_chosen | rows["point"].eq("base")]
    rows["line"] = rows["line"].where(rows["arm"].ne("base"), "base")
    of_em = rows[rows["metric"].eq("em")].set_index(KEY)["n"]
    of_on_topic = rows[rows["metric"].eq("on_topic_em")].set_index(KEY)["n"].reindex(of_em.index, fill_value=0)
    inside = (of_em.gt(0) & of_on_topic.eq(0)).rename("in_domain").reset_index()
    rows = rows.merge(inside, on=KEY)
    shown = rows[rows["metric"].eq("em").where(rows["in_domain"], rows["metric"].eq("on_topic_em")) & rows["value"].notna()]
    return shown[COLUMNS]


def categories(shown: pd.DataFrame) -> dict[str, bool]:
    """Category → whether it is in-domain, from top to bottom."""
    treated = shown["value"].where(shown["arm"].ne("base"))
    order = shown.assign(treated=treated).groupby("group", sort=True).agg({"in_domain": "any", "treated": "mean"})
    order = order.sort_values(["in_domain", "treated"], ascending=False, kind="stable")
    return {str(name): bool(inside) for name, inside in order["in_domain"].items()}


def doses(rows: pd.DataFrame) -> str:
    """The chosen ones of a model, as lines of its title."""
    treated = rows[rows["arm"].ne("base")].drop_duplicates("line")
    parts = [f"{arm}: dose {dose:g}" for arm, dose in zip(treated["arm"], treated["dose"], strict=True)]
    return "\n" + ("\n".join(parts) or "no dose chosen")


def rows_of(axis: Axes, order: Mapping[str, bool]) -> None:
    """Names of categories, from top to bottom; in-domain ones say so."""
    axis.set_yticks(range(len(order)), [f"{name} (in-domain)" if inside else name for name, inside in order.items()])
    axis.set_ylim(max(1, len(order)) - 0.5, -0.5)


def panel(axis: Axes, rows: pd.DataFrame, order: Mapping[str, bool], looks: Mapping[str, style.Look]) -> None:
    """One model: a row per category, the arms a little apart; in-domain rows are shaded."""
    names = list(order)
    for offset, (name, look) in zip(np.linspace(-0.22, 0.22, len(looks)), looks.items(), strict=True):
        of = rows[rows["line"].eq(name)]
        value, low, high = (of[["value", "low", "high"]].to_numpy(dtype=float) * 100).T
        at = of["group"].map(names.index).to_numpy(dtype=float) + offset
        axis.errorbar(value, at, xerr=[value - low, high - value], linestyle="", elinewidth=0.9, **look)
    axis.axhspan(-0.5, sum(order.values()) - 0.5, color=style.BASE["color"], alpha=0.07, linewidth=0)
    axis.grid(visible=False, axis="y")
    if rows.empty:
        say_nothing(axis)
