"""Fonts, widths, and one colour and marker per arm, for every figure."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

matplotlib.use("Agg")

WIDTH_INCHES, ROW_INCHES, DPI = 9.0, 3.0, 150
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe & Ito: told apart without colour vision
MARKERS = ("o", "s", "^", "D", "v", "P")
BASE_COLOUR, RANDOM_COLOUR = "#333333", "#999999"
RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
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


def save(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> None:
    """SVG, PNG and the plotted numbers as CSV, byte for byte the same for the same figure."""
    folder.mkdir()
    with clean():
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    data.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
