"""Recovery: lines through organisms by hand, who belongs to them, and the figure."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from bounds import overlaps
from figure_tables import BASE_POINT
from figure_tables import chosen as example
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from places import REPOSITORY
from planning import miniature

from emsteer import recipes, schemas, study
from emsteer.analysis.recovery import KEY, make, recovery
from emsteer.figures import recovery as drawing
from emsteer.figures.words import NOTHING
from emsteer.packs import Job
from emsteer.plan.recovery import families_of

BREADTHS = {"shared": 0.8, "blocks": 0.3, "none": 0.0, "again": 0.3, "llama": 0.8}
FAMILIES = {name: "llama" if name == "llama" else "shared" for name in BREADTHS}
LINE = ["slope", "slope_low", "slope_high", "at_zero", "rank_correlation", "n_organisms", "n_breadths"]
Heights = Mapping[str, float]


def chosen(heights: Mapping[str, Heights]) -> pd.DataFrame:
    """`schemas.Chosen` of these models; by arm on-topic EM off-domain."""
    table = example(tuple(BREADTHS), ("gardening",))
    table["planted_breadth"] = table["model"].map(BREADTHS)
    for arm, of in heights.items():
        for model, value in of.items():
            here = (
                table["model"].eq(model)
                & table["arm"].eq(arm)
                & table["group"].eq("off_domain")
                & table["point"].ne("largest_dose")
            )
            table.loc[here & table["metric"].eq("on_topic_em"), ["value", "low", "high"]] = value, value - 0.01, value + 0.01
    return table


ON_A_LINE = {name: 0.05 + 0.9 * breadth for name, breadth in BREADTHS.items()}


def fitted(table: pd.DataFrame, arm: str, family: str = "shared", treatment: str | None = None) -> pd.Series:
    here = table["arm"].eq(arm) & table["family"].eq(family) & table["point"].isin(["base", "chosen"])
    if treatment:
        here &= table["treatment"].eq(treatment)
    lines = table[here][LINE].drop_duplicates()
    assert len(lines) == 1, "one line for a family at one kind of setting"
    return lines.iloc[0]


def test_a_line_goes_through_organisms_that_differ_in_breadth_and_seed_and_leaves_others_out() -> None:
    table = recovery(chosen({"finetuned": {**ON_A_LINE, "llama": 0.1}}), FAMILIES, 0.95)
    line = fitted(table, "finetuned")
    assert (line["slope"], line["at_zero"]) == (pytest.approx(0.9), pytest.approx(0.05))
    assert (line["slope_low"], line["slope_high"]) == (pytest.approx(0.9), pytest.approx(0.9)), "all lie on it"
    assert (line["rank_correlation"], line["n_organisms"], line["n_breadths"]) == (pytest.approx(1), 4, 3)
    other = fitted(table, "finetuned", "llama")
    assert other[["slope", "slope_low", "slope_high", "at_zero", "rank_correlation"]].isna().all() and other["n_organisms"] == 1
    assert not table.duplicated([*KEY, "model"]).any() and set(table["model"]) == set(BREADTHS)


def test_the_interval_takes_the_organism_as_the_unit() -> None:
    heights = {"shared": 0.7, "blocks": 0.4, "again": 0.2, "none": 0.1}
    line = fitted(recovery(chosen({"finetuned": heights}), FAMILIES, 0.9), "finetuned")
    x = np.array([BREADTHS[name] for name in heights])
    ones = np.column_stack([x, np.ones(4)])
    (slope, at_zero), (squares,) = np.linalg.lstsq(ones, np.array([*heights.values()]), rcond=None)[:2]
    error = np.sqrt(squares / 2 / ((x - x.mean()) ** 2).sum())
    t = 2.9199856  # Student's, of .95 with two degrees of freedom
    assert list(line[["slope", "at_zero"]]) == pytest.approx([slope, at_zero])
    assert list(line[["slope_low", "slope_high"]]) == pytest.approx([slope - t * error, slope + t * error], rel=1e-6)


def test_without_three_organisms_of_two_breadths_there_is_no_line_and_of_equal_heights_no_interval() -> None:
    table = chosen({"finetuned": ON_A_LINE, "steered": dict.fromkeys(BREADTHS, 0.25)})
    few = recovery(table[table["model"].isin(["shared", "none"])], FAMILIES, 0.95)
    assert pd.isna(fitted(few, "finetuned")["slope"]) and fitted(few, "finetuned")["n_organisms"] == 2
    alike = recovery(table.assign(planted_breadth=0.3), FAMILIES, 0.95)
    assert pd.isna(fitted(alike, "finetuned")["slope"]) and fitted(alike, "finetuned")["n_breadths"] == 1
    flat = fitted(recovery(table, FAMILIES, 0.95), "steered", treatment="trained")
    assert flat["slope"] == pytest.approx(0) and pd.isna(flat["slope_low"]) and pd.isna(flat["rank_correlation"])


def test_models_that_are_no_organisms_are_left_out() -> None:
    table = recovery(chosen({}), {name: "shared" for name in BREADTHS if name != "llama"}, 0.95)
    assert set(table["model"]) == set(BREADTHS) - {"llama"}
    assert len(schemas.check(recovery(chosen({}), {}, 0.95), schemas.Recovery, "none")) == 0


# -- families ----------------------------------------------------------------------------------------------------------


def test_a_family_is_organisms_that_differ_in_seed_and_linkage_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    raw = miniature()
    mini = raw["models"]["mini"]
    raw["models"] |= {"again": {**mini, "seed": 7}, "llama": {**mini, "architecture": "llama"}, "longer": {**mini, "steps": 31}}
    alone = {"llama": "llama", "longer": "longer"}
    assert families_of(study.parse(raw)) == {"mini": "mini", "mini_none": "mini", "again": "mini", **alone}
    raw["models"] = dict(reversed(raw["models"].items()))
    assert families_of(study.parse(raw))["again"] == "mini", "by the base point's, in whatever order"
    raw["base_point"]["model"] = "llama"
    assert families_of(study.parse(raw))["mini"] == "again", "by the first name"
    assert families_of(study.read(Path("params/smollm.yaml"))) == {}


# -- the figure --------------------------------------------------------------------------------------------------------


def drawn(heights: Mapping[str, Heights]) -> tuple[Figure, pd.DataFrame]:
    return drawing.draw(recovery(chosen(heights), FAMILIES, 0.95), BASE_POINT)


def test_filled_markers_are_the_family_of_the_base_point_and_the_line_is_theirs() -> None:
    figure, shown = drawn({"finetuned": {**ON_A_LINE, "llama": 0.1}})
    (axis,) = figure.axes
    assert axis.get_title() == "target task: gardening"
    assert set(shown["line"]) == {"base", "steered: trained", "finetuned: lora"} and set(shown["point"]) == {"base", "chosen"}
    markers = [of for of in axis.collections if isinstance(of, PathCollection)]
    faces = {matplotlib.colors.to_hex(of.get_facecolor()[0]) for of in markers if len(of.get_offsets()) == 1}
    assert faces == {"#ffffff"}, "one organism of another architecture"
    (line,) = [one for one in axis.lines if np.allclose(one.get_ydata(), [5, 77])]
    assert list(line.get_xdata()) == pytest.approx([0, 80])
    (legend,) = figure.legends
    assert "another architecture or size" in [text.get_text() for text in legend.get_texts()]


def test_a_task_of_which_only_base_was_asked_has_no_panel() -> None:
    table = recovery(chosen({"finetuned": ON_A_LINE}), FAMILIES, 0.95)
    control = table[table["arm"].eq("base")].assign(task="gardening_shorter")
    figure, _ = drawing.draw(pd.concat([table, control], ignore_index=True), BASE_POINT)
    assert overlaps(figure) == []
    assert [axis.get_title() for axis in figure.axes] == ["target task: gardening"]
    figure, shown = drawing.draw(table[table["arm"].eq("base")], BASE_POINT)
    assert len(shown) == 0 and drawing.words(shown) == NOTHING and figure.axes[0].texts, "it says so"


def test_words_tell_slopes_and_what_was_not_fitted() -> None:
    _, shown = drawn({"finetuned": ON_A_LINE})
    assert "finetuned: lora +90 [+90, +90] percentage points over 4 organisms, rank correlation 1.00" in drawing.words(shown)
    few = shown.assign(**dict.fromkeys(LINE[:5]), n_organisms=2, n_breadths=2)
    assert "finetuned: lora not fitted, 2 organisms of 2 breadths" in drawing.words(few)


def test_the_table_is_written_for_programs_and_for_people(tmp_path: Path) -> None:
    path = tmp_path / "chosen--0" / "chosen.parquet"
    path.parent.mkdir()
    schemas.write(chosen({"finetuned": ON_A_LINE}), schemas.Chosen, path, {"address": "chosen--0"})
    recipe = recipes.Recovery(families=FAMILIES, level=0.95)
    job = Job(
        recipe, {"chosen": (path.parent,)}, {"chosen": ("chosen--0",)}, "recovery--0", tmp_path / "recovery--0", {"address": "x"}
    )
    (made,) = make([job])
    table = schemas.read(made.out, schemas.Recovery)
    assert fitted(table, "finetuned")["slope"] == pytest.approx(0.9)
    assert len(pd.read_csv(made.out / "recovery.csv")) == len(table)
