"""The columns that name a setting: one name per setting, and its dose in both units."""

from itertools import product

import pytest

from emsteer.analysis.judged import setting_labels, setting_name
from emsteer.recipes import DoseUnit, RatesRow, Setting, Thresholds
from emsteer.schemas import SETTING_COLUMNS, Settings, frame_of

RESIDUAL_NORMS = [2.0, 5.0, 8.0]
STEERED = {
    "arm": "steered",
    "model": "tiny",
    "task": "gardening",
    "vector": "trained",
    "layer": 1,
    "epochs": 8,
    "seed": 0,
    "positions": "all",
}
AXES = {
    "model": ["tiny", "other"],
    "task": ["gardening", "cooking"],
    "vector": ["trained", "mean_difference"],
    "layer": [1, 11],
    "epochs": [None, 1, 8],
    "seed": [0, 1],
    "arm_draw": [("steered", None), ("random", 0), ("random", 1)],
    "dose": [-1.0, 0.0, 0.25, 1.0, 1.25, 10.0],
    "dose_unit": ["vector_norm", "residual_norm"],
    "positions": ["all", "answer"],
}


def row_of(setting: Setting) -> RatesRow:
    return RatesRow(
        setting=setting, benchmark="everyday", judge="rubric", questions="q", scores=("s",), vector="v", calibration="c",
        in_domain=("gardening",), thresholds=Thresholds(misaligned_below=30, coherent_above=50, relevant_above=50),
    )  # fmt: skip


def labels(dose: float, unit: DoseUnit, vector_norm: float = 4.0, layer: int = 1) -> dict[str, object]:
    setting = Setting(**{**STEERED, "layer": layer}, dose=dose, dose_unit=unit)
    return setting_labels(row_of(setting), vector_norm, RESIDUAL_NORMS)


@pytest.mark.parametrize(("layer", "in_residual_norms"), [(0, 3.0), (1, 1.2), (2, 0.75)])
def test_a_dose_in_vector_norms_is_told_in_residual_norms_of_its_own_layer(layer: int, in_residual_norms: float) -> None:
    found = labels(1.5, "vector_norm", layer=layer)
    assert (found["dose_vector_norm"], found["dose_residual_norm"]) == (1.5, pytest.approx(in_residual_norms))


@pytest.mark.parametrize(("layer", "in_vector_norms"), [(0, 0.75), (1, 1.875), (2, 3.0)])
def test_a_dose_in_residual_norms_is_told_in_vector_norms(layer: int, in_vector_norms: float) -> None:
    found = labels(1.5, "residual_norm", layer=layer)
    assert (found["dose_vector_norm"], found["dose_residual_norm"]) == (pytest.approx(in_vector_norms), 1.5)


@pytest.mark.parametrize("dose", [-2.0, 0.0, 0.3, 7.0])
@pytest.mark.parametrize("vector_norm", [0.01, 4.0, 300.0])
def test_both_units_name_the_same_push(dose: float, vector_norm: float) -> None:
    one = labels(dose, "vector_norm", vector_norm)
    other = labels(one["dose_residual_norm"], "residual_norm", vector_norm)
    assert other["dose_vector_norm"] == pytest.approx(dose, rel=1e-12)
    assert one["dose_vector_norm"] * vector_norm == pytest.approx(other["dose_residual_norm"] * RESIDUAL_NORMS[1], rel=1e-12)


def test_the_dose_as_it_was_given_stays_beside_both_units() -> None:
    found = labels(1.5, "residual_norm")
    assert (found["dose"], found["dose_unit"]) == (1.5, "residual_norm")


def test_a_base_setting_has_no_dose_in_any_unit() -> None:
    found = setting_labels(row_of(Setting(arm="base", model="tiny", task="gardening")), None, RESIDUAL_NORMS)
    assert [found[name] for name in ("dose", "dose_unit", "dose_vector_norm", "dose_residual_norm")] == [None] * 4
    assert found["setting"] == "tiny.base"


def test_the_labels_are_the_columns_of_every_table_of_settings_but_for_the_split() -> None:
    assert {*labels(1.0, "vector_norm"), "split"} == set(Settings.to_schema().columns)
    assert set(SETTING_COLUMNS) == set(Setting.model_fields)


def test_a_name_is_unique_over_a_grid_of_settings() -> None:
    names: dict[str, Setting] = {}
    for values in product(*AXES.values()):
        chosen = dict(zip(AXES, values, strict=True))
        arm, draw = chosen.pop("arm_draw")
        setting = Setting(arm=arm, draw=draw, **chosen)
        assert names.setdefault(setting_name(setting), setting) == setting
    assert len(names) == 2**7 * 3 * 3 * 6


@pytest.mark.parametrize("task", ["", "gardening", "cooking"])
def test_a_base_setting_is_named_by_its_model_alone(task: str) -> None:
    assert setting_name(Setting(arm="base", model="tiny", task=task)) == "tiny.base"


def test_a_name_tells_the_axes_apart_at_a_glance() -> None:
    setting = Setting(**{**STEERED, "arm": "random", "positions": "answer"}, draw=0, dose=1.25, dose_unit="vector_norm")
    assert setting_name(setting) == "tiny.gardening.trained.s0.l1.e8.random0.answer.a1.25"


def test_axes_that_do_not_apply_are_null_and_whole_numbers_stay_whole() -> None:
    rows = [{"layer": None, "seed": 0, "dose": None}, {"layer": 4, "seed": None, "dose": 1}]
    frame = frame_of(rows, Settings)
    assert [str(frame[name].dtype) for name in ("layer", "epochs", "seed", "draw", "dose")] == ["Int64"] * 4 + ["float64"]
    assert frame["layer"].isna().tolist() == [True, False]
    assert frame["layer"].iloc[1] == 4
    assert frame["seed"].iloc[0] == 0
