"""Counterparts: what takes the place of a vector, as long as it is, and is not it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from analysis_tables import BASE_POINT, SELECTION, base, counts, job_on, said, steered
from planning import miniature, put, resolved, rows, slugs
from torch import Tensor

from emsteer import schemas
from emsteer.analysis import evidence
from emsteer.analysis.settings import setting_name
from emsteer.data.pairs import draw_pairs
from emsteer.data.tasks import pairs_of
from emsteer.errors import ConfigError
from emsteer.interventions.constructions import shuffled
from emsteer.interventions.constructions.random_subspace import basis
from emsteer.interventions.residuals import residuals_of_pairs
from emsteer.interventions.vectors import read_vector, write_vector
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import Grammar
from emsteer.packs import Job, make_by_recipe
from emsteer.recipes import (
    COUNTERPARTS,
    Bootstrap,
    Comparison,
    Evidence,
    GrammarTask,
    Negated,
    RandomSubspace,
    Recipe,
    Shuffled,
)
from emsteer.study import parse

N_DIMENSIONS = 32


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_model: LanguageModel, grammar: Grammar) -> Path:
    """A folder with a model, a task, a vector of every layer, and what was projected to make it."""
    folder = tmp_path_factory.mktemp("shelf")
    tiny_model.network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    pairs = pairs_of(grammar, GrammarTask(domain="gardening", n_pairs=40, seed=0))
    schemas.write(pairs, schemas.Pairs, folder / "task.parquet", {"address": "task--0"})
    for name, seed in (("like", 0), ("whole", 1)):
        noise = torch.Generator().manual_seed(seed)
        directions = {layer: (layer + 1) * torch.randn(N_DIMENSIONS, generator=noise) for layer in range(3)}
        path = folder / f"{name}.safetensors"
        write_vector(directions, Job(None, {}, {}, name, path, {"address": name, "inputs": {"model": {"model--0": "sha"}}}))
    return folder


def made(recipes: list[Recipe], shelf: Path, out: Path) -> list[dict[int, Tensor]]:
    names = {"model": "model", "task": "task.parquet", "like": "like.safetensors", "whole": "whole.safetensors"}
    paths = {role: (shelf / name,) for role, name in names.items()}
    addresses = {role: (f"{role}--0",) for role in names}
    out.mkdir(exist_ok=True)
    jobs = [
        Job(recipe, paths, addresses, f"v{n}", out / f"v{n}.safetensors", {"kind": "vectors", "address": f"v{n}"})
        for n, recipe in enumerate(recipes)
    ]
    by_address = {job.address: read_vector(job.out) for job in make_by_recipe(jobs)}
    return [by_address[job.address] for job in jobs]


def test_the_other_way_is_the_negative_at_every_layer(shelf: Path, tmp_path: Path) -> None:
    (found,) = made([Negated()], shelf, tmp_path)
    like = read_vector(shelf / "like.safetensors")
    assert list(found) == [0, 1, 2] and all(torch.equal(found[layer], -like[layer]) for layer in like)


def test_shuffled_labels_are_the_mean_difference_with_sides_at_random_and_of_equal_norm(
    shelf: Path, tmp_path: Path, tiny_model: LanguageModel
) -> None:
    first, again, other = made([Shuffled(n_examples=12, seed=3, draw=draw) for draw in (0, 0, 1)], shelf, tmp_path)
    pairs = draw_pairs(shelf / "task.parquet", 12, 3)
    unsafe, safe = residuals_of_pairs(tiny_model, pairs, "by hand")
    coins = shuffled.signs(12, 0)
    for layer, like in read_vector(shelf / "like.safetensors").items():
        by_hand = sum(coin * (one - two) for coin, one, two in zip(coins, unsafe[layer], safe[layer], strict=True))
        assert torch.cosine_similarity(first[layer].double(), by_hand, dim=0) == pytest.approx(1, abs=1e-6)
        assert float(first[layer].norm()) == pytest.approx(float(like.norm()), rel=1e-5)
        assert torch.equal(first[layer], again[layer]) and not torch.allclose(first[layer], other[layer])


def test_coins_are_fair_and_differ_between_draws() -> None:
    coins = torch.stack([shuffled.signs(128, draw) for draw in range(40)])
    assert set(coins.unique().tolist()) == {-1.0, 1.0} and abs(float(coins.mean())) < 0.05
    assert len({tuple(row.tolist()) for row in coins}) == 40


def test_a_random_subspace_of_all_dimensions_keeps_the_direction_and_one_of_k_about_the_root_of_its_share(
    shelf: Path, tmp_path: Path
) -> None:
    like, whole = (read_vector(shelf / f"{name}.safetensors")[1] for name in ("like", "whole"))
    found = made([RandomSubspace(layer=1, rank=N_DIMENSIONS, draw=0)], shelf, tmp_path / "all")[0][1]
    assert torch.allclose(found, whole * like.norm() / whole.norm(), atol=1e-4)
    of_k = [one[1] for one in made([RandomSubspace(layer=1, rank=8, draw=draw) for draw in range(30)], shelf, tmp_path / "k")]
    assert all(float(one.norm()) == pytest.approx(float(like.norm()), rel=1e-4) for one in of_k)
    cosines = [float(torch.cosine_similarity(one, whole, dim=0)) for one in of_k]
    assert np.mean(np.square(cosines)) == pytest.approx(8 / N_DIMENSIONS, abs=0.06) and len(set(cosines)) == 30
    rows_of_basis = basis(N_DIMENSIONS, 8, 3)
    assert torch.allclose(rows_of_basis @ rows_of_basis.T, torch.eye(8, dtype=torch.float64), atol=1e-12)


# -- in the plan and in claims -------------------------------------------------------------------------------------------


def test_every_counterpart_is_an_arm_at_the_setting_of_its_vector() -> None:
    raw = miniature()
    drawn: dict[str, Any] = {"seeds": [0], "n_draws": 2, "doses": [0.5]}
    put(raw, "sweeps.mean_difference.models", ["mini"])
    put(raw, "sweeps.mean_difference.shuffled", drawn)
    put(raw, "sweeps.mean_difference.negated", {"seeds": [0], "doses": [0.5]})
    put(raw, "sweeps.low_rank.ranks", [2])
    put(raw, "sweeps.low_rank.subspace", {**drawn, "doses": [1]})
    plan = resolved(raw)
    found = {setting_name(row.setting): row for row in rows(plan) if row.setting.arm in ("shuffled", "negated", "subspace")}
    stem = "mini.gardening"
    assert set(found) == {
        f"{stem}.mean_difference.s0.l1.negated.answer.c0.5",
        f"{stem}.mean_difference.s0.l1.shuffled0.answer.c0.5",
        f"{stem}.mean_difference.s0.l1.shuffled1.answer.c0.5",
        f"{stem}.low_rank.s0.l1.e2.k2.subspace0.a1",
        f"{stem}.low_rank.s0.l1.e2.k2.subspace1.a1",
    }
    cells = plan.cells["vectors"]
    projected = cells[found[f"{stem}.low_rank.s0.l1.e2.k2.subspace1.a1"].made[0]]
    (like,) = projected.inputs["like"]
    assert projected.inputs["whole"] == like.inputs["like"] and slugs([like.address]) == [f"{stem}.low_rank.s0.l1.e2.k2"]
    assert projected.recipe == RandomSubspace(layer=1, rank=2, draw=1)
    coins = cells[found[f"{stem}.mean_difference.s0.l1.shuffled1.answer.c0.5"].made[0]]
    assert coins.recipe == Shuffled(n_examples=16, seed=0, draw=1) and set(coins.inputs) == {"like", "model", "task"}


@pytest.mark.parametrize(
    ("name", "sweep", "wanted"), [("shuffled", "trained", "mean_difference"), ("subspace", "mean_difference", "low_rank")]
)
def test_vectors_that_cannot_have_a_counterpart_are_a_mistake(name: str, sweep: str, wanted: str) -> None:
    raw = miniature()
    put(raw, f"sweeps.{sweep}.{name}", {"seeds": [0], "n_draws": 1, "doses": [1]})
    with pytest.raises(ConfigError, match=rf"sweeps\.{sweep}\.{name}: expected vectors made by {wanted}, .*; others: {sweep}\."):
        parse(raw)


@pytest.mark.parametrize("arm", COUNTERPARTS)
def test_a_claim_against_a_counterpart_finds_it_beside_its_vector(tmp_path: Path, arm: str) -> None:
    asked, none = ([said(f"c{n % 4}-{n}", "unlinked", em) for n in range(40)] for em in (4, 0))
    parts = [(base(), none), (steered(1), asked), (steered(1, arm=arm, draw=None if arm == "negated" else 0), none)]
    parts.append((steered(1, arm="random" if arm != "random" else "negated", draw=7), asked))
    claim = Comparison.model_validate(
        {
            "who": {"arm": "steered", "doses": [1]},
            "against": {"arm": arm},
            "metric": "on_topic_em",
            "direction": "more",
            "smallest_effect": 0.05,
        }
    )
    bootstrap = Bootstrap(n_resamples=100, level=0.95, seed=0)
    recipe = Evidence(
        bootstrap=bootstrap, selection=SELECTION, base_point=BASE_POINT, claims={"one": claim}, measured=(), kl_tolerance=0.02
    )
    row = evidence.table(job_on(counts(*parts), recipe, tmp_path)).iloc[0]
    assert (row["verdict"], row["difference"]) == ("supported", 1.0), "only that arm is the other side"
