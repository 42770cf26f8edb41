"""Figures of differences: what is compared stands beside its panels, and a mark is where its number is."""

from itertools import product

import pandas as pd
import pytest
from figure_tables import BASE_POINT, MODELS
from matplotlib.figure import Figure

from emsteer import schemas
from emsteer.figures import differences, matched, style, thresholds

PLACE = {"task": "gardening", "benchmark": "everyday", "judge": "rubric", "metric": "on_topic_em"}


def sides(value: float, reference: float) -> dict[str, object]:
    difference = value - reference
    numbers = {"value": value, "reference_value": reference, "difference": difference}
    return numbers | {"low": difference - 0.05, "high": difference + 0.1}


def of_matched() -> pd.DataFrame:
    levels = {"in_domain_em": (0.1, 0.5), "coverage": (0.8, 0.9, 0.95)}
    rows = []
    for model, path, (what, at) in product(MODELS, ("scale", "steps"), levels.items()):
        place = PLACE | {"model": model, "treatment": "trained", "reference": "lora", "path": path, "matched": what, "reached": 1.0}
        rows += [place | {"at": level} | sides(level / 2, 0.1) for level in at]
    others = [{"task": "money"}, {"treatment": "mean_difference"}, {"metric": "em"}, {"reference": "careful_lora"}]
    rows += [{**rows[0], **other} for other in others]
    return schemas.frame_of(rows, schemas.Matched)


def of_thresholds() -> pd.DataFrame:
    rows = []
    for model, (one, other), below, above in product(
        MODELS, (("lora", "none"), ("trained", "none"), ("trained", "lora")), (20.0, 30.0, 40.0), (30.0, 50.0, 70.0)
    ):
        place = PLACE | {"model": model, "treatment": one, "reference": other, "n_questions": 56, "sign_changes": False}
        grid = {"misaligned_below": below, "coherent_above": above, "own": (below, above) == (30.0, 50.0)}
        rows.append(place | grid | sides(below / 100, above / 200))
    rows += [{**rows[0], **other} for other in ({"task": "money"}, {"treatment": "mean_difference"}, {"metric": "em"})]
    return schemas.frame_of(rows, schemas.ThresholdGrid)


def drawn(module: object, table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    with style.clean():
        return module.draw(table, BASE_POINT)  # type: ignore[attr-defined]


def test_steered_and_finetuned_are_compared_where_both_are_at_one_level() -> None:
    figure, shown = drawn(matched, of_matched())
    assert len(shown) == 3 * 2 * (2 + 3), "only of the base point's task, vector, adapter and metric"
    assert [axis.get_title() for axis in figure.axes[:3]] == [f"model: {model}" for model in MODELS]
    first = figure.axes[0]
    assert first.get_ylabel() == "steered − finetuned,\nat equal EM in-domain\n[percentage points]"
    heights = {(round(float(x), -1), round(float(y), 6)) for line in first.containers for x, y in line[0].get_xydata()}
    assert heights == {(10, -5), (50, 15)}
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["adapters by scale", "adapters by step"]
    assert (
        "model: shared, at equal EM in-domain, adapters by step: -5 [-10, +5] at 10 to +15 [+10, +25] at 50."
        in differences.words(shown)
    )


def test_every_threshold_of_coherence_is_a_line_and_the_studys_own_of_harm_is_marked() -> None:
    figure, shown = drawn(thresholds, of_thresholds())
    assert len(shown) == 3 * 3 * 9
    labels = [axis.get_ylabel() for axis in figure.axes[::3]]
    assert labels == [f"{row}\n[percentage points]" for row in ("finetuned − base", "steered − base", "steered − finetuned")]
    for axis in figure.axes:
        assert len(axis.containers) == 3
        assert [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"] == [30.0]
    assert (
        "model: none, steered − base, coherence above 50 is coherent: -5 [-10, +5] at 20 to +15 [+10, +25] at 40."
        in differences.words(shown)
    )


@pytest.mark.parametrize(("module", "table"), [(matched, of_matched), (thresholds, of_thresholds)])
def test_a_table_without_rows_says_so(module: object, table: object) -> None:
    figure, shown = drawn(module, table().iloc[:0])  # type: ignore[operator]
    said = {text.get_text() for axis in figure.axes for text in axis.texts}
    assert shown.empty and said == {"no such settings"} and differences.words(shown) == "There are no such settings."


@pytest.mark.parametrize(("module", "table"), [(matched, of_matched), (thresholds, of_thresholds)])
def test_intervals_of_one_place_stand_side_by_side(module: object, table: object) -> None:
    figure, _ = drawn(module, table())  # type: ignore[operator]
    for axis in figure.axes:
        xs = [float(x) for line in axis.containers for x in line[0].get_xdata()]
        assert len(set(xs)) == len(xs)
