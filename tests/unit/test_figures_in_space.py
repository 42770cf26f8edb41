"""No text of a figure lies over another or leaves it, and no legend lies on data: bounding boxes, as they are drawn."""

from collections.abc import Callable

import figure_tables
import pandas as pd
import pytest
from bounds import overlaps
from figure_tables import shipped
from matplotlib.figure import Figure
from test_figures import NAMES, OF_CHOSEN, draw, rates
from test_figures_of_differences import drawn, of_matched, of_thresholds

from emsteer.figures import matched, thresholds

TABLES: dict[str, Callable[[], pd.DataFrame]] = {"matched": of_matched, "thresholds": of_thresholds}


@pytest.mark.parametrize("name", NAMES)
def test_figures_of_rates_and_of_chosen_settings(name: str) -> None:
    rows = figure_tables.chosen() if name in OF_CHOSEN else rates(name, shipped(n_draws=3))
    assert overlaps(draw(name, rows)[0]) == []


@pytest.mark.parametrize("module", [matched, thresholds])
def test_figures_of_differences(module: object) -> None:
    table = TABLES[str(module.__name__).rpartition(".")[2]]()  # type: ignore[attr-defined]
    assert overlaps(drawn(module, table)[0]) == []


def test_what_is_written_over_something_is_found() -> None:
    figure = Figure(figsize=(3, 2), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], label="one")
    assert overlaps(figure) == []
    figure.text(0.5, 0.5, "first")
    figure.text(0.52, 0.5, "second")
    figure.text(0.99, 0.9, "too far to the right")
    axis.legend()
    found = overlaps(figure)
    assert "'first' over 'second'" in found and "'too far to the right' leaves the figure" in found and "a legend on data" in found
