"""Subspaces: angles and shares of directions that are made by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planning import miniature, put, resolved, slugs

from emsteer import schemas, storage
from emsteer.analysis import subspaces
from emsteer.packs import Job
from emsteer.recipes import DirectionGroup, Subspaces

LAYER, WIDTH = 1, 5
ROWS = {"x": [2, 0, 0, 0, 0], "y": [0, 3, 0, 0, 0], "xy": [1, 1, 0, 0, 0], "z": [0, 0, 1, 0, 0], "nothing": [0] * WIDTH}


def group(name: str, *made: str, model: str = "m", vector: str = "trained") -> DirectionGroup:
    return DirectionGroup(model=model, vector=vector, name=name, made=made)


def table(folder: Path, *groups: DirectionGroup) -> pd.DataFrame:
    for name, row in ROWS.items():
        tensors = {"directions": np.array([[9] * WIDTH, row], dtype=np.float32), "layers": np.array([0, LAYER])}
        storage.write_tensors(tensors, folder / f"{name}.safetensors", {"address": name})
    paths = {"vectors": tuple(folder / f"{name}.safetensors" for name in ROWS)}
    job = Job(Subspaces(layer=LAYER, groups=groups), paths, {"vectors": tuple(ROWS)}, "subspaces--0", folder / "out", {})
    return schemas.check(subspaces.table(job), schemas.Subspaces, "subspaces").set_index(["group", "other"])


def test_angles_shares_and_cosines_are_those_by_hand(tmp_path: Path) -> None:
    found = table(tmp_path, group("plane", "x", "y"), group("line", "xy"), group("away", "z", "xy"))
    plane = found.loc[("plane", "plane")]
    assert plane[["n", "cosine", "first_share", "captured", "by_chance"]].tolist() == pytest.approx([2, 0, 0.5, 1, 2 / WIDTH])
    inside = found.loc[("plane", "line")]
    assert inside[["cosine", "first_share", "captured", "first_angle"]].tolist() == pytest.approx([0.5**0.5, 1, 1, 0], abs=1e-5)
    assert found.loc[("line", "plane"), ["captured", "by_chance"]].tolist() == pytest.approx([0.5, 1 / WIDTH])
    away = found.loc[("plane", "away")]
    assert away[["captured", "first_angle", "last_angle"]].tolist() == pytest.approx([0.5, 0, 90], abs=1e-5)
    assert pd.isna(found.loc[("line", "line"), "cosine"]), "a direction and itself"
    assert found.loc[("away", "line"), "cosine"] == 0, "the same direction in both groups is left out"


def test_models_and_constructions_are_apart_and_what_has_no_length_is_no_direction(tmp_path: Path) -> None:
    found = table(tmp_path, group("a", "x", "nothing"), group("a", "y", model="n"), group("b", "z"), group("b", "y", vector="pca"))
    assert len(found) == 6 and found.loc[("a", "b"), "n"] == 1
    empty = table(tmp_path, group("a", "nothing"))
    assert empty.empty


def test_the_plan_groups_seeds_of_a_task_and_tasks_at_the_seed_of_the_base_point() -> None:
    raw = miniature()
    assert "subspaces" not in slugs({cell.address for cell in resolved(raw).of("tables")}), "one seed, one task"
    raw["tasks"]["cooking"] = {**raw["tasks"]["gardening"], "domain": "cooking", "in_domain": ["cooking"]}
    put(raw, "sweeps.seeds", {"arm": "steered", "seeds": [0, 1]})
    put(raw, "sweeps.tasks", {"arm": "steered", "tasks": ["cooking"]})
    (cell,) = (cell for cell in resolved(raw).of("tables") if cell.address.startswith("subspaces--"))
    stem = "mini.{}.trained.s{}.l1.e2"
    assert {(of.model, of.vector, of.name, *slugs(set(of.made))) for of in cell.recipe.groups} == {
        ("mini", "trained", "gardening", stem.format("gardening", 0), stem.format("gardening", 1)),
        ("mini", "trained", "cooking", stem.format("cooking", 0)),
        ("mini", "trained", "tasks", stem.format("cooking", 0), stem.format("gardening", 0)),
    }
