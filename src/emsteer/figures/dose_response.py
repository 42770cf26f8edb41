"""Dose-response: on-topic EM, EM and coherence on off-domain test questions, by dose; random directions and base beside them.

The dose is shown in multiples of the layer's median residual norm, so that vectors of different length share an axis.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emsteer.figures.draw import drawn
from emsteer.figures.style import BASE_COLOUR, MARKERS, PALETTE, RANDOM_COLOUR, ROW_INCHES, WIDTH_INCHES
from emsteer.packs import Job

PANELS = {
    "on_topic_em": ("On-topic EM, off-domain questions", "answers [%]", 100),
    "em": ("EM, off-domain questions", "answers [%]", 100),
    "coherence": ("Coherence, off-domain questions", "mean score [points of 100]", 1),
}
PLACE = ["model", "task", "benchmark", "judge"]
LINE = ["vector", "layer", "epochs", "seed", "positions"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the figure."""
    return drawn(jobs, draw)


def draw(rates: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """`schemas.Rates` → the figure and what it shows. One row of panels per model, target task, benchmark and judge."""
    shown = rates[rates["group"].eq("off_domain") & rates["split"].eq("test") & rates["metric"].isin(PANELS)].dropna(subset="value")
    places = list(shown.groupby(PLACE, sort=False))
    figure = Figure(figsize=(WIDTH_INCHES, ROW_INCHES * max(1, len(places)) + 0.4), layout="constrained")
    if not places:
        figure.text(0.5, 0.5, "no answer was judged", ha="center")
    axes: Any = figure.subplots(max(1, len(places)), len(PANELS), squeeze=False) if places else []
    looks = line_looks(shown)
    leftmost = min(0.0, shown["dose_residual_norm"].min()) if len(places) else 0.0
    for row, (place, of) in zip(axes, places, strict=True):
        for axis, (metric, (title, unit, scale)) in zip(row, PANELS.items(), strict=True):
            panel(axis, of[of["metric"].eq(metric)], scale, looks)
            left = None if leftmost < 0 else 0
            axis.set(title=title, xlabel="dose [median residual norms]", ylabel=unit, xlim=(left, None), ylim=(0, None))
        row[0].annotate(" · ".join(map(str, place)), (0, 1.14), xycoords="axes fraction", fontsize=7, color=BASE_COLOUR)
    handles = {label: handle for axis in figure.axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)
    columns = ["setting", *PLACE, "arm", *LINE, "draw", "dose_vector_norm", "dose_residual_norm"]
    return figure, shown[[*columns, "metric", "value", "low", "high", "n", "n_excluded"]]


def line_looks(rates: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Label of a steered line → its colour and marker, the same in every panel."""
    labels = dict.fromkeys(line_label(names) for names, _ in steered_lines(rates))
    return {
        label: {"color": PALETTE[index % len(PALETTE)], "marker": MARKERS[index % len(MARKERS)]}
        for index, label in enumerate(labels)
    }


def steered_lines(rates: pd.DataFrame) -> Any:
    """The steered settings, grouped by everything but the dose."""
    return rates[rates["arm"].eq("steered")].groupby(LINE, dropna=False, sort=False)


def panel(axis: Axes, rates: pd.DataFrame, scale: float, looks: dict[str, dict[str, Any]]) -> None:
    """One metric of one place."""
    for value, low, high in rates[rates["arm"].eq("base")][["value", "low", "high"]].to_numpy() * scale:
        axis.axhline(value, color=BASE_COLOUR, linestyle="--", label="base")
        axis.axhspan(low, high, color=BASE_COLOUR, alpha=0.08, linewidth=0)
    for names, of in steered_lines(rates):
        line = of.sort_values("dose_residual_norm")
        errors = [(line["value"] - line["low"]) * scale, (line["high"] - line["value"]) * scale]
        label = line_label(names)
        axis.errorbar(line["dose_residual_norm"], line["value"] * scale, yerr=errors, capsize=2, label=label, **looks[label])
    random = rates[rates["arm"].eq("random")]
    if len(random):
        x, y = random["dose_residual_norm"], random["value"] * scale
        axis.scatter(x, y, color=RANDOM_COLOUR, marker="x", s=14, zorder=1, label="random direction, equal norm")


def line_label(names: tuple[object, ...]) -> str:
    """`steered: trained, layer 4, 8 epochs, seed 0`."""
    vector, layer, epochs, seed, positions = names
    parts = [f"steered: {vector}", f"layer {layer}"]
    parts += [] if pd.isna(epochs) else [f"{epochs} epochs"]
    return ", ".join([*parts, f"seed {seed}", *([] if positions == "all" else [f"{positions} positions"])])
