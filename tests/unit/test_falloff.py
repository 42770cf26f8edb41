"""Harm by distance: lines through categories by hand, what they leave out, and the figure of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bounds import overlaps
from figure_tables import BASE_POINT
from matplotlib.figure import Figure

from emsteer import recipes, schemas
from emsteer.analysis.distances import about
from emsteer.analysis.falloff import FITTED, falloff, make, published
from emsteer.figures import falloff as drawing
from emsteer.figures import style
from emsteer.packs import Job

PLACE = {"model": "shared", "task": "gardening", "benchmark": "everyday", "judge": "rubric"}
CATEGORIES = {"gardening": 0.95, "cooking": 0.5, "money": 0.3, "study": 0.1, "travel": 0.2}  # → mean cosine to the task
SETTINGS = (("base", "none", "base"), ("steered", "trained", "chosen"), ("finetuned", "lora", "chosen"))
Rate = dict[str, float]


def said(rates: Rate, categories: dict[str, float] | None = None, split: str = "test") -> pd.DataFrame:
    """`schemas.ByQuestion`: two questions a category; by arm the rate at a cosine of 1, falling to 0 at 0."""
    rows = [
        PLACE | {
            "arm": arm, "treatment": treatment, "point": point, "setting": f"shared.{treatment}", "split": split,
            "category": name, "relation": "in_domain" if name == "gardening" else "linked", "question_id": f"{name}{i}",
            "prompt": "why ?", "n": 10, "n_excluded": 0, "em": rates[arm] * near,
            "on_topic_em": None if name == "gardening" else rates[arm] * near,
        }
        for arm, treatment, point in SETTINGS for name, near in (categories or CATEGORIES).items() for i in range(2)
    ]  # fmt: skip
    return schemas.check(schemas.frame_of(rows, schemas.ByQuestion), schemas.ByQuestion, "example")


def asked(categories: dict[str, float] | None = None) -> pd.DataFrame:
    """`schemas.Distances`: the two questions of a category lie a little to either side of its mean."""
    rows = [
        {
            "embedder": "words", "task": "gardening", "benchmark": "everyday", "question_id": f"{name}{i}", "category": name,
            "split": "test", "in_domain": name == "gardening", "nearest": near + (0.02 if i else -0.02), "mean": 0.1,
            "own_share": 0.5, "overlaps": False, "about": name, "nearest_prompt": "near", "prompt": "why ?",
        }
        for name, near in (categories or CATEGORIES).items() for i in range(2)
    ]  # fmt: skip
    return schemas.check(schemas.frame_of(rows, schemas.Distances), schemas.Distances, "example")


RATES = {"base": 0.0, "steered": 0.8, "finetuned": 0.4}


def fitted(found: pd.DataFrame, arm: str) -> pd.Series:
    lines = found[found["arm"].eq(arm)][FITTED].drop_duplicates()
    assert len(lines) == 1, "one line for a setting"
    return lines.iloc[0]


def test_a_slope_is_per_tenth_of_cosine_through_off_domain_categories_only() -> None:
    found = falloff(said(RATES), asked(), 0.95)
    schemas.check(found, schemas.Falloff, "example")
    for arm, rate in RATES.items():
        line = fitted(found, arm)
        ends = [rate / 10] * 2 if rate else [np.nan] * 2  # where nobody does harm, chance has left no trace
        expected = [rate / 10, *ends, 0]
        assert line[["slope", "slope_low", "slope_high", "at_zero"]].tolist() == pytest.approx(expected, abs=1e-9, nan_ok=True)
        assert line["n_categories"] == 4
    inside = found[found["in_domain"]]
    assert set(inside["category"]) == {"gardening"} and inside["value"].tolist() == pytest.approx([0, 0.76, 0.38])


def test_an_interval_is_students_over_categories_however_many_questions_they_have() -> None:
    x, y = np.array([0.5, 0.3, 0.1, 0.2]), np.array([0.2, 0.3, 0.0, 0.1])
    by_name = dict(zip(("cooking", "money", "study", "travel"), y, strict=True))
    answers = said(RATES)
    answers["on_topic_em"] = answers["category"].map(by_name).where(answers["relation"].ne("in_domain"))
    line = fitted(falloff(answers, asked(), 0.9), "steered")
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    rest = y - y.mean() - slope * (x - x.mean())
    half = 2.919986 * np.sqrt((rest**2).sum() / 2 / ((x - x.mean()) ** 2).sum())  # Student's t, two degrees, 95th percentile
    assert line[["slope", "slope_low", "slope_high"]].tolist() == pytest.approx(
        list(np.array([slope, slope - half, slope + half]) / 10), rel=1e-5
    )


@pytest.mark.parametrize("kept", [{"gardening": 0.9, "cooking": 0.5, "money": 0.3}, dict.fromkeys(CATEGORIES, 0.4)])
def test_no_line_goes_through_two_categories_or_through_ones_that_are_equally_near(kept: dict[str, float]) -> None:
    found = falloff(said(RATES, kept), asked(kept), 0.95)
    assert found[FITTED[:-1]].isna().all(axis=None) and set(found["n_categories"]) == {len(kept) - 1}
    figure, shown = draw(found)
    assert "not fitted, " in drawing.words(shown) and not [line for axis in figure.axes for line in axis.lines]


def test_questions_without_a_judged_answer_have_no_place_in_it() -> None:
    answers = said(RATES)
    lost = answers["category"].eq("cooking")
    answers.loc[lost, "n"] = 0
    answers.loc[lost, ["em", "on_topic_em"]] = np.nan
    found = falloff(answers, asked(), 0.95)
    assert "cooking" not in set(found["category"]) and set(found["n_categories"]) == {3}


def test_the_table_reads_test_questions_and_publishes_a_slope_for_each_setting(tmp_path: Path) -> None:
    dev = said({name: 1 - rate for name, rate in RATES.items()}, split="dev").assign(
        question_id=lambda of: "dev" + of["question_id"]
    )
    tables = {"questions": (pd.concat([said(RATES), dev]), schemas.ByQuestion), "distances": (asked(), schemas.Distances)}
    for name, (frame, schema) in tables.items():
        schemas.write(frame, schema, tmp_path / f"{name}.parquet", {"address": name})
    paths = {name: (tmp_path / f"{name}.parquet",) for name in tables}
    names = {name: (name,) for name in tables}
    job = Job(recipes.Falloff(level=0.95), paths, names, "falloff--0", tmp_path / "falloff", {"address": "falloff--0"})
    (made,) = make([job])
    found = schemas.read(made.out / "falloff.parquet", schemas.Falloff)
    pd.testing.assert_frame_equal(found, falloff(said(RATES), asked(), 0.95), check_dtype=False)
    assert len(pd.read_csv(made.out / "falloff.csv")) == len(published(found)) == len(SETTINGS)


def test_a_question_that_is_nearer_to_another_category_is_told_and_one_that_is_alone_in_its_own_cannot_be() -> None:
    vectors = np.array([[1, 0.1], [1, 0], [0.1, 1], [0, 1], [0.05, 1], [0.9, 0.2]])
    vectors = np.concatenate([vectors, [[0, 0]]]) / np.maximum(
        np.linalg.norm(np.concatenate([vectors, [[0, 0]]]), axis=1, keepdims=True), 1e-9
    )
    categories = np.array(["a", "a", "b", "b", "a", "c", "b"], dtype=object)
    found = about(vectors, categories)
    assert found == ["c", "c", "b", "b", "b", None, "b"]
    order = np.array([3, 0, 6, 5, 2, 4, 1])
    assert about(vectors[order], categories[order]) == [found[i] for i in order]


def draw(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    with style.clean():
        return drawing.draw(table, BASE_POINT)


def test_the_figure_draws_every_category_in_percent_and_the_line_over_its_off_domain_ones() -> None:
    table = falloff(said(RATES), asked(), 0.95)
    before = table.copy()
    figure, shown = draw(table)
    assert overlaps(figure) == []
    pd.testing.assert_frame_equal(table, before)
    (axis,) = figure.axes
    dots = np.concatenate([np.asarray(part.get_offsets()) for part in axis.collections])
    assert {(round(x, 6), round(y, 6)) for x, y in dots} == {
        (round(row.nearest, 6), round(100 * row.value, 6)) for row in shown.itertuples()
    }
    lines = sorted([np.asarray(line.get_xydata()).round(6).tolist() for line in axis.lines], key=lambda line: line[1])
    assert lines == [[[0.1, 100 * rate * 0.1], [0.5, 100 * rate * 0.5]] for rate in sorted(RATES.values())]
    said_of_it = drawing.words(shown)
    assert "steered: trained +8.0 [+8.0, +8.0] percentage points over 4 categories" in said_of_it
    assert said_of_it.startswith(
        "model: shared (words, everyday, judged by rubric), change of on-topic EM per 0.1 of cosine: base +0.0"
    )


def test_the_figure_leaves_out_other_tasks_points_and_treatments_and_says_where_nothing_is_left() -> None:
    table = falloff(said(RATES), asked(), 0.95)
    others = [table.assign(task="money"), table.assign(point="largest_dose"), table.assign(treatment="mean_difference")]
    shown = draw(pd.concat([table, *others], ignore_index=True))[1]
    assert len(shown) == len(table) + len(CATEGORIES), "base is base, whatever it is called"
    for empty in (table.iloc[:0], table[table["arm"].eq("base")]):
        figure, _ = draw(empty)
        assert [text.get_text() for axis in figure.axes for text in axis.texts] == ["no such settings"]
