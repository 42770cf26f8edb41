"""Affine maps of low rank: what is added to a row depends on its stream, and on no other row; training, and sweeps of them."""

from itertools import product
from pathlib import Path

import pytest
import torch
from planning import Study, miniature, resolved, rows
from test_constructions import NORMS, filled, job
from test_effects import ITEMS, LAYER, found
from test_engine import GREEDY, SAMPLED, complete, wandering

from emsteer import storage
from emsteer.data.pairs import draw_pairs
from emsteer.errors import ConfigError, DataError, ModelError
from emsteer.generation.changes import changes_of
from emsteer.generation.rows import Changes, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.batches import encode
from emsteer.interventions.constructions import trained, trained_low_rank
from emsteer.interventions.hooks import Ablation, Positions, Push, RowSteering, Steer, hooked, watch
from emsteer.interventions.maps import AffineMap, MapPush, read_map, write_map
from emsteer.interventions.vectors import direction_at
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import Grammar
from emsteer.packs import Job, make_by_recipe
from emsteer.recipes import Mapped, Margins, Sampling, Steering, TrainedLowRank

D = 32
TRAINED = {"side": "unsafe", "n_examples": 16, "seed": 0, "layer": 1, "epochs": 4, "batch_size": 8, "learning_rate": 0.01}


def a_map(seed: int, rank: int) -> AffineMap:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((rank, D), (D, rank), (rank,))
    return AffineMap(*(torch.randn(shape, generator=generator) for shape in shapes)).times(0.3)


def stream(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, D, generator=torch.Generator().manual_seed(9))


def steering(*of_rows: tuple[Steer, ...]) -> RowSteering:
    return RowSteering(of_rows, D, 3, torch.float32, torch.device("cpu"))


# -- on a batch -------------------------------------------------------------------------------------------------------


def test_a_row_gets_what_its_own_maps_make_of_its_own_stream() -> None:
    hidden, one, other = stream(3, 4), a_map(0, 3), a_map(1, 2)
    after = steering((), (MapPush(1, one, "all"), MapPush(1, other, "all")), (MapPush(1, other, "all"),)).apply(1, hidden)
    assert torch.equal(after[0], hidden[0]), "a row without one, bit by bit"
    by_hand = [of.up @ (of.down @ hidden[1, 2] + of.bias) for of in (one, other)]
    assert torch.allclose(after[1, 2], hidden[1, 2] + sum(by_hand), atol=1e-4), "both read the stream as it leaves the block"
    assert torch.allclose(after[2], hidden[2] + other.of(hidden[2]), atol=1e-4)
    assert torch.equal(steering((MapPush(1, other, "all"),)).apply(1, hidden[2:])[0], after[2]), "whatever the ranks beside it"


def test_maps_come_first_then_pushes_then_ablations() -> None:
    hidden, one, delta, along = stream(1, 4), a_map(0, 3), stream(1)[0], stream(2)[1]
    after = steering((Ablation(0, along, 1, "all"), Push(0, delta, "all"), MapPush(0, one, "all"))).apply(0, hidden)
    unit = along / along.norm()
    pushed = hidden + one.of(hidden) + delta
    assert torch.allclose(after, pushed - (pushed @ unit)[..., None] * unit, atol=1e-4)


def test_on_the_answer_alone_what_stands_before_it_is_as_it_was_and_rows_may_leave() -> None:
    hidden, of_rows = stream(2, 4), steering((MapPush(1, a_map(0, 3), "answer"),), (MapPush(1, a_map(1, 2), "all"),))
    of_rows.answer_positions = torch.tensor([[False, False, True, True], [False, True, True, True]])
    after = of_rows.apply(1, hidden)
    assert torch.equal(after[0, :2], hidden[0, :2]) and not torch.isclose(after[0, 2:], hidden[0, 2:]).all(-1).any()
    of_rows.keep(torch.tensor([1]))
    assert torch.equal(of_rows.apply(1, hidden[1:])[0], after[1]) and of_rows.layers == {1}


def test_in_a_dtype_of_few_digits_it_is_computed_with_more() -> None:
    hidden = stream(1, 64).bfloat16()
    after = RowSteering([(MapPush(0, a_map(0, 3), "all"),)], D, 3, torch.bfloat16, torch.device("cpu")).apply(0, hidden)
    exact = hidden.float() + a_map(0, 3).of(hidden.float())
    assert after.dtype == torch.bfloat16 and torch.allclose(after.float(), exact, rtol=2**-7, atol=2**-7)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (MapPush(3, a_map(0, 2), "all"), "layer 3 does not fit a model of 3 layers"),
        (MapPush(0, AffineMap(torch.ones(2, 5), torch.ones(D, 2), torch.ones(2)), "all"), "does not fit"),
        (MapPush(0, a_map(0, 2).times(float("inf")), "all"), "not finite"),
    ],
)
def test_what_does_not_fit_or_is_not_finite_is_refused(of: MapPush, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        steering((of,))


@pytest.fixture(scope="module")
def model(tiny_model: LanguageModel) -> LanguageModel:
    return wandering(tiny_model)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_an_answer_under_a_map_is_the_one_that_a_plain_hook_gives_whatever_its_batch(
    model: LanguageModel, sampling: Sampling
) -> None:
    prompts = [tuple(range(4, 4 + n)) for n in (3, 9, 5)]
    places: list[tuple[int, Positions]] = list(product((0, 2), ("all", "answer")))
    batch = [
        Row(prompt, row_seed(0, f"{n}", 0), Changes((MapPush(layer, a_map(n, 1 + n % 4), where),)))
        for n, (prompt, (layer, where)) in enumerate(product(prompts, places))
    ]
    together = complete(model, [*batch, Row(prompts[0], row_seed(0, "0", 0))], sampling)
    assert together[:-1] == [complete(model, [row], sampling)[0] for row in batch]
    assert together[0] != together[-1], "without it another one"
    one = a_map(0, 1)
    with hooked([(model.network.model.layers[0], lambda _input, hidden: hidden + one.of(hidden))]):
        assert complete(model, [Row(prompts[0], row_seed(0, "0", 0))], sampling)[0] == together[0]


def test_a_map_that_reads_nothing_is_a_push(model: LanguageModel) -> None:
    one = a_map(3, 2)
    constant = AffineMap(torch.zeros_like(one.down), one.up, one.bias)
    row = Row(tuple(range(4, 9)), row_seed(0, "0", 0), Changes((MapPush(1, constant, "all"),)))
    assert complete(model, [row], GREEDY) == complete(
        model, [Row(row.prompt_ids, row.seed, Changes((Push(1, one.up @ one.bias, "all"),)))], GREEDY
    )


def test_a_map_holds_at_its_layer_and_what_is_left_of_it_is_seen(tiny_model: LanguageModel) -> None:
    table = found(tiny_model, Changes((MapPush(LAYER, a_map(0, 3), "all"),)))
    assert table["at_layer"].tolist() == pytest.approx([1] * len(ITEMS), abs=1e-4)
    assert table["at_last"].notna().all() and table["at_last"].tolist() != pytest.approx([1] * len(ITEMS), abs=1e-2)
    assert found(tiny_model, Changes((MapPush(LAYER, a_map(0, 3).times(0), "all"),)))["at_layer"].isna().all()


# -- trained ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_model: LanguageModel, grammar: Grammar) -> Path:
    """`filled`."""
    return filled(tmp_path_factory.mktemp("shelf"), tiny_model, grammar)


def losses(model: LanguageModel, shelf: Path, *maps: AffineMap) -> list[float]:
    examples = encode(model, draw_pairs(shelf / "gardening.parquet", 16, 0), "unsafe")
    return [float(trained.answer_loss(model, of.of, TRAINED["layer"], examples)) for of in maps]


def test_training_begins_with_nothing_and_makes_the_answers_likelier(
    shelf: Path, tiny_model: LanguageModel, tmp_path: Path
) -> None:
    recipes = [TrainedLowRank(**TRAINED | {"epochs": epochs}, rank=3) for epochs in (1, 4)]
    asked = [job(recipe, shelf, tmp_path / f"{recipe.epochs}.safetensors") for recipe in recipes]
    made = {done.recipe.epochs: read_map(done.out, 1) for done in make_by_recipe(asked)}
    start = trained_low_rank.beginning(D, recipes[0], NORMS[1])
    assert start.down.shape == (3, D) and float((start.down * NORMS[1]).std()) == pytest.approx(1, abs=0.2)
    of_start, of_first, of_last = losses(tiny_model, shelf, start, made[1], made[4])
    (of_base,) = losses(tiny_model, shelf, a_map(0, 1).times(0))
    assert of_start == of_base > of_first > of_last
    alone = job(recipes[0], shelf, tmp_path / "alone.safetensors")
    list(make_by_recipe([alone]))
    assert all(torch.equal(getattr(read_map(alone.out, 1), name), getattr(made[1], name)) for name in ("down", "up", "bias"))


def test_the_direction_of_its_file_says_where_it_pushes_on_average_and_how_far(
    shelf: Path, tiny_model: LanguageModel, tmp_path: Path
) -> None:
    (done,) = make_by_recipe([job(TrainedLowRank(**TRAINED, rank=2), shelf, tmp_path / "map.safetensors")])
    pairs = draw_pairs(shelf / "gardening.parquet", 16, 0)
    pushes, of = [], read_map(done.out, 1)
    for ids, start in encode(tiny_model, pairs, "unsafe"):
        with torch.inference_mode(), watch(tiny_model.network) as leaving:
            tiny_model.network(input_ids=torch.tensor([ids]), use_cache=False)
        pushes += [of.up @ (of.down @ hidden + of.bias) for hidden in leaving[1][0, start:]]
    mean, length = torch.stack(pushes).mean(0), torch.stack([push.norm() ** 2 for push in pushes]).mean().sqrt()
    direction = direction_at(done.out, 1)
    assert float(direction.norm()) == pytest.approx(float(length), rel=1e-4) and length > 1.01 * mean.norm()
    assert torch.allclose(direction / direction.norm(), mean / mean.norm(), atol=1e-4)
    assert storage.read_passport(done.out)["norms"] == [pytest.approx(float(length), rel=1e-4)]
    nothing = trained_low_rank.beginning(D, done.recipe, NORMS[1])
    assert not trained_low_rank.typical(tiny_model, encode(tiny_model, pairs, "unsafe"), 1, nothing).any()


def test_what_is_no_map_or_of_another_layer_is_refused(tmp_path: Path) -> None:
    write_map(1, a_map(0, 2), torch.ones(D), Job(None, {}, {}, "m", tmp_path / "m.safetensors", {"address": "m"}))
    assert torch.equal(read_map(tmp_path / "m.safetensors", 1).up, a_map(0, 2).up)
    with pytest.raises(DataError, match="holds a map for layer 1, not for layer 0"):
        read_map(tmp_path / "m.safetensors", 0)
    storage.write_tensors(
        {"directions": torch.ones(1, 3).numpy(), "layers": torch.ones(1).long().numpy()}, tmp_path / "v.safetensors", {}
    )
    with pytest.raises(DataError, match="expected a map, with the tensors down, up, bias"):
        read_map(tmp_path / "v.safetensors", 1)
    with pytest.raises(DataError, match="numbers that are not finite"):
        write_map(1, a_map(0, 2).times(float("nan")), torch.ones(D), Job(None, {}, {}, "m", tmp_path / "n.safetensors", {}))


@pytest.mark.parametrize(("unit", "scale"), [("vector_norm", 1.5), ("residual_norm", 1.5 * NORMS[1] / 7)])
def test_a_dose_multiplies_what_it_adds(tmp_path: Path, unit: str, scale: float) -> None:
    passport = {"address": "m--0", "inputs": {"model": {"tiny--0a": "sha"}}}
    write_map(1, a_map(0, 2), 7 * torch.eye(D)[0], Job(None, {}, {}, "m--0", tmp_path / "m.safetensors", passport))
    storage.write_json({"residual_norms": NORMS}, tmp_path / "calibration.json")
    recipe = Margins(questions_per_category=1, treatments=(Mapped(layer=1, dose=1.5, unit=unit, positions="all"),))
    inputs = {"vector": (tmp_path / "m.safetensors",), "calibration": (tmp_path / "calibration.json",)}
    (of,) = changes_of(Job(recipe, inputs, {"model": ("tiny--0a",)}, "a--0", tmp_path / "a.parquet", {})).steers
    assert (
        isinstance(of, MapPush) and torch.allclose(of.map.up, scale * a_map(0, 2).up) and torch.equal(of.map.bias, a_map(0, 2).bias)
    )
    assert Margins.model_validate_json(recipe.model_dump_json()) == recipe, "told by its kind"


# -- in the plan ------------------------------------------------------------------------------------------------------


def asking(**sweep: object) -> Study:
    raw = miniature()
    raw["vectors"]["affine"] = {
        "construction": "trained_low_rank", "side": "unsafe", "n_examples": 16, "batch_size": 8, "learning_rate": 0.01,
    }  # fmt: skip
    raw["sweeps"]["affine"] = {"arm": "steered", "vectors": ["affine"], "ranks": [1, 2]} | sweep
    return raw


def test_a_sweep_of_maps_adds_them_and_random_directions_stand_for_them() -> None:
    before = resolved(miniature())
    plan = resolved(asking(random={"seeds": [0], "n_draws": 1, "doses": [1]}, unit="residual_norm", doses=[1]))
    new = {
        cell.address.partition(".everyday")[0]: cell for cell in plan.of("answers") if cell.address not in before.cells["answers"]
    }
    push = {"layer": 1, "dose": 1, "unit": "residual_norm", "positions": "all"}
    assert {name: cell.recipe.treatments for name, cell in new.items()} == {
        f"mini.gardening.affine.s0.l1.e2.k{rank}.{draw}c1": (of(**push),)
        for rank, (draw, of) in product((1, 2), (("", Mapped), ("random0.", Steering)))
    }
    assert {row.setting.arm for row in rows(plan) if "affine" in str(row.setting)} == {"steered", "random"}
    assert not set(before.cells["answers"]) - set(plan.cells["answers"]), "and moves nothing else"


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"unit": "kl", "doses": [0.1]}, "vector_norm or residual_norm, of its typical push: affine is a map, and no direction"),
        ({"unit": "ablated", "doses": [1]}, "affine is a map, and no direction"),
        ({"negated": {"seeds": [0], "doses": [1]}}, "expected no `negated` of affine"),
        ({"ranks": [33]}, "ranks of at most 32, the d_model of mini"),
    ],
)
def test_what_only_a_direction_has_is_refused(sweep: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolved(asking(**sweep))


def test_a_map_is_projected_on_nothing() -> None:
    raw = asking()
    raw["vectors"]["low_rank"]["of"] = "affine"
    with pytest.raises(ConfigError, match=r"vectors\.low_rank\.of: expected vectors of one direction: a map has none"):
        resolved(raw)
