"""Layers by depth: the same place in models of different depth, from the study file to tables and figures."""

from copy import deepcopy
from typing import Any

import pytest
from planning import Study, miniature, put, resolved, rows

from emsteer import study
from emsteer.errors import ConfigError
from emsteer.recipes import BasePoint, SteeringValues
from emsteer.study.depth import block_of


@pytest.fixture
def raw(folder: object) -> Study:
    """The miniature, with a model of five blocks beside those of two."""
    raw = miniature()
    raw["models"]["deep"] = {**deepcopy(raw["models"]["mini"]), "n_layers": 5}
    raw["sweeps"] = {"trained": {"arm": "steered", "models": ["mini", "deep"]}, "adapters": raw["sweeps"]["adapters"]}
    raw["claims"].pop("rank_matters")
    return raw


def steered_at(raw: Study) -> set[tuple[str, int]]:
    settings = [row.setting for row in rows(resolved(raw))]
    values = [(one.model, other) for one in settings for other in one.treatments if isinstance(other, SteeringValues)]
    return {(model, of.layer) for model, of in values}


def base_point(raw: Study) -> BasePoint:
    return next(cell.recipe.base_point for cell in resolved(raw).of("tables") if cell.address.startswith("chosen--"))


@pytest.mark.parametrize(
    ("said", "n_layers", "block"),
    [("0%", 5, 0), ("100%", 5, 4), ("50%", 5, 2), ("50%", 4, 2), ("12%", 5, 0), ("13%", 5, 1), ("50%", 1, 0), (3, 5, 3)],
)
def test_a_depth_is_the_nearest_block_between_the_first_and_the_last(said: Any, n_layers: int, block: int) -> None:
    assert block_of(said, n_layers) == block


def test_a_depth_is_another_block_in_each_model(raw: Study) -> None:
    put(raw, "base_point.steered.layer", "50%")
    assert steered_at(raw) == {("mini", 1), ("deep", 2)}
    raw["sweeps"]["trained"]["layers"] = ["0%", "75%", "100%"]
    assert steered_at(raw) == {("mini", 0), ("mini", 1), ("deep", 0), ("deep", 3), ("deep", 4)}


def test_tables_know_the_base_point_of_each_model(raw: Study) -> None:
    put(raw, "base_point.steered.layer", "50%")
    assert base_point(raw).layer == {"mini": 1, "mini_none": 1, "deep": 2} and base_point(raw).layer_of("deep") == 2
    put(raw, "base_point.steered.layer", 1)
    assert base_point(raw).layer == 1 and base_point(raw).layer_of("deep") == 1


def test_the_same_block_said_as_a_number_and_as_a_depth_is_the_same_vector(raw: Study) -> None:
    raw["sweeps"].pop("trained")
    numbered = {cell.address for cell in resolved(raw).of("vectors")}
    put(raw, "base_point.steered.layer", "100%")
    assert {cell.address for cell in resolved(raw).of("vectors")} == numbered


@pytest.mark.parametrize("wrong", ["101%", "half", -1, 0.5, True, "5 %"])
def test_what_is_neither_a_block_nor_a_depth_is_refused(raw: Study, wrong: object) -> None:
    put(raw, "base_point.steered.layer", wrong)
    with pytest.raises(ConfigError, match=r"base_point\.steered\.layer: expected the number of a block.*such as 50%"):
        study.parse(raw)


def test_layers_at_once_that_are_the_same_block_in_some_model_are_refused(raw: Study) -> None:
    raw["sweeps"]["trained"] |= {"layers": ["60%"], "also_at": ["100%"], "unit": "residual_norm", "doses": [1]}
    with pytest.raises(ConfigError, match=r"expected other layers in `also_at` than those of the sweep; got '1'"):
        study.parse(raw)
    raw["sweeps"]["trained"]["models"] = ["deep"]
    assert steered_at(raw) == {("deep", 2), ("deep", 4)}
