"""Fonts, widths, and one colour and marker per treatment, for every figure."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import pandas as pd
import seaborn
from matplotlib.figure import Figure

from emsteer.recipes import BasePoint

matplotlib.use("Agg")

Look = dict[str, Any]
WIDTH_INCHES, DPI = 9.0, 150
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe & Ito: told apart without colour vision
MARKERS = ("o", "s", "^", "D", "v", "<", "*")  # one more than colours, so that pairs do not repeat
BASE: Look = {"color": "#333333", "marker": "P"}
RANDOM: Look = {"color": "#999999", "marker": "x"}
NEUTRAL = "#999999"
RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "svg.hashsalt": "emsteer",
    "svg.fonttype": "path",
    "figure.dpi": DPI,
}


@contextmanager
def clean() -> Iterator[None]:
    """Our style on matplotlib's defaults, whatever the settings of the person who runs it."""
    with matplotlib.style.context(["default", RC]):
        yield


def treatment(arm: str, name: str) -> str:
    """What legends call a vector or adapter."""
    return f"{arm}: {name}"


def looks(rates: pd.DataFrame, base_point: BasePoint) -> dict[str, Look]:
    """Treatment → colour and marker: those of the base point first, then the others by name, controls last. The same everywhere."""
    first = [treatment("steered", base_point.vector), treatment("finetuned", str(base_point.adapter))]
    trained = rates[rates["arm"].isin(["steered", "finetuned", "control"])]
    pairs = trained.assign(name=trained["vector"].fillna(trained["adapter"]))[["arm", "name"]].drop_duplicates()
    others = [
        treatment(arm, name) for arm, name in sorted(pairs.itertuples(index=False), key=lambda pair: (pair[0] == "control", pair))
    ]
    return looks_of(dict.fromkeys([*first, *others]))


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """Colours and markers in their order."""
    pairs = zip(cycle(PALETTE), cycle(MARKERS))
    return {name: {"color": colour, "marker": marker} for name, (colour, marker) in zip(names, pairs, strict=False)}


def shades(look: Look, doses: Sequence[float]) -> dict[float, Look]:
    """Dose → the look of its treatment, from light to dark."""
    colour = look["color"]
    ends = [seaborn.light_palette(colour, 5)[2], colour, seaborn.dark_palette(colour, 5)[2]]
    blend = seaborn.blend_palette(ends, len(doses)).as_hex() if len(doses) > 1 else [colour]
    return {dose: look | {"color": shade} for dose, shade in zip(sorted(doses), blend, strict=True)}


def save(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> None:
    """SVG, PNG and the plotted numbers as CSV, byte for byte the same for the same figure."""
    folder.mkdir()
    with clean():
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    data.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
