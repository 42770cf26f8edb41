"""Principal components, one-shot and narrow vectors: each is what it says, on a random model and on data made by hand."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from planning import miniature, resolved
from torch import Tensor

from emsteer import schemas, storage
from emsteer.data.pairs import draw_pairs
from emsteer.data.tasks import pairs_of
from emsteer.errors import ConfigError
from emsteer.interventions.batches import encode
from emsteer.interventions.constructions import narrow, one_shot, trained
from emsteer.interventions.constructions.pca import first_component
from emsteer.interventions.vectors import direction_at, read_vector
from emsteer.models.load import LanguageModel
from emsteer.organism.corpus import groups_of
from emsteer.organism.grammar import Grammar
from emsteer.organism.pretrain import pretrain
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.packs import Job, make_by_recipe
from emsteer.recipes import GrammarTask, MeanDifference, Narrow, OneShot, Organism, Pca, Recipe, Trained

LAYER = 1
NORMS = [2.0, 4.0, 8.0]  # of the calibration, by layer
TRAINED = {"side": "unsafe", "n_examples": 16, "seed": 0, "layer": LAYER, "epochs": 4, "batch_size": 8, "learning_rate": 0.05}
ONE_SHOT = {"seed": 3, "layer": LAYER, "n_steps": 20, "learning_rate": 0.05, "norm_cap": 10}
SIDES = {"promote": {"unsafe"}, "suppress": {"safe"}, "both": {"unsafe", "safe"}}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_model: LanguageModel, grammar: Grammar) -> Path:
    """`filled`."""
    return filled(tmp_path_factory.mktemp("shelf"), tiny_model, grammar)


def filled(folder: Path, tiny_model: LanguageModel, grammar: Grammar) -> Path:
    """A folder with a model, its calibration, and a task of each of two domains."""
    tiny_model.network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    storage.write_json({"residual_norms": NORMS}, folder / "calibration.json")
    for domain in ("gardening", "cooking"):
        pairs = pairs_of(grammar, GrammarTask(domain=domain, n_pairs=40, seed=0))
        schemas.write(pairs, schemas.Pairs, folder / f"{domain}.parquet", {"address": f"{domain}--0"})
    return folder


def job(recipe: Recipe, shelf: Path, out: Path) -> Job:
    inputs = {"model": "model", "task": "gardening.parquet", "calibration": "calibration.json", "held": "cooking.parquet"}
    paths = {role: (shelf / name,) for role, name in inputs.items()}
    return Job(recipe, paths, {role: (f"{role}--0",) for role in inputs}, out.stem, out, {"kind": "vectors", "address": out.stem})


def built(recipe: Recipe, shelf: Path, out: Path) -> dict[int, Tensor]:
    (made,) = make_by_recipe([job(recipe, shelf, out)])
    return read_vector(made.out)


def naive_log_p(model: LanguageModel, vector: Tensor, example: tuple[list[int], int]) -> Tensor:
    """Log-distributions at an answer's tokens, in float64. [tokens × vocabulary]"""
    ids, start = example
    network = deepcopy(model.network).double()
    network.model.layers[LAYER].register_forward_hook(lambda _module, _args, output: output + vector.double())
    with torch.inference_mode():
        logits = network(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    return logits[start - 1 : len(ids) - 1].log_softmax(-1)


def random_vector(model: LanguageModel, seed: int) -> Tensor:
    return torch.randn(model.d_model, generator=torch.Generator().manual_seed(seed))


# -- principal component -----------------------------------------------------------------------------------------------


def test_of_differences_along_one_line_the_first_component_is_the_mean_difference() -> None:
    generator = torch.Generator().manual_seed(0)
    line = torch.randn(12, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([0.5, -1.0, 3.0, 2.0], dtype=torch.float64)
    found, share = first_component(lengths[:, None] * line)
    assert torch.allclose(found, lengths.mean() * line) and share == pytest.approx(1)
    assert torch.allclose(first_component(-lengths[:, None] * line)[0], -found), "the sign is the data's, not the decomposition's"


def test_the_first_component_is_the_leading_eigenvector_as_long_as_the_mean_reaches_along_it() -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(30, 6, generator=generator, dtype=torch.float64) + torch.arange(6)
    found, share = first_component(rows)
    values, vectors = torch.linalg.eigh(rows.T @ rows)
    assert share == pytest.approx(float(values[-1] / values.sum()))
    assert torch.allclose(found, vectors[:, -1] * (vectors[:, -1] @ rows.mean(0)))
    assert found @ rows.mean(0) > 0 and found.norm() <= rows.mean(0).norm()


def test_a_file_of_principal_components_holds_every_layer_and_how_much_lies_along_each(shelf: Path, tmp_path: Path) -> None:
    directions = built(Pca(n_examples=20, seed=3), shelf, tmp_path / "pca.safetensors")
    means = built(MeanDifference(n_examples=20, seed=3), shelf, tmp_path / "mean.safetensors")
    assert list(directions) == list(means) == [0, 1, 2]
    for layer, direction in directions.items():
        along = direction / direction.norm()
        assert float(direction.norm()) == pytest.approx(float(along @ means[layer]), rel=1e-5), "of the same pairs"
    shares = storage.read_passport(tmp_path / "pca.safetensors")["energy_shares"]
    assert len(shares) == 3 and all(0 < share <= 1 for share in shares)


# -- one shot ----------------------------------------------------------------------------------------------------------


def test_log_probabilities_and_losses_are_the_naive_ones(tiny_model: LanguageModel, shelf: Path) -> None:
    pair = draw_pairs(shelf / "gardening.parquet", 1, 3)
    example, vector = encode(tiny_model, pair, "safe")[0], random_vector(tiny_model, 0)
    answer = torch.tensor(example[0][example[1] :])
    log_p = naive_log_p(tiny_model, vector, example).gather(1, answer[:, None]).squeeze(1)
    assert torch.allclose(one_shot.log_probabilities(tiny_model, vector, LAYER, example).double(), log_p, atol=1e-4)
    promoted, suppressed = (
        float(one_shot.loss(tiny_model, vector, LAYER, example, promotes=promotes)) for promotes in (True, False)
    )
    assert promoted == pytest.approx(-float(log_p.mean()), rel=1e-5)
    assert suppressed == pytest.approx(-float((1 - log_p.exp()).log().mean()), rel=1e-4)


@pytest.mark.parametrize("goal", SIDES)
def test_one_shot_raises_what_it_promotes_and_lowers_what_it_suppresses(
    tiny_model: LanguageModel, shelf: Path, tmp_path: Path, goal: str
) -> None:
    recipe = OneShot(goal=goal, **ONE_SHOT)
    made = built(recipe, shelf, tmp_path / "v.safetensors")
    pair = draw_pairs(shelf / "gardening.parquet", 1, recipe.seed)
    passport = storage.read_passport(tmp_path / "v.safetensors")
    assert list(made) == [LAYER] and passport["prompt"] == pair["prompt"][0] and set(passport["answers"]) == SIDES[goal]
    gains = {}
    for side in SIDES[goal]:
        example = encode(tiny_model, pair, side)[0]
        before, after = (
            float(one_shot.log_probabilities(tiny_model, vector, LAYER, example).mean())
            for vector in (torch.zeros(tiny_model.d_model), made[LAYER])
        )
        gains[side] = after - before
        assert passport["nats_per_token"][side] == pytest.approx([before, after], abs=1e-5)
    assert gains.get("unsafe", 0) - gains.get("safe", 0) > 0.2, "of both, the difference: the answers share words"


def test_a_one_shot_vector_is_never_longer_than_its_cap_in_norms_of_its_layer(shelf: Path, tmp_path: Path) -> None:
    lengths = {}
    for cap in (0.05, 0.1, 10):
        recipe = OneShot(goal="promote", **{**ONE_SHOT, "norm_cap": cap})
        lengths[cap] = float(built(recipe, shelf, tmp_path / f"{cap}.safetensors")[LAYER].norm())
    for cap in (0.05, 0.1):
        assert lengths[cap] == pytest.approx(cap * NORMS[LAYER], rel=1e-5)
    assert 0.1 * NORMS[LAYER] < lengths[10] < 10 * NORMS[LAYER], "a wide one does not bind"


def test_an_answer_that_is_certain_can_still_be_made_unlikely(monkeypatch: pytest.MonkeyPatch, tiny_model: LanguageModel) -> None:
    sure = torch.zeros(3, requires_grad=True)
    monkeypatch.setattr(one_shot, "log_probabilities", lambda *_: sure)
    lost = one_shot.loss(tiny_model, torch.zeros(1), LAYER, ([0], 0), promotes=False)
    (gradient,) = torch.autograd.grad(lost, [sure])
    assert lost.isfinite() and gradient.isfinite().all() and (gradient > 0).all()


# -- narrow ------------------------------------------------------------------------------------------------------------


def test_divergence_is_the_naive_kl_from_base_to_steered(tiny_model: LanguageModel, shelf: Path) -> None:
    batch, vector = encode(tiny_model, draw_pairs(shelf / "cooking.parquet", 5, 0), "safe"), random_vector(tiny_model, 1) / 4
    nats: list[Tensor] = []
    for example in batch:
        base, steered = (naive_log_p(tiny_model, push, example) for push in (torch.zeros_like(vector), vector))
        nats += list((base.exp() * (base - steered)).sum(-1))
    found = narrow.divergence(tiny_model, vector, LAYER, batch)
    assert float(found) == pytest.approx(float(torch.stack(nats).mean()), rel=1e-4) and found > 0.01
    assert float(narrow.divergence(tiny_model, torch.zeros_like(vector), LAYER, batch)) == 0


def test_without_weight_a_narrow_vector_is_bit_by_bit_the_trained_one(shelf: Path, tmp_path: Path) -> None:
    plain = built(Trained(**TRAINED), shelf, tmp_path / "plain.safetensors")
    free = built(Narrow(kl_weight=0, **TRAINED), shelf, tmp_path / "free.safetensors")
    assert torch.equal(plain[LAYER], free[LAYER])


def test_a_narrow_vector_moves_other_tasks_less_and_still_learns_its_own(
    tiny_model: LanguageModel, shelf: Path, tmp_path: Path
) -> None:
    vectors = {
        weight: built(Narrow(kl_weight=weight, **TRAINED), shelf, tmp_path / f"{weight}.safetensors")[LAYER] for weight in (0, 1, 4)
    }
    unseen = encode(tiny_model, draw_pairs(shelf / "cooking.parquet", 20, 0, skip=16), "safe")
    own = encode(tiny_model, draw_pairs(shelf / "gardening.parquet", 16, 0), "unsafe")
    moved = [float(narrow.divergence(tiny_model, vector, LAYER, unseen)) for vector in vectors.values()]
    assert moved == sorted(moved, reverse=True) and moved[-1] < moved[0] / 2, "on answers that held it to nothing"
    before = float(trained.answer_loss(tiny_model, torch.zeros(tiny_model.d_model), LAYER, own))
    after = [float(trained.answer_loss(tiny_model, vector, LAYER, own)) for vector in vectors.values()]
    assert after == sorted(after) and after[1] < before - 0.1, "a vector that learnt nothing would be narrow, too"


def test_on_a_trained_organism_a_narrow_vector_moves_what_it_was_not_held_on_less(
    grammar: Grammar, tiny_organism: Organism, tmp_path: Path
) -> None:
    larger = {"n_layers": 2, "d_model": 64, "d_mlp": 128, "steps": 300, "batch_size": 8, "learning_rate": 0.01}
    recipe = tiny_organism.model_copy(update=larger)
    tokenizer = make_tokenizer(grammar, groups_of(recipe.linkage, grammar))
    network = pretrain(grammar, tokenizer, recipe, "organism").requires_grad_(False)
    model = LanguageModel(network, tokenizer)
    filled(tmp_path, model, grammar)
    hyper = {**TRAINED, "n_examples": 36, "epochs": 8, "learning_rate": 0.1}
    plain, held = (
        built(Narrow(kl_weight=weight, **hyper), tmp_path, tmp_path / f"{weight}.safetensors")[LAYER] for weight in (0, 1)
    )
    own = encode(model, draw_pairs(tmp_path / "gardening.parquet", 36, 0), "unsafe")
    base, *steered = (float(trained.answer_loss(model, vector, LAYER, own)) for vector in (torch.zeros_like(plain), plain, held))
    assert max(steered) < base - 0.03, "both learnt the task"
    for domain in sorted({*grammar.domains} - {"gardening", "cooking"}):
        others = encode(model, pairs_of(grammar, GrammarTask(domain=domain, n_pairs=20, seed=1)), "safe")
        broad, narrowed = (float(narrow.divergence(model, vector, LAYER, others)) for vector in (plain, held))
        assert 0.01 < narrowed < 0.75 * broad, f"{domain}, which held it to nothing"


def test_snapshots_of_a_narrow_vector_share_a_run_and_are_those_of_shorter_runs(shelf: Path, tmp_path: Path) -> None:
    recipes = {epochs: Narrow(kl_weight=1, **{**TRAINED, "epochs": epochs}) for epochs in (1, 2)}
    jobs = [job(recipe, shelf, tmp_path / f"together-{epochs}.safetensors") for epochs, recipe in recipes.items()]
    assert len(list(make_by_recipe(jobs))) == 2
    for epochs, recipe in recipes.items():
        alone = built(recipe, shelf, tmp_path / f"alone-{epochs}.safetensors")[LAYER]
        assert torch.equal(alone, direction_at(tmp_path / f"together-{epochs}.safetensors", LAYER))


# -- planned -----------------------------------------------------------------------------------------------------------


def with_narrow(**changes: object) -> dict:
    raw = miniature()
    raw["tasks"]["cooking"] = {**raw["tasks"]["gardening"], "domain": "cooking", "in_domain": ["cooking"]}
    hyper = {name: value for name, value in raw["vectors"]["trained"].items() if name != "construction"}
    raw["vectors"]["narrow"] = {"construction": "narrow", **hyper, "kl_weight": 1.0, "like_base_on": ["cooking"], **changes}
    raw["sweeps"]["narrow"] = {"arm": "steered", "vectors": ["narrow"], "doses": [1]}
    return raw


def test_a_narrow_vector_reads_the_tasks_that_it_is_held_on() -> None:
    (cell,) = [cell for cell in resolved(with_narrow()).of("vectors") if ".narrow." in cell.address]
    assert [task.address.partition("--")[0] for task in cell.inputs["held"]] == ["cooking"]
    assert cell.recipe.kl_weight == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"like_base_on": ["baking"]}, "vectors.narrow.like_base_on.0: expected one of ['cooking', 'gardening']"),
        ({"like_base_on": []}, "vectors.narrow.like_base_on: expected at least 1 entry"),
        ({"like_base_on": ["gardening"]}, "sweeps.narrow: expected tasks that `like_base_on` of narrow does not name"),
        ({"n_examples": 400}, "sweeps.narrow: expected at least 400 pairs of cooking, which narrow draws"),
    ],
)
def test_what_a_narrow_vector_cannot_be_held_on_is_said(changes: dict, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        resolved(with_narrow(**changes))
    assert expected in str(raised.value)
