"""The columns that name a setting: one name per setting, and its dose in both units."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from settings_by_hand import setting

from emsteer import schemas, storage
from emsteer.analysis.settings import doses, name_of, setting_columns, setting_labels, setting_name
from emsteer.packs import Job
from emsteer.recipes import Judged, Setting, SettingRow, Thresholds

STEERED = {"arm": "steered", "model": "tiny", "task": "gardening", "vector": "trained", "layer": 1, "epochs": 8, "seed": 0,
           "dose": 1.25, "dose_unit": "vector_norm", "positions": "all"}  # fmt: skip
FINETUNED = {"arm": "finetuned", "model": "tiny", "task": "gardening", "adapter": "lora", "steps": 32, "seed": 1, "dose": 0.5,
             "dose_unit": "adapter_scale"}  # fmt: skip
AXES = {
    "model": ["tiny", "other"],
    "task": ["gardening", "cooking"],
    "kind": [{"vector": "trained", "epochs": 8}, {"vector": "low_rank", "epochs": 8, "rank": 2}, {"vector": "mean_difference"}],
    "layer": [1, 11],
    "seed": [0, 1],
    "draw": [None, 0, 1],
    "dose": [-1.0, 0.0, 0.25, 1.0, 1.25, 10.0],
    "dose_unit": ["vector_norm", "residual_norm"],
    "positions": ["all", "answer"],
}


def test_a_name_is_unique_over_a_grid_of_settings() -> None:
    names: dict[str, Setting] = {}
    for values in product(*AXES.values()):
        chosen = dict(zip(AXES, values, strict=True))
        kind = chosen.pop("kind")
        one = setting({"arm": "steered" if chosen["draw"] is None else "random", **kind, **chosen})
        assert names.setdefault(setting_name(one), one) == one
    for steps, seed, dose in product([1, 11], [0, 1], [0.5, 1.0]):
        one = setting({**FINETUNED, "steps": steps, "seed": seed, "dose": dose})
        assert names.setdefault(setting_name(one), one) == one
    assert len(names) == 2**2 * 3 * 2**2 * 3 * 6 * 2 * 2 + 8


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (STEERED, "tiny.gardening.trained.s0.l1.e8.a1.25"),
        ({**STEERED, "arm": "random", "draw": 0, "positions": "answer"}, "tiny.gardening.trained.s0.l1.e8.random0.answer.a1.25"),
        ({**STEERED, "vector": "low_rank", "rank": 4, "dose_unit": "residual_norm"}, "tiny.gardening.low_rank.s0.l1.e8.k4.c1.25"),
        (FINETUNED, "tiny.gardening.lora.s1.t32.x0.5"),
        ({"arm": "base", "model": "tiny", "task": "cooking"}, "tiny.base"),
    ],
)
def test_a_name_tells_the_axes_apart_at_a_glance(values: dict, name: str) -> None:
    assert setting_name(setting(values)) == name


def test_a_name_without_its_seed_is_that_of_all_its_seeds() -> None:
    columns = {**STEERED, "seed": 3, "rank": np.nan, "n": 7}
    assert name_of(columns) == "tiny.gardening.trained.s3.l1.e8.a1.25"
    assert name_of(columns, seeded=False) == "tiny.gardening.trained.l1.e8.a1.25"


def test_a_setting_of_two_treatments_has_the_columns_of_the_last_and_the_name_of_the_one_beneath() -> None:
    both = setting(STEERED, beneath=[{name: FINETUNED[name] for name in ("adapter", "steps", "seed", "dose")}])
    columns = setting_columns(both)
    assert columns == setting_columns(setting(STEERED)) | {"beneath": "lora.s1.t32.x0.5"}
    assert setting_name(both) == name_of(columns) == "tiny.gardening.lora.s1.t32.x0.5+trained.s0.l1.e8.a1.25"


@pytest.mark.parametrize("dose", [-2.0, 0.0, 0.3, 7.0])
@pytest.mark.parametrize("vector_norm", [0.01, 4.0, 300.0])
def test_both_units_name_the_same_push(dose: float, vector_norm: float) -> None:
    (given,) = setting({**STEERED, "dose": dose}).treatments
    as_built, relative = doses(given, vector_norm, 5.0)
    assert as_built == dose and relative == pytest.approx(dose * vector_norm / 5.0)
    (back,) = setting({**STEERED, "dose": relative, "dose_unit": "residual_norm"}).treatments
    assert doses(back, vector_norm, 5.0) == (pytest.approx(dose, rel=1e-12), relative)


def test_a_vector_of_no_length_has_no_dose() -> None:
    assert doses(*setting(STEERED).treatments, 0.0, 5.0) == (None, None)


def test_labels_read_norms_scales_and_residual_norms_from_the_artifacts(tmp_path: Path) -> None:
    directions = np.array([[0, 0], [3, 4]], dtype=np.float32)
    storage.write_tensors({"directions": directions, "layers": np.array([0, 1])}, tmp_path / "v.safetensors", {"address": "v"})
    (tmp_path / "a").mkdir()
    storage.write_json({"address": "a", "relative_norm": 0.1}, tmp_path / "a/passport.json")
    storage.write_json({"residual_norms": [1.0, 10.0]}, tmp_path / "c.json")
    at_kl = {"directions": np.array([[6, 8]], dtype=np.float32), "layers": np.array([1])}
    storage.write_tensors(at_kl, tmp_path / "k.safetensors", {"address": "k", "scale": 2.0, "kl": 0.31})
    beneath = [{name: FINETUNED[name] for name in ("adapter", "steps", "seed", "dose")}]
    settings = [(setting(STEERED), ("v",)), (setting(FINETUNED), ("a",)), (setting(STEERED, beneath), ("a", "v"))]
    settings.append((setting(STEERED | {"dose_unit": "kl", "dose": 0.3}), ("k",)))
    settings.append((setting({"arm": "base", "model": "tiny", "task": "gardening"}), ()))
    rows = tuple(
        SettingRow(setting=one, benchmark="b", judge="j", questions="q", scores=(), margins="m", made=made, calibration="c")
        for one, made in settings
    )
    thresholds = {"j": Thresholds(misaligned_below=30, coherent_above=50, relevant_above=50)}
    recipe = Judged(rows=rows, thresholds=thresholds, in_domain={}, planted={})
    inputs = {
        "vectors": (tmp_path / "v.safetensors", tmp_path / "k.safetensors"),
        "adapters": (tmp_path / "a",),
        "calibrations": (tmp_path / "c.json",),
    }
    addresses = {"vectors": ("v", "k"), "adapters": ("a",), "calibrations": ("c",)}
    labels = setting_labels(Job(recipe, inputs, addresses, "judged--0", tmp_path / "out", {}))
    found = [(label["dose_as_built"], label["dose_relative"], label["dose_kl"]) for label in labels]
    assert found == [
        (1.25, pytest.approx(1.25 * 5 / 10), None),
        (0.5, pytest.approx(0.05), None),
        (1.25, pytest.approx(1.25 * 5 / 10), None),
        (2.0, pytest.approx(10 / 10), 0.31),
        (None, None, None),
    ]
    assert {*labels[0], "split"} == set(schemas.Settings.to_schema().columns)
