"""What a cell's treatments do to the model: each with its own input, and none of them hidden from another."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from emsteer import storage
from emsteer.errors import ModelError
from emsteer.generation.changes import changes_of
from emsteer.generation.rows import UNCHANGED, Changes
from emsteer.interventions.adapters import Adapter
from emsteer.interventions.checks import check_model
from emsteer.interventions.vectors import write_vector
from emsteer.packs import Job
from emsteer.recipes import Adapted, Answers, Margins, Sampling, Steering


def test_treatments_take_the_inputs_of_their_role_in_order_and_none_leaves_the_model_alone(tmp_path: Path) -> None:
    vectors = (tmp_path / "v.safetensors", tmp_path / "w.safetensors")
    for layer, path in enumerate(vectors):
        passport = {"address": f"v{layer}", "inputs": {"model": {"renamed--0a": "sha"}}}
        write_vector({layer: torch.full((3,), layer + 1.0)}, Job(None, {}, {}, "v--0", path, passport))

    def changes(*treatments: Steering) -> Changes:
        recipe = Answers(
            study_seed=0, first_sample=0, n_samples=1, sampling=Sampling(temperature=1, max_new_tokens=1), treatments=treatments
        )
        of = Job(recipe, {"vector": vectors[: len(treatments)]}, {"model": ("tiny--0a",)}, "a--0", tmp_path / "a.parquet", {})
        return changes_of(of)

    both = changes(*(Steering(layer=layer, dose=2, unit="vector_norm", positions="all") for layer in (0, 1)))
    assert [(push.layer, push.delta.tolist()) for push in both.steers] == [(0, [2, 2, 2]), (1, [4, 4, 4])]
    assert changes() == UNCHANGED


def test_two_adapters_on_one_row_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emsteer.generation.changes.read_adapter", lambda path: Adapter({}, {}))
    storage.write_json({"inputs": {"model": {"tiny--0a": "sha"}}}, tmp_path / "passport.json")
    recipe = Margins(questions_per_category=1, treatments=(Adapted(scale=1), Adapted(scale=0.5)))
    with pytest.raises(ModelError, match="2 adapters on one row"):
        changes_of(Job(recipe, {"adapter": (tmp_path, tmp_path)}, {"model": ("tiny--0a",)}, "a--0", tmp_path / "a.parquet", {}))


@pytest.mark.parametrize("role", ["vector", "adapter"])
def test_what_was_made_from_another_model_of_the_same_shape_is_refused_by_its_address(role: str, tmp_path: Path) -> None:
    passport = {"address": "x--1", "inputs": {"model": {"tiny--0b": "sha"}}}
    path = tmp_path / {"vector": "x--1.safetensors", "adapter": "x--1"}[role]
    if role == "vector":
        write_vector({0: torch.ones(3)}, Job(None, {}, {}, "x--1", path, passport))
    else:
        path.mkdir()
        storage.write_json(passport, path / "passport.json")
    of = {"vector": Steering(layer=0, dose=1, unit="vector_norm", positions="all"), "adapter": Adapted(scale=1)}
    recipe = Margins(questions_per_category=1, treatments=(of[role],))
    with pytest.raises(ModelError, match=r"x--1.*was made from the model tiny--0b, and is to change tiny--0a"):
        changes_of(Job(recipe, {role: (path,)}, {"model": ("tiny--0a",)}, "a--0", tmp_path / "a.parquet", {}))


def test_a_random_direction_fits_every_model_of_its_shape(tmp_path: Path) -> None:
    passport = {"address": "r--1", "inputs": {"like": {"x--1": "sha"}}}
    write_vector({0: torch.ones(3)}, Job(None, {}, {}, "r--1", tmp_path / "r.safetensors", passport))
    check_model(tmp_path / "r.safetensors", "tiny--0b")


def test_a_treatment_is_told_by_its_kind_when_it_is_read_back() -> None:
    recipe = Margins(
        questions_per_category=1, treatments=(Adapted(scale=1), Steering(layer=0, dose=1, unit="vector_norm", positions="all"))
    )
    assert Margins.model_validate_json(recipe.model_dump_json()) == recipe
    with pytest.raises(ValidationError, match="kind"):
        Margins(questions_per_category=1, treatments=({"kind": "prayer"},))
