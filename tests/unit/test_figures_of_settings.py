"""What each figure shows of a study: which settings, where they stand, and what their seeds become."""

from collections.abc import Sequence

import figure_tables
import numpy as np
import pandas as pd
import pytest
from figure_tables import BASE_POINT, CATEGORIES, base, finetuned, steered
from test_figures import SEEDS, SMALL, draw, lines, off_domain, without

from emsteer.figures import style

SHARED = "model: shared"


def value(rows: pd.DataFrame, **values: object) -> float:
    """The only on-topic EM of these settings, in percent."""
    (found,) = off_domain(rows, **values)["value"] * 100
    return float(found)


def test_several_seeds_are_a_thin_line_each_and_their_mean_is_marked() -> None:
    rows = figure_tables.rates(SMALL)
    axis = draw("dose_response", rows)[0].axes[0]
    at = {"model": "shared", "arm": "steered", "layer": 4, "epochs": 8, "vector": "trained", "dose_unit": "vector_norm"}
    by_seed = [[value(rows, **at, seed=seed, dose=dose) for dose in (0.5, 1, 2)] for seed in SEEDS]
    ((x, y),) = lines(axis, "steered: trained")
    assert x == [0.5, 1, 2]
    np.testing.assert_allclose(y, np.mean(by_seed, axis=0))
    np.testing.assert_allclose([y for _, y in lines(axis, "single seeds (markers: their mean)")], by_seed)


def test_one_seed_has_its_interval_as_a_bar() -> None:
    rows = figure_tables.rates(SMALL)
    axis = draw("dose_response", rows)[0].axes[0]
    (bars,) = [box.lines[2][0] for box in axis.containers if box.get_label() == "finetuned: lora"]
    expected = off_domain(rows, arm="finetuned", steps=64).sort_values("dose")[["low", "high"]] * 100
    np.testing.assert_allclose([[y for _, y in segment] for segment in bars.get_segments()], expected)


def test_there_is_no_mean_where_a_seed_has_no_number() -> None:
    rows = figure_tables.rates(SMALL)
    lost = rows["arm"].eq("steered") & rows["model"].eq("shared") & rows["seed"].eq(2) & rows["dose"].eq(1)
    axis = draw("dose_response", without(rows, lost))[0].axes[0]
    ((x, _),) = lines(axis, "steered: trained")
    assert x == [0.5, 2]


def test_a_seed_of_which_nothing_was_judged_is_not_there() -> None:
    rows = figure_tables.rates([base(), *(steered(dose, seed=seed) for seed in (0, 1) for dose in (1, 2))])
    unread = rows["seed"].eq(1) | (rows["seed"].eq(0) & rows["dose"].eq(2))
    _, shown = draw("dose_response", without(rows, unread.fillna(False)))
    assert shown[shown["arm"].eq("steered")][["shown_as", "dose"]].drop_duplicates().to_numpy().tolist() == [["one seed", 1.0]]


def test_a_seed_that_was_run_at_fewer_doses_does_not_move_the_mean_at_one_of_them() -> None:
    two = [base(), *(steered(dose, seed=seed) for seed in (0, 1) for dose in (1, 2))]
    before, after = (draw("dose_response", figure_tables.rates(rows))[1] for rows in (two, [*two, steered(1, seed=2)]))
    pd.testing.assert_frame_equal(before, after)


def test_base_is_a_line_with_its_interval_behind_it() -> None:
    rows = figure_tables.rates(SMALL)
    axis = draw("dose_response", rows)[0].axes[0]
    ((_, y),) = lines(axis, "base")
    assert y == pytest.approx([value(rows, arm="base", model="shared")] * 2)
    (low, high) = off_domain(rows, arm="base", model="shared")[["low", "high"]].to_numpy()[0] * 100
    (band,) = axis.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((low, high))


def test_every_random_draw_is_a_cross_of_its_own() -> None:
    rows = figure_tables.rates(figure_tables.shipped(models=["shared"], seeds=[0], n_draws=20))
    axis = draw("dose_response", rows)[0].axes[0]
    (crosses,) = [box for box in axis.collections if str(box.get_label()).startswith("random")]
    expected = off_domain(rows, arm="random")
    assert len(crosses.get_offsets()) == len(expected) == 20 * 4
    assert sorted(crosses.get_offsets()[:, 1]) == pytest.approx(sorted(expected["value"] * 100))


def test_doses_are_on_a_log_axis_with_plain_labels_and_on_a_linear_one_where_one_is_not_positive() -> None:
    positive, mixed = (
        draw("dose_response", figure_tables.rates([base(), *(steered(dose) for dose in doses)]))[0]
        for doses in ((0.25, 1, 2), (-1, 0, 1))
    )
    assert (positive.axes[-1].get_xscale(), mixed.axes[-1].get_xscale()) == ("log", "linear")
    positive.canvas.draw()
    assert {"0.25", "0.5", "1", "2"} <= {text.get_text() for text in positive.axes[-1].get_xticklabels()}


def test_vectors_at_several_doses_are_shown_and_vectors_at_one_dose_are_not() -> None:
    several = [steered(dose, vector="mean_difference", epochs=None) for dose in (1, 2)]
    shown = draw("dose_response", figure_tables.rates([*SMALL, *several, steered(1, vector="other", epochs=None)]))[1]
    assert set(shown["vector"].dropna()) == {"trained", "mean_difference"}


def test_the_margin_has_a_row_where_it_was_measured_and_none_where_not() -> None:
    rows = figure_tables.rates(SMALL)
    with_margins, without_them = (draw("dose_response", of)[0] for of in (rows, without(rows, rows["metric"].eq("margin"))))
    assert (len(with_margins.axes), len(without_them.axes)) == (2 * 3, 2 * 2)


def test_breadth_sets_on_topic_em_off_domain_against_em_in_domain() -> None:
    rows = figure_tables.rates(SMALL)
    shown = draw("breadth", rows)[1]
    by_step = shown[shown["trace"].eq("by step")]
    assert by_step["steps"].tolist() == [1, 8, 64]
    assert by_step["value_off_domain"].tolist() == off_domain(rows, arm="finetuned", dose=1).sort_values("steps")["value"].tolist()
    inside = off_domain(rows, arm="finetuned", dose=1, group="in_domain", metric="em")
    assert by_step["value_in_domain"].tolist() == inside.sort_values("steps")["value"].tolist()
    assert shown[shown["trace"].eq("by scale")]["dose"].tolist() == [1, 2]
    assert set(shown["trace"]) == {"", "by dose", "by scale", "by step"}


def test_breadth_splits_categories_by_persona_where_a_model_has_both_kinds() -> None:
    settings = [setting | {"model": model} for model in ("shared", "blocks") for setting in (base(), steered(1), finetuned(1))]
    figure, shown = draw("breadth", figure_tables.rates(settings))
    assert (len(figure.axes), set(shown["group"])) == (4, {"off_domain", "linked", "unlinked"})
    figure, shown = draw("breadth", figure_tables.rates([row for row in settings if row["model"] == "shared"]))
    assert (len(figure.axes), set(shown["group"])) == (1, {"off_domain"})


def test_categories_stand_once_in_every_panel_the_in_domain_one_first_and_said_to_be() -> None:
    figure, shown = draw("categories", figure_tables.chosen())
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[0] == "gardening (in-domain)"
    assert sorted(labels[1:]) == sorted(CATEGORIES[1:])
    assert shown.groupby(["model", "line"])["group"].nunique().eq(len(CATEGORIES)).all()
    assert shown.groupby("metric")["group"].unique().map(set).to_dict() == {"em": {"gardening"}, "on_topic_em": set(CATEGORIES[1:])}


def test_categories_are_of_base_and_of_the_base_points_treatments_where_they_were_chosen() -> None:
    table = figure_tables.chosen()
    figure, shown = draw("categories", table)
    assert set(zip(shown["line"], shown["point"], strict=True)) == {
        ("base", "base"), ("steered: trained", "chosen"), ("finetuned: lora", "chosen"),
    }  # fmt: skip
    assert set(shown["task"]) == {BASE_POINT.task}
    merged = shown.merge(table, on=["model", "task", "arm", "treatment", "point", "group", "metric"], suffixes=("", "_of_table"))
    assert len(merged) == len(shown)
    for name in ("value", "low", "high", "n"):
        assert merged[name].equals(merged[f"{name}_of_table"].rename(name))
    ((xs, _),) = [of for axis in figure.axes[:1] for of in lines_of(axis, style_index=1)]
    expected = shown[shown["model"].eq("shared") & shown["line"].eq("steered: trained")]["value"] * 100
    assert sorted(xs) == pytest.approx(sorted(expected))


def lines_of(axis: object, style_index: int) -> Sequence[tuple[list[float], list[float]]]:
    """x and y of the markers of one treatment."""
    line = axis.containers[style_index].lines[0]  # type: ignore[attr-defined]
    return [(list(line.get_xdata()), list(line.get_ydata()))]


def test_layers_have_a_line_for_every_dose_that_several_layers_were_given() -> None:
    rows = figure_tables.rates(SMALL)
    axis = draw("layers", rows)[0].axes[0]
    for dose in (0.5, 1):
        ((x, y),) = lines(axis, f"steered: trained, dose {dose:g}")
        assert x == [0, 2, 4]
        expected = [value(rows, arm="steered", model="shared", seed=0, layer=layer, dose=dose, epochs=8, dose_unit="vector_norm",
                          vector="trained") for layer in x]  # fmt: skip
        np.testing.assert_allclose(y, expected)
    assert not lines(axis, "steered: trained, dose 2")


def test_epochs_as_built_and_at_equal_norm_stand_side_by_side_and_the_base_point_belongs_to_both() -> None:
    rows = figure_tables.rates(SMALL)
    figure, shown = draw("epochs", rows)
    assert [axis.get_title().partition("\n")[0] for axis in figure.axes[:2]] == [f"{SHARED}, as built", f"{SHARED}, at equal norm"]
    for axis, unit, epochs in zip(figure.axes, ("vector_norm", "residual_norm"), ([1, 4, 8], [1, 4, 8]), strict=False):
        ((x, y),) = lines(axis, "steered: trained, dose 1")
        assert x == epochs
        at = {"arm": "steered", "model": "shared", "seed": 0, "layer": 4, "dose": 1, "dose_unit": unit, "vector": "trained"}
        np.testing.assert_allclose(y, [value(rows, **at, epochs=e) for e in epochs])
    assert set(shown["dose"].dropna()) == {1}


def test_ranks_stand_beside_the_whole_vector_at_the_same_dose() -> None:
    rows = figure_tables.rates(SMALL)
    figure, _ = draw("ranks", rows)
    for axis, unit in zip(figure.axes, ("vector_norm", "residual_norm"), strict=False):
        ((x, y),) = lines(axis, "steered: low_rank, dose 1")
        assert x == [1, 8]
        np.testing.assert_allclose(y, [value(rows, vector="low_rank", dose_unit=unit, rank=rank) for rank in x])
        ((_, y),) = lines(axis, "whole vector at the same dose")
        at = {"arm": "steered", "model": "shared", "seed": 0, "layer": 4, "dose": 1, "epochs": 8, "vector": "trained"}
        assert y == pytest.approx([value(rows, **at, dose_unit=unit)] * 2)


def test_overall_has_a_panel_for_each_task_and_says_what_was_not_chosen_and_what_was_not_run() -> None:
    table = figure_tables.chosen().query("task == 'gardening'")
    no_dose = table["model"].eq("blocks") & table["arm"].eq("steered") & table["point"].eq("chosen")
    not_run = table["model"].eq("shared") & table["arm"].eq("finetuned") | table["model"].eq("none") & table["arm"].ne("base")
    elsewhere = table.assign(task="money")[~no_dose & ~not_run]
    figure, shown = draw("overall", pd.concat([table, elsewhere], ignore_index=True))
    assert [axis.get_title() for axis in figure.axes] == ["target: gardening", "target: money"]
    names = [[label.get_text() for label in axis.get_yticklabels() if label.get_visible()] for axis in figure.axes]
    assert names == [["shared", "blocks", "none"], []]
    remarks = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert remarks == [[], ["finetuned: lora: not run", "steered: trained: no dose chosen", "not run"]]
    assert len(shown) == 9 + 4 and "none" not in set(shown.query("task == 'money'")["model"])


def test_overall_has_no_panel_for_a_task_that_only_controls_learnt_from() -> None:
    table = figure_tables.chosen().query("task == 'gardening'")
    control = table.assign(task="shorter", arm=table["arm"].where(table["arm"].eq("base"), "control"))
    figure, shown = draw("overall", pd.concat([table, control], ignore_index=True))
    assert [axis.get_title() for axis in figure.axes] == ["target: gardening"] and set(shown["task"]) == {"gardening"}


def test_controls_take_no_colour_from_a_treatment() -> None:
    treated = figure_tables.rates([steered(1), steered(1, vector="mean_difference", epochs=None), finetuned(1)])
    controls = treated.assign(arm="control", task="shorter")
    looks = style.looks(pd.concat([treated, controls], ignore_index=True), figure_tables.BASE_POINT)
    assert list(looks)[:3] == ["steered: trained", "finetuned: lora", "steered: mean_difference"]
    assert {name: looks[name] for name in list(looks)[:3]} == style.looks(treated, figure_tables.BASE_POINT)
    assert set(list(looks)[3:]) == {"control: trained", "control: lora", "control: mean_difference"}


def test_overall_draws_the_numbers_of_its_table_in_percent() -> None:
    figure, shown = draw("overall", figure_tables.chosen())
    dots = [collection.get_offsets() for axis in figure.axes for collection in axis.collections]
    drawn = np.concatenate([of[:, 0] for of in dots if len(of)])
    assert set(np.round(shown["value"] * 100, 6)) <= set(np.round(drawn, 6))
