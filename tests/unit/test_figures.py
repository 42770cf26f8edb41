"""Figures show what the table says: all of it that has a number, nothing else, in the same bytes every time."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import figure_tables
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_tables import BASE_POINT, MODELS, Row, base, finetuned, shipped, steered
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emsteer import recipes, schemas
from emsteer.figures import style
from emsteer.packs import Job

RECIPES = [
    recipes.DoseResponse,
    recipes.Breadth,
    recipes.Tradeoff,
    recipes.Overall,
    recipes.Categories,
    recipes.Layers,
    recipes.Epochs,
    recipes.Ranks,
    recipes.LikenessFigure,
    recipes.WitnessFigure,
]
NAMES = [recipe.module.rpartition(".")[2] for recipe in RECIPES]
OF_CHOSEN = ("overall", "categories")
LIKENESS = ("position", "kl_to_finetuned", "kl_to_base")
OF_RATES = [name for name in NAMES if name not in OF_CHOSEN]
LINED = [name for name in OF_RATES if name not in ("breadth", "tradeoff")]
FORMATS = ["svg", "png", "csv", "txt"]
KEY = ["setting", "model", "task", "benchmark", "judge", "group", "metric"]
TREATED = ["mean of seeds", "seed", "one seed"]
SEEDS = (0, 1, 2)
SMALL = [
    *(base(model) for model in ("shared", "none")),
    *(steered(dose, model=model, seed=seed) for model in ("shared", "none") for seed in SEEDS for dose in (0.5, 1, 2)),
    *(steered(dose, model="shared", arm="random", draw=draw) for draw in range(3) for dose in (0.5, 1)),
    *(finetuned(dose) for dose in (1, 2)),
    *(finetuned(1, steps=steps) for steps in (1, 8)),
    *(steered(dose, layer=layer) for layer in (0, 2) for dose in (0.5, 1)),
    *(steered(1, epochs=epochs) for epochs in (1, 4)),
    *(steered(1, epochs=epochs, dose_unit="residual_norm") for epochs in (1, 4, 8)),
    *(steered(1, vector="low_rank", rank=rank, dose_unit=unit) for rank in (1, 8) for unit in ("vector_norm", "residual_norm")),
]
NOT_SHOWN = [
    base(task="money"),
    steered(1.75, task="money"),
    steered(1.75, positions="answer"),
    steered(1.75, layer=3),
    steered(1.75, epochs=2),
    steered(1.75, vector="mean_difference", epochs=None),
    steered(1.75, arm="random", draw=9, layer=3),
    finetuned(1.75, steps=2),
]
DRAWN_AGAIN = ["dose_response", "breadth", *OF_CHOSEN, "ranks"]  # layers and epochs are drawn by what draws ranks
DRAW_AGAIN = """
import sys, pathlib
sys.path[:0] = [{tests!r}, {unit!r}]
from test_figures import DRAWN_AGAIN, saved
for name in DRAWN_AGAIN:
    saved(name, pathlib.Path(sys.argv[1]) / name)
"""


def table(name: str) -> pd.DataFrame:
    return figure_tables.chosen() if name in OF_CHOSEN else rates(name, SMALL)


def rates(name: str, settings: Sequence[Row]) -> pd.DataFrame:
    """With the metrics that a figure shows."""
    return figure_tables.rates(settings, LIKENESS if name == "likeness" else figure_tables.METRICS)


def draw(name: str, rows: pd.DataFrame, base_point: recipes.BasePoint = BASE_POINT) -> tuple[Figure, pd.DataFrame]:
    with style.clean():
        return import_module(f"emsteer.figures.{name}").draw(rows, base_point)


def saved(name: str, folder: Path, panels: tuple[str, ...] | None = None) -> Path:
    """What the workflow does: from a table on disk to a folder."""
    folder.mkdir(parents=True)
    schema = schemas.Chosen if name in OF_CHOSEN else schemas.Rates
    schemas.write(table(name), schema, folder / "table.parquet", {"address": "table"})
    recipe = RECIPES[NAMES.index(name)](base_point=BASE_POINT, panels=panels)
    inputs, addresses = {"table": (folder / "table.parquet",)}, {"table": ("table",)}
    job = Job(recipe, inputs, addresses, f"{name}--0", folder / "figure", {"address": f"{name}--0"})
    (made,) = import_module(recipe.module).make([job])
    return made.out


def without(rows: pd.DataFrame, mask: pd.Series) -> pd.DataFrame:
    """The table with these groups empty."""
    empty = {"value": np.nan, "low": np.nan, "high": np.nan}
    return rows.assign(**{name: rows[name].where(~mask) for name in empty}, n=rows["n"].where(~mask, 0))


def off_domain(rows: pd.DataFrame, **values: object) -> pd.DataFrame:
    """On-topic EM off-domain, on test questions, of these settings."""
    values = {"group": "off_domain", "metric": "on_topic_em", "split": "test", "task": "gardening", **values}
    return rows[np.logical_and.reduce([rows[name].eq(value).fillna(False) for name, value in values.items()])]


def lines(axis: Axes, label: str) -> list[tuple[list[float], list[float]]]:
    """x and y of the marked lines with this label."""
    found = [line for line in axis.lines if line.get_label() == label]
    found += [box.lines[0] for box in axis.containers if box.get_label() == label]
    return [(np.asarray(line.get_xdata(), float).tolist(), np.asarray(line.get_ydata(), float).tolist()) for line in found]


def ys(figure: Figure) -> np.ndarray:
    """Every vertical position of a marker or line."""
    drawn = [np.asarray(line.get_ydata(), float) for axis in figure.axes for line in axis.lines]
    drawn += [np.asarray(box.get_offsets())[:, 1] for axis in figure.axes for box in axis.collections if len(box.get_offsets())]
    return np.concatenate(drawn)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts]


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("name", NAMES)
def test_drawing_does_not_change_its_input(name: str) -> None:
    rows = table(name)
    draw(name, rows)
    pd.testing.assert_frame_equal(rows, table(name))


def test_another_process_saves_the_same_bytes_whatever_its_hash_seed_and_its_own_fonts_and_line_widths(tmp_path: Path) -> None:
    here = Path(__file__).resolve().parent
    settings = "import matplotlib as m; m.rcParams.update({'lines.linewidth': 9, 'svg.hashsalt': 'x', 'font.size': 30})"
    program = DRAW_AGAIN.format(tests=str(here.parent), unit=str(here))
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "2", "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", f"{settings}\n{program}", str(tmp_path / "there")], env=environment, check=True)
    for name in DRAWN_AGAIN:
        saved(name, tmp_path / "here" / name)
        for ending in FORMATS:
            files = [tmp_path / place / name / "figure" / f"{name}.{ending}" for place in ("here", "there")]
            assert files[0].read_bytes() == files[1].read_bytes(), (name, ending)


def test_a_folder_holds_the_drawing_its_numbers_and_its_passport(tmp_path: Path) -> None:
    folder = saved("layers", tmp_path / "one")
    assert sorted(path.name for path in folder.iterdir()) == [
        "layers.csv",
        "layers.png",
        "layers.svg",
        "layers.txt",
        "passport.json",
    ]
    written, shown = pd.read_csv(folder / "layers.csv"), draw("layers", table("layers"))[1]
    np.testing.assert_allclose(written["value"], shown["value"], rtol=1e-5)


@pytest.mark.parametrize("name", LINED)
def test_every_number_shown_is_the_tables_on_test_questions_or_a_mean_of_such(name: str) -> None:
    rows = table(name)
    shown = draw(name, rows)[1]
    of_settings = shown[shown["shown_as"].ne("mean of seeds")]
    columns = ["value", "low", "high", "n", "n_excluded"]
    found = of_settings.merge(rows[rows["split"].eq("test")], on=KEY, how="left", suffixes=("", "_of_table"))
    for column in columns:
        np.testing.assert_array_equal(found[column], found[f"{column}_of_table"])
    means = shown[shown["shown_as"].eq("mean of seeds")]
    key = ["panel", "line", "metric", "dose", "dose_unit", "layer", "epochs"]
    by_seed = shown[shown["shown_as"].eq("seed")].groupby(key, dropna=False)["value"].mean()
    np.testing.assert_allclose(means.set_index(key)["value"].sort_index(), by_seed.sort_index())


def test_models_that_have_no_panel_are_left_out_of_what_is_drawn(tmp_path: Path) -> None:
    assert set(table("categories")["model"]) == {"shared", "blocks", "none"}
    drawn = pd.read_csv(saved("categories", tmp_path / "fewer", ("none", "shared")) / "categories.csv")
    assert set(drawn["model"]) == {"none", "shared"}


@pytest.mark.parametrize("name", OF_RATES)
def test_numbers_on_dev_questions_change_nothing(name: str) -> None:
    rows = table(name)
    dev = rows["split"].eq("dev")
    before, after = draw(name, rows), draw(name, rows.assign(value=rows["value"].mask(dev, 0.999), high=rows["high"].mask(dev, 1)))
    pd.testing.assert_frame_equal(before[1], after[1])
    np.testing.assert_array_equal(ys(before[0]), ys(after[0]))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_group_is_not_drawn_and_above_all_not_as_zero(name: str) -> None:
    rows = table(name)
    emptied = rows["arm"].eq("steered") & rows["group"].isin(["off_domain", "cooking"]) & rows["dose"].eq(1)
    (before, whole), (after, shown) = draw(name, rows), draw(name, without(rows, emptied))
    key = [column for column in (*KEY, "treatment", "point") if column in shown]
    gone = rows[emptied][key].drop_duplicates()
    assert len(whole.merge(gone, on=key)) > 0 == len(shown.merge(gone, on=key))
    assert shown[[column for column in shown if column.startswith("value")]].notna().all().all()
    assert np.isclose(ys(after), 0).sum() <= np.isclose(ys(before), 0).sum()


@pytest.mark.parametrize("name", ["dose_response", "breadth"])
def test_settings_away_from_the_base_point_are_not_drawn(name: str) -> None:
    away = rates(name, [*SMALL, *NOT_SHOWN])
    pd.testing.assert_frame_equal(draw(name, away)[1], draw(name, rates(name, SMALL))[1])


@pytest.mark.parametrize("name", ["layers", "epochs", "ranks"])
def test_sweeps_of_a_vector_show_the_model_of_the_base_point_only(name: str) -> None:
    others = [setting | {"model": "none"} for setting in SMALL if setting["arm"] == "steered" and setting["model"] == "shared"]
    shown = draw(name, rates(name, [*SMALL, *(other for other in others if other not in SMALL)]))[1]
    pd.testing.assert_frame_equal(shown, draw(name, rates(name, SMALL))[1])
    assert set(shown["model"]) == {"shared"}


@pytest.mark.parametrize("name", ["dose_response", "breadth", "categories"])
def test_every_model_has_a_column_of_its_own_which_says_its_name(name: str) -> None:
    rows = figure_tables.chosen() if name in OF_CHOSEN else rates(name, shipped(n_draws=1))
    figure, _ = draw(name, rows)
    titles = [axis.get_title().partition("\n")[0] for axis in figure.axes if axis.get_title()]
    assert titles == [f"model: {model}" for model in MODELS]
    assert {axis.get_subplotspec().get_gridspec().ncols for axis in figure.axes} == {3}


@pytest.mark.parametrize("name", OF_RATES)
def test_every_judge_has_a_block_of_panels_of_its_own(name: str) -> None:
    rows = table(name)
    figure, shown = draw(name, pd.concat([rows, rows.assign(judge="other")], ignore_index=True))
    one, alone = draw(name, rows)
    assert (len(figure.axes), len(shown)) == (2 * len(one.axes), 2 * len(alone))
    assert sum("judged by other" in axis.get_title() for axis in figure.axes) == sum(bool(axis.get_title()) for axis in one.axes)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_of_one_model_one_dose_one_seed_and_no_adapters_is_drawn(name: str) -> None:
    settings = [base("real"), steered(1, model="real", vector="mean_difference", epochs=None)]
    changes = {"model": "real", "vector": "mean_difference", "epochs": None, "adapter": None, "steps": None}
    chosen = figure_tables.chosen(models=["real"])
    rows = chosen[chosen["arm"].ne("finetuned")] if name in OF_CHOSEN else rates(name, settings)
    figure, shown = draw(name, rows, BASE_POINT.model_copy(update=changes))
    assert set(shown["model"]) == {"real"}
    assert ("steered" in set(shown["arm"])) == (
        name in ("dose_response", "breadth", "tradeoff", *OF_CHOSEN, "likeness", "witnesses")
    )
    assert ("no such settings" in texts(figure)) == (name in ("layers", "epochs", "ranks", "witnesses"))


@pytest.mark.parametrize("name", NAMES)
def test_a_table_without_rows_says_so_in_every_panel(name: str, tmp_path: Path) -> None:
    figure, shown = draw(name, table(name).iloc[:0])
    style.save(figure, shown, tmp_path / "figure", name)
    assert shown.empty
    assert set(texts(figure)) == {"no such settings"}
    assert len(texts(figure)) == len(figure.axes)


@pytest.mark.parametrize("name", NAMES)
def test_a_treatment_has_one_colour_and_one_marker_in_every_figure(name: str) -> None:
    everything = rates(name, shipped(n_draws=1))
    looks = style.looks(everything, BASE_POINT)
    assert len({look["color"] for look in looks.values()}) == len({look["marker"] for look in looks.values()}) == 4
    figure, _ = draw(name, figure_tables.chosen() if name in OF_CHOSEN else everything)
    found = {label: handle for axis in figure.axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    if name in ("breadth", "tradeoff", *OF_CHOSEN):  # these make their own legend
        found = {str(handle.get_label()): handle for handle in figure.legends[0].legend_handles}
    found = {label: handle for label, handle in found.items() if label.partition(",")[0] in looks}
    assert found
    for label, handle in found.items():
        marked = handle.lines[0] if hasattr(handle, "lines") else handle
        treatment, _, dose = label.partition(",")
        assert marked.get_marker() == looks[treatment]["marker"]
        assert dose.startswith(" dose") or marked.get_color() == looks[treatment]["color"]


@pytest.mark.parametrize("name", NAMES)
def test_axes_name_their_units(name: str) -> None:
    figure, _ = draw(name, table(name))
    labels = {axis.get_ylabel() for axis in figure.axes} - {""}
    assert all("[" in label for label in labels)
    assert labels or name in OF_CHOSEN
    if name in ("dose_response", "breadth", *OF_CHOSEN, "layers"):
        assert all("[" in axis.get_xlabel() for axis in figure.axes if axis.get_xlabel())
