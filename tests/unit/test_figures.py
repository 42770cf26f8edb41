"""The dose-response figure: shows what the table says, all of it that has a number, in the same bytes every time."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import dose_response, style
from emsteer.figures.dose_response import make as make_figures
from emsteer.packs import Job
from emsteer.recipes import DoseResponse

METRICS = ["on_topic_em", "em", "coherence", "coverage"]
PLACE = {"model": "tiny", "task": "gardening", "benchmark": "everyday", "judge": "rubric"}
FORMATS = ["svg", "png", "csv"]
DRAW_AGAIN = """
import sys, pathlib
sys.path[:0] = [{tests!r}, {unit!r}]
from test_figures import saved
saved(pathlib.Path(sys.argv[1]))
"""


def rows_of(arm: str, dose: float | None, value: float | None = 0.4, **changes: object) -> list[dict[str, object]]:
    """Every metric of one setting, on both splits and two groups."""
    steered = (
        {}
        if arm == "base"
        else {"vector": "trained", "layer": 4, "epochs": 8, "seed": 0, "positions": "all", "dose_unit": "vector_norm"}
    )
    doses = {"dose": dose, "dose_vector_norm": dose, "dose_residual_norm": dose and dose / 2}
    setting = {**PLACE, "arm": arm, **steered, **doses, **changes}
    name = ".".join(str(setting.get(key)) for key in ("model", "arm", "vector", "layer", "epochs", "positions", "draw", "dose"))
    rows = []
    for split, group, metric in ((s, g, m) for s in ("dev", "test") for g in ("off_domain", "money") for m in METRICS):
        shown = split == "test" and group == "off_domain"
        number = None if value is None else (value if shown else 0.77) * (100 if metric == "coherence" else 1)
        low, high = (None, None) if number is None else (0.9 * number, 1.1 * number)
        counts = {
            "n": 0 if value is None else 31,
            "n_excluded": 3,
            "n_questions": 0 if value is None else 9,
            "interval": "bootstrap",
        }
        rows.append(
            {
                "setting": name,
                **setting,
                "split": split,
                "group": group,
                "metric": metric,
                "value": number,
                "low": low,
                "high": high,
                **counts,
            }
        )
    return rows


def rates(*more: list[dict[str, object]]) -> pd.DataFrame:
    """Base, a trained vector at three doses, another at two, two random draws."""
    rows = rows_of("base", None, 0.02)
    for dose, value in ((1.5, 0.5), (0.5, 0.1), (1.0, 0.3)):
        rows += rows_of("steered", dose, value)
    for dose in (1.0, 2.0):
        rows += rows_of("steered", dose, 0.2, vector="mean_difference", epochs=None, positions="answer")
    for draw in (0, 1):
        rows += rows_of("random", 1.0, 0.05 + 0.01 * draw, draw=draw)
    numbers = dict.fromkeys(("value", "low", "high"), float)
    table = schemas.frame_of([*rows, *(row for of in more for row in of)], schemas.Rates).astype(numbers)
    return schemas.check(table, schemas.Rates, "rates")


def saved(folder: Path) -> Path:
    """What the workflow does: from a table on disk to a folder."""
    folder.mkdir(parents=True)
    schemas.write(rates(), schemas.Rates, folder / "rates.parquet", {"address": "rates"})
    inputs, addresses = {"rates": (folder / "rates.parquet",)}, {"rates": ("rates",)}
    (job,) = make_figures(
        [Job(DoseResponse(), inputs, addresses, "dose_response--0", folder / "figure", {"address": "dose_response--0"})]
    )
    return job.out


@pytest.fixture
def drawn() -> Iterator[tuple[Figure, pd.DataFrame]]:
    with matplotlib.rc_context(style.RC):
        yield dose_response.draw(rates())
    plt.close("all")


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_drawing_does_not_change_its_input(drawn: tuple[Figure, pd.DataFrame]) -> None:
    table = rates()
    dose_response.draw(table)
    pd.testing.assert_frame_equal(table, rates())


def test_drawing_twice_saves_the_same_bytes(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "one"), saved(tmp_path / "other")
    for ending in FORMATS:
        assert (one / f"dose_response.{ending}").read_bytes() == (other / f"dose_response.{ending}").read_bytes()


def test_two_processes_save_the_same_bytes_whatever_their_hash_seeds_and_their_own_fonts_and_line_widths(tmp_path: Path) -> None:
    here = Path(__file__).resolve().parent
    program = DRAW_AGAIN.format(tests=str(here.parent), unit=str(here))
    folders = []
    for seed, preamble in (
        (1, ""),
        (2, "import matplotlib as m; m.rcParams.update({'lines.linewidth': 9, 'svg.hashsalt': 'x', 'font.size': 30})"),
    ):
        environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": str(seed), "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-c", f"{preamble}\n{program}", str(tmp_path / str(seed))], env=environment, check=True)
        folders.append(tmp_path / str(seed) / "figure")
    for ending in FORMATS:
        assert len({(folder / f"dose_response.{ending}").read_bytes() for folder in folders}) == 1


def test_the_csv_holds_every_number_drawn_with_its_n_and_its_interval(tmp_path: Path) -> None:
    shown = pd.read_csv(saved(tmp_path / "one") / "dose_response.csv")
    assert {"value", "low", "high", "n", "n_excluded", "dose_vector_norm", "dose_residual_norm"} <= set(shown)
    assert len(shown) == 8 * 3  # settings × panels
    assert (set(shown["n"]), set(shown["n_excluded"])) == ({31}, {3})
    assert (shown["low"] < shown["value"]).all()
    assert (shown["value"] < shown["high"]).all()
    top = shown[shown["dose_vector_norm"].eq(1.5) & shown["metric"].eq("coherence")]
    assert top[["value", "low", "high", "dose_residual_norm"]].to_numpy().tolist() == [[50, 45, 55, 0.75]]


def test_only_off_domain_test_questions_are_shown(drawn: tuple[Figure, pd.DataFrame]) -> None:
    figure, data = drawn
    assert not data["value"].isin([0.77, 77]).any()
    assert all(77 not in np.asarray(line.get_ydata(), float).round(6) for axis in figure.axes for line in axis.lines)


def test_points_stand_at_their_dose_in_residual_norms_in_order_and_in_the_unit_of_the_axis(
    drawn: tuple[Figure, pd.DataFrame],
) -> None:
    panels = dict(zip(METRICS, drawn[0].axes, strict=False))
    for metric, ys in (("on_topic_em", [10, 30, 50]), ("em", [10, 30, 50]), ("coherence", [10, 30, 50])):
        line = next(of[0] for of in panels[metric].containers if of.get_label().startswith("steered: trained"))
        assert line.get_xdata().tolist() == [0.25, 0.5, 0.75]
        assert line.get_ydata().astype(float).round(9).tolist() == ys
        assert "[" in panels[metric].get_ylabel()
        assert "residual norms" in panels[metric].get_xlabel()


def test_every_point_of_a_steered_setting_has_its_interval(drawn: tuple[Figure, pd.DataFrame]) -> None:
    for container in drawn[0].axes[0].containers:
        bars = container[2][0].get_segments()
        ends = [(round(bottom, 6), round(top, 6)) for (_, bottom), (_, top) in bars]
        assert ends == [(round(0.9 * y, 6), round(1.1 * y, 6)) for y in container[0].get_ydata()]


def test_null_rates_are_not_drawn_and_not_in_the_data() -> None:
    figure, data = dose_response.draw(rates(rows_of("steered", 9.0, None), rows_of("random", 9.0, None, draw=2)))
    expected = dose_response.draw(rates())[1]
    pd.testing.assert_frame_equal(data.reset_index(drop=True), expected.reset_index(drop=True))
    for axis in figure.axes:
        assert all(4.5 not in line.get_xdata() for line in axis.lines)
        assert all(4.5 not in points.get_offsets()[:, 0] for points in axis.collections)
    plt.close("all")


def test_every_arm_has_one_legend_entry_and_lines_differ_in_colour_and_in_marker(drawn: tuple[Figure, pd.DataFrame]) -> None:
    figure, _ = drawn
    lines = ["steered: trained, layer 4, 8 epochs, seed 0", "steered: mean_difference, layer 4, seed 0, answer positions"]
    assert sorted(legend(figure)) == sorted(["base", *lines, "random direction, equal norm"])
    for axis in figure.axes:
        styles = [(of[0].get_color(), of[0].get_marker()) for of in axis.containers]
        assert len({colour for colour, _ in styles}) == len({marker for _, marker in styles}) == 2
    assert len({tuple(of[0].get_color() for of in axis.containers) for axis in figure.axes}) == 1


def test_every_model_has_a_row_of_panels_of_its_own(drawn: tuple[Figure, pd.DataFrame]) -> None:
    figure, data = dose_response.draw(rates(rows_of("base", None, 0.6, model="other")))
    assert len(figure.axes) == len(drawn[0].axes) + 3
    assert set(data["model"]) == {"tiny", "other"}
