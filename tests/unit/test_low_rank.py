"""Low rank: what is left of a direction in the span of other examples' differences, and what its file says of that span."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from emsteer import schemas, storage
from emsteer.data.pairs import draw_pairs
from emsteer.data.tasks import pairs_of
from emsteer.errors import DataError, ModelError
from emsteer.interventions.constructions import low_rank
from emsteer.interventions.constructions.low_rank import N_SINGULAR_VALUES_KEPT, differences, project, right_singular
from emsteer.interventions.residuals import answer_residuals
from emsteer.interventions.vectors import direction_at, read_vector, write_vector
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import Grammar
from emsteer.packs import Job, make_by_recipe
from emsteer.recipes import GrammarTask, LowRank, Recipe

N_PAIRS, N_EXAMPLES, N_HELD_BACK, LAYER, SEED = 60, 40, 20, 1, 3
D_MODEL = 32
RANKS = (1, 2, 8, 31, 32)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_model: LanguageModel, grammar: Grammar) -> Path:
    """A folder with a model, a task, and two random directions that stand for trained ones."""
    folder = tmp_path_factory.mktemp("shelf")
    tiny_model.network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    pairs = pairs_of(grammar, GrammarTask(domain="gardening", n_pairs=N_PAIRS, seed=0))
    schemas.write(pairs, schemas.Pairs, folder / "task.parquet", {"address": "gardening--0"})
    for name, seed in (("like", 0), ("other", 1)):
        direction = torch.randn(D_MODEL, generator=torch.Generator().manual_seed(seed))
        write_vector({LAYER: direction, 2: direction}, job(None, folder / f"{name}.safetensors"))
    return folder


@pytest.fixture(scope="module")
def rows(tiny_model: LanguageModel, shelf: Path) -> Tensor:
    """The differences of the held-out pairs. [pairs × d_model]"""
    return differences(tiny_model, draw_pairs(shelf / "task.parquet", N_EXAMPLES, SEED, skip=N_HELD_BACK), LAYER)


def job(recipe: Recipe | None, out: Path, **inputs: Path) -> Job:
    paths = {role: (path,) for role, path in inputs.items()}
    passport = {"kind": "vectors", "address": out.stem, "inputs": {}}
    return Job(recipe, paths, {role: (f"{role}--0",) for role in inputs}, out.stem, out, passport)


def recipe(rank: int, **changes: int) -> LowRank:
    values = {"layer": LAYER, "n_examples": N_EXAMPLES, "n_held_back": N_HELD_BACK, "seed": SEED}
    return LowRank(rank=rank, **values | changes)


def jobs(shelf: Path, folder: Path, recipes: dict[str, LowRank], like: str = "like") -> list[Job]:
    paths = {"model": shelf / "model", "task": shelf / "task.parquet", "like": shelf / f"{like}.safetensors"}
    return [job(of, folder / f"{name}.safetensors", **paths) for name, of in recipes.items()]


@pytest.fixture(scope="module")
def made(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Job]:
    """Rank → its finished job, all in one pack."""
    asked = jobs(shelf, tmp_path_factory.mktemp("made"), {f"k{rank}": recipe(rank) for rank in RANKS})
    return {done.recipe.rank: done for done in make_by_recipe(asked)}


def whole(shelf: Path) -> Tensor:
    return direction_at(shelf / "like.safetensors", LAYER)


def span_of(rows: Tensor, rank: int) -> Tensor:
    """The projector on the leading eigenvectors of the uncentred second moment: the same subspace, found another way."""
    _, vectors = torch.linalg.eigh(rows.T @ rows)
    leading = vectors[:, -rank:]
    return leading @ leading.T


def test_a_file_holds_the_projection_on_the_leading_directions_at_its_layer_alone(
    made: dict[int, Job], rows: Tensor, shelf: Path
) -> None:
    assert set(made) == set(RANKS)
    for rank, done in made.items():
        assert list(read_vector(done.out)) == [LAYER]
        expected = span_of(rows, rank) @ whole(shelf).double()
        assert torch.allclose(direction_at(done.out, LAYER).double(), expected, atol=1e-5)


def test_full_rank_gives_the_vector_back(made: dict[int, Job], shelf: Path) -> None:
    assert torch.allclose(direction_at(made[D_MODEL].out, LAYER), whole(shelf), atol=1e-6)
    assert not torch.allclose(direction_at(made[D_MODEL - 1].out, LAYER), whole(shelf), atol=1e-3)


def test_norms_grow_with_the_rank_and_never_exceed_the_whole(made: dict[int, Job], shelf: Path) -> None:
    norms = [float(direction_at(made[rank].out, LAYER).norm()) for rank in RANKS]
    assert norms == sorted(norms) and len(set(norms)) == len(norms)
    assert norms[0] > 0 and norms[-1] <= float(whole(shelf).norm()) * (1 + 1e-6)
    assert [storage.read_passport(made[rank].out)["norms"] for rank in RANKS] == [[pytest.approx(norm, abs=1e-6)] for norm in norms]


def test_projections_are_nested_and_repeating_one_changes_nothing(rows: Tensor) -> None:
    basis, _ = right_singular(rows)
    direction = torch.randn(D_MODEL, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    for small, large in itertools.pairwise(RANKS):
        inner, outer = project(direction, basis, small), project(direction, basis, large)
        assert torch.allclose(project(outer, basis, small), inner, atol=1e-12)
        assert torch.allclose(project(inner, basis, large), inner, atol=1e-12)
        assert torch.allclose(project(inner, basis, small), inner, atol=1e-12)
        assert abs(float(inner @ (direction - inner))) < 1e-12 * float(direction @ direction)
    assert torch.allclose(project(basis[0], basis, 1), basis[0]) and project(basis[1], basis, 1).norm() < 1e-12


def test_a_projection_has_the_type_of_its_direction(rows: Tensor) -> None:
    basis, _ = right_singular(rows)
    assert project(torch.ones(D_MODEL), basis, 2).dtype == torch.float32
    assert project(torch.ones(D_MODEL, dtype=torch.float64), basis, 2).dtype == torch.float64


def test_differences_are_unsafe_minus_safe_pair_by_pair_and_are_not_centred(
    tiny_model: LanguageModel, shelf: Path, rows: Tensor
) -> None:
    pairs = draw_pairs(shelf / "task.parquet", N_EXAMPLES, SEED, skip=N_HELD_BACK)
    unsafe, safe = (answer_residuals(tiny_model, pairs, side, "law")[LAYER] for side in ("unsafe", "safe"))
    assert torch.equal(rows, unsafe - safe)
    assert rows.mean(0).norm() > 0.05 * rows.norm(dim=1).mean()
    common = rows.mean(0) / rows.mean(0).norm()
    basis, _ = right_singular(rows)
    centred, _ = right_singular(rows - rows.mean(0))
    assert project(common, basis, 8).norm() > project(common, centred, 8).norm()


def test_the_subspace_is_fitted_on_pairs_that_the_vector_was_not_trained_on(
    tiny_model: LanguageModel, shelf: Path, tmp_path: Path
) -> None:
    pairs = schemas.read(shelf / "task.parquet", schemas.Pairs)
    trained_on = set(draw_pairs(shelf / "task.parquet", N_HELD_BACK, SEED)["pair_id"])
    for kept, name in ((~pairs["pair_id"].isin(trained_on), "trained"), (pairs["pair_id"].isin(trained_on), "held_out")):
        broken = pairs.assign(unsafe=pairs["unsafe"].where(kept, "soup ."))
        schemas.write(broken, schemas.Pairs, tmp_path / f"{name}.parquet", {"address": "gardening--1"})
    found = {}
    for task in (shelf / "task.parquet", tmp_path / "trained.parquet", tmp_path / "held_out.parquet"):
        paths = {"model": shelf / "model", "task": task, "like": shelf / "like.safetensors"}
        (done,) = make_by_recipe([job(recipe(2), tmp_path / f"{task.stem}.safetensors", **paths)])
        found[task.stem] = direction_at(done.out, LAYER)
    assert torch.equal(found["trained"], found["task"]), "what the vector was trained on does not matter"
    assert not torch.allclose(found["held_out"], found["task"], atol=1e-3)


def test_the_passport_holds_the_spectrum_and_the_share_of_energy_in_the_subspace(made: dict[int, Job], rows: Tensor) -> None:
    values = np.sqrt(np.linalg.eigvalsh((rows.T @ rows).numpy())[::-1])
    for rank, done in made.items():
        passport = storage.read_passport(done.out)
        assert passport["singular_values"] == pytest.approx(values, rel=1e-4, abs=1e-5)
        assert passport["energy_share"] == pytest.approx((values[:rank] ** 2).sum() / (values**2).sum(), abs=1e-6)
        assert passport["address"] == f"k{rank}" and passport["kind"] == "vectors"
    assert storage.read_passport(made[D_MODEL].out)["energy_share"] == 1
    assert len(passport["singular_values"]) == min(N_EXAMPLES, D_MODEL, N_SINGULAR_VALUES_KEPT)


def test_ranks_of_one_subspace_share_the_passes_over_the_examples(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[int, Job]
) -> None:
    passes = []

    def counted(model: LanguageModel, pairs: object, layer: int) -> Tensor:
        passes.append(layer)
        return differences(model, pairs, layer)

    monkeypatch.setattr(low_rank, "differences", counted)
    recipes = {f"k{rank}": recipe(rank) for rank in RANKS} | {
        "s": recipe(2, seed=4),
        "l": recipe(2, layer=2),
        "m": recipe(1, seed=4),
    }
    asked = jobs(shelf, tmp_path, recipes) + jobs(shelf, tmp_path, {"other": recipe(2)}, like="other")
    done = {one.address: direction_at(one.out, one.recipe.layer) for one in make_by_recipe(asked)}
    assert len(done) == len(asked)
    assert sorted(passes) == [LAYER, LAYER, 2]
    assert all(torch.equal(done[f"k{rank}"], direction_at(made[rank].out, LAYER)) for rank in RANKS)
    assert not torch.allclose(done["s"], done["k2"], atol=1e-3) and not torch.allclose(done["l"], done["k2"], atol=1e-3)
    assert not torch.allclose(done["other"], done["k2"], atol=1e-3), "each is projected from its own vector"


def test_a_vector_without_the_layer_asked_for_is_a_data_error(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds directions for layers \[1, 2\], not for layer 0"):
        list(make_by_recipe(jobs(shelf, tmp_path, {"k1": recipe(1, layer=0)})))


def test_a_task_without_enough_other_pairs_is_a_data_error(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"expected at least {N_PAIRS + 1} pairs, got {N_PAIRS}"):
        list(make_by_recipe(jobs(shelf, tmp_path, {"k1": recipe(1, n_held_back=N_HELD_BACK + 1)})))


def test_a_direction_of_another_model_is_refused(shelf: Path, tmp_path: Path) -> None:
    passport = {"address": "stranger", "inputs": {"model": {"other--1": "sha"}}}
    of_stranger = Job(None, {}, {}, "stranger", tmp_path / "stranger.safetensors", passport)
    write_vector({LAYER: torch.ones(D_MODEL)}, of_stranger)
    paths = {"model": shelf / "model", "task": shelf / "task.parquet", "like": of_stranger.out}
    with pytest.raises(ModelError, match="was made from the model other--1"):
        list(make_by_recipe([job(recipe(2), tmp_path / "k2.safetensors", **paths)]))
