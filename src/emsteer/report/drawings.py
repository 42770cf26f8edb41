"""The figures on the page: drawn in the page's own colours, which follow the reader's light or dark."""

import io
from pathlib import Path

import pandas as pd

COLOURS = {"#ffffff": "var(--surface)", "#000000": "var(--frame)", "#333333": "var(--frame)", "#e6e6e6": "var(--grid)"}


def shows_something(folder: Path) -> bool:
    """Whether a figure has numbers, of more than the untreated model."""
    drawn = pd.read_csv(io.BytesIO(numbers(folder)))
    return bool(drawn["arm"].ne("base").any()) if "arm" in drawn else len(drawn) > 0


def name_of_figure(folder: Path) -> str:
    """From its address."""
    return folder.name.partition("--")[0]


def words(folder: Path) -> list[str]:
    """What a figure shows, line by line."""
    return next(folder.glob("*.txt")).read_text(encoding="utf-8").splitlines()


def numbers(folder: Path) -> bytes:
    """What is drawn, as CSV."""
    return next(folder.glob("*.csv")).read_bytes()


def svg(folder: Path) -> str:
    """The drawing of a figure's folder, without the XML header and in the page's colours."""
    text = next(folder.glob("*.svg")).read_text(encoding="utf-8")
    drawing = text[text.index("<svg") :]
    for drawn, of_the_page in COLOURS.items():
        drawing = drawing.replace(f": {drawn}", f": {of_the_page}")
    return drawing
