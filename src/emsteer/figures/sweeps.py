"""On-topic EM and coherence as one factor of a vector varies: its layer, epochs or rank. One line per dose."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from emsteer.figures import panels, points, style
from emsteer.figures.style import Look
from emsteer.recipes import BasePoint

MEASURES = (panels.ON_TOPIC_EM, panels.COHERENCE)
MULTIPLES = {"vector_norm": "multiples of the vector", "residual_norm": "residual norms"}
AS_BUILT_AND_EQUAL = {"vector_norm": "as built", "residual_norm": "at equal norm"}


def tested(rates: pd.DataFrame, base_point: BasePoint) -> pd.DataFrame:
    """The rows of the base point's model that these figures show."""
    rows = panels.of_measures(points.tested(rates, base_point), MEASURES)
    return rows[rows["model"].eq(base_point.model)]


def title(base_point: BasePoint, unit: str, column: str = "") -> str:
    """Of a column of panels: its model, what it shows, and the unit of its doses."""
    return f"model: {base_point.model}{f', {column}' if column else ''}\n(dose in {MULTIPLES[unit]})"


def titles(base_point: BasePoint) -> dict[str, str]:
    """Unit of doses → the column of panels that shows it, as built beside equal norm."""
    return {unit: title(base_point, unit, column) for unit, column in AS_BUILT_AND_EQUAL.items()}


def by_dose(rows: pd.DataFrame, x: str, *, at_least: int) -> pd.DataFrame:
    """One line per vector, unit and dose, where it has this many values of `x`."""
    many = rows.groupby(["vector", "dose_unit", "dose"])[x].transform("nunique").ge(at_least)
    found = rows[many]
    return found.assign(line=[line(name, dose) for name, dose in zip(found["vector"], found["dose"], strict=True)])


def line(vector: str, dose: float) -> str:
    """What the legend calls a line."""
    return f"{style.treatment('steered', vector)}, dose {dose:g}"


def painted(
    rates: pd.DataFrame, base_point: BasePoint, lines: pd.DataFrame, by_unit: Mapping[str, str], along: panels.Axis,
    references: pd.DataFrame | None = None,
) -> tuple[Figure, pd.DataFrame]:  # fmt: skip
    """The figure and what it shows: lines (of `by_dose`) and references in the panels of their unit, base in all of them."""
    base = points.untreated(tested(rates, base_point))
    parts = [base.assign(panel=panel) for panel in by_unit.values()]
    parts += [] if references is None else [references.assign(panel=references["dose_unit"].map(by_unit))]
    parts.append(points.seeded(lines.assign(panel=lines["dose_unit"].map(by_unit)), along.column))
    looks = _looks(lines, style.looks(rates, base_point))
    shown = pd.concat(parts, ignore_index=True)
    return panels.paint(shown, list(by_unit.values()), MEASURES, along, looks), shown


def _looks(lines: pd.DataFrame, of_treatments: Mapping[str, Look]) -> dict[str, Look]:
    """Line → the look of its vector, in the shade of its dose."""
    found: dict[str, Look] = {}
    for vector, of in lines.groupby("vector", sort=False):
        shades = style.shades(of_treatments[style.treatment("steered", str(vector))], list(of["dose"].unique()))
        found |= {line(str(vector), dose): look for dose, look in shades.items()}
    return found
