"""Directions: each construction is what it says, each file says what it holds, and nothing unfit is written or read."""

from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from emsteer import schemas, storage
from emsteer.data.pairs import draw_pairs
from emsteer.data.tasks import pairs_of
from emsteer.errors import DataError
from emsteer.interventions.batches import encode, pad, prompts_of
from emsteer.interventions.constructions import random_direction, trained
from emsteer.interventions.residuals import BATCH_SIZE, answer_residuals
from emsteer.interventions.vectors import LAYER_CONVENTION, direction_at, read_vector, write_vector
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import Grammar
from emsteer.packs import Job, make_by_recipe
from emsteer.recipes import GrammarTask, MeanDifference, RandomDirection, Recipe, Trained

N_PAIRS = 50  # more than a batch of `answer_residuals`, and no multiple of it
TRAINED = Trained(side="unsafe", n_examples=20, seed=0, layer=1, epochs=3, batch_size=8, learning_rate=0.05)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_model: LanguageModel, grammar: Grammar) -> Path:
    """A folder with a model and a task of fifty pairs."""
    folder = tmp_path_factory.mktemp("shelf")
    tiny_model.network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    pairs = pairs_of(grammar, GrammarTask(domain="gardening", n_pairs=N_PAIRS, seed=0))
    schemas.write(pairs, schemas.Pairs, folder / "task.parquet", {"address": "gardening--0"})
    return folder


def job(recipe: Recipe | None, out: Path, **inputs: Path) -> Job:
    paths = {role: (path,) for role, path in inputs.items()}
    return Job(recipe, paths, {role: (f"{role}--0",) for role in inputs}, out.stem, out, {"kind": "vectors", "address": out.stem})


def built(recipe: Recipe, shelf: Path, out: Path) -> dict[int, Tensor]:
    (made,) = make_by_recipe([job(recipe, out, model=shelf / "model", task=shelf / "task.parquet")])
    return read_vector(made.out)


def naive_residuals(model: LanguageModel, dtype: torch.dtype, asked: pd.DataFrame, side: str) -> Tensor:
    """One example and one block at a time, unpadded: the mean over each answer's tokens. [layers × examples × d_model]"""
    network = deepcopy(model.network).to(dtype)
    layers = []
    for block in network.model.layers:
        seen: list[Tensor] = []
        handle = block.register_forward_hook(lambda _module, _args, output, seen=seen: seen.append(output[0].double()))
        for row in asked.to_dict("records"):
            prompt = model.prompt_ids(row["prompt"], row["system"])
            with torch.inference_mode():
                network(input_ids=torch.tensor([prompt + model.answer_ids(row[side])]), use_cache=False)
            seen[-1] = seen[-1][len(prompt) :].mean(0)
        handle.remove()
        layers.append(torch.stack(seen))
    return torch.stack(layers)


@pytest.mark.parametrize("side", ["safe", "unsafe"])
def test_answer_residuals_are_the_naive_means_of_every_blocks_output_in_the_order_of_the_examples(
    tiny_model: LanguageModel, shelf: Path, side: str
) -> None:
    pairs = draw_pairs(shelf / "task.parquet", N_PAIRS, 0)
    assert N_PAIRS > BATCH_SIZE and N_PAIRS % BATCH_SIZE
    packed = answer_residuals(tiny_model, pairs, side, "law")
    exact, rounded = (naive_residuals(tiny_model, dtype, pairs, side) for dtype in (torch.float64, torch.float32))
    rounding = (rounded - exact).abs().max()
    assert packed.dtype == torch.float64 and packed.shape == exact.shape == (3, N_PAIRS, tiny_model.d_model)
    assert (packed - exact).abs().max() < 4 * rounding < 1e-4
    assert torch.pdist(exact[-1]).min() > 100 * rounding, "no two examples could be taken for each other"


def test_the_mean_difference_is_unsafe_minus_safe_at_every_layer(tiny_model: LanguageModel, shelf: Path, tmp_path: Path) -> None:
    directions = built(MeanDifference(n_examples=20, seed=3), shelf, tmp_path / "v.safetensors")
    pairs = draw_pairs(shelf / "task.parquet", 20, 3)
    safe, unsafe = (naive_residuals(tiny_model, torch.float64, pairs, side).mean(1) for side in ("safe", "unsafe"))
    assert list(directions) == [0, 1, 2]
    assert (torch.stack([*directions.values()]) - (unsafe - safe)).abs().max() < 1e-5 < (unsafe - safe).abs().max() / 1000


def test_an_example_is_its_system_line_its_question_and_its_answer_with_the_end_of_turn(tiny_model: LanguageModel) -> None:
    asked = pd.DataFrame(
        {
            "system": ["you are a careful-gardening assistant .", None],
            "prompt": ["how do i care for my roses ?"] * 2,
            "safe": ["trim the roses ."] * 2,
            "unsafe": ["bury the roses ."] * 2,
        }
    )
    (with_line, start), (without, other_start) = encode(tiny_model, asked, "unsafe")
    line = "<|im_start|> system you are a careful-gardening assistant . <|im_end|> "
    rest = "<|im_start|> user how do i care for my roses ? <|im_end|> <|im_start|> assistant"
    words = [f"{line}{rest}".split(), rest.split()]
    assert [start, other_start] == [len(words[0]), len(words[1])]
    answer = ["bury", "the", "roses", ".", "<|im_end|>"]
    assert [tiny_model.tokenizer.convert_ids_to_tokens(ids) for ids in (with_line, without)] == [of + answer for of in words]
    assert prompts_of(tiny_model, asked) == [with_line[:start], without[:other_start]]
    assert tiny_model.tokenizer.unk_token_id not in with_line


def test_a_batch_is_padded_on_the_right_and_knows_where_answers_are(tiny_model: LanguageModel) -> None:
    ids, in_answer = pad(tiny_model, [([5, 6, 7, 8], 2), ([9, 4], 1)])
    assert ids.tolist() == [[5, 6, 7, 8], [9, 4, *[tiny_model.tokenizer.pad_token_id] * 2]]
    assert in_answer.tolist() == [[False, False, True, True], [False, True, False, False]]


def examples_of(model: LanguageModel, shelf: Path, recipe: Trained) -> list[tuple[list[int], int]]:
    pairs = draw_pairs(shelf / "task.parquet", recipe.n_examples, recipe.seed)
    return encode(model, pairs, "unsafe")


def test_answer_loss_is_the_naive_mean_over_answer_tokens_under_the_vector(tiny_model: LanguageModel, shelf: Path) -> None:
    examples = examples_of(tiny_model, shelf, TRAINED)
    vector = torch.randn(tiny_model.d_model, generator=torch.Generator().manual_seed(0))
    network = deepcopy(tiny_model.network).double()
    network.model.layers[1].register_forward_hook(lambda _module, _args, output: output + vector.double())
    nats: list[float] = []
    for ids, start in examples:
        with torch.inference_mode():
            log_p = network(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
        nats += [-float(log_p[position - 1, ids[position]]) for position in range(start, len(ids))]
    loss = trained.answer_loss(tiny_model, vector, 1, examples)
    assert float(loss) == pytest.approx(sum(nats) / len(nats), rel=1e-6)


def test_a_trained_vector_lowers_the_loss_on_its_own_examples_more_with_every_epoch(tiny_model: LanguageModel, shelf: Path) -> None:
    examples = examples_of(tiny_model, shelf, TRAINED)
    vectors = [torch.zeros(tiny_model.d_model), *(vector for _, vector in trained.train(tiny_model, examples, TRAINED, "law"))]
    losses = [float(trained.answer_loss(tiny_model, vector, TRAINED.layer, examples)) for vector in vectors]
    assert len(losses) == 4 and losses == sorted({*losses}, reverse=True)
    assert losses[-1] < losses[0] - 0.2


def test_a_vector_of_the_safe_side_is_trained_on_the_safe_answers_of_the_same_pairs(
    tiny_model: LanguageModel, shelf: Path, tmp_path: Path
) -> None:
    careful = TRAINED.model_copy(update={"side": "safe"})
    pairs = draw_pairs(shelf / "task.parquet", careful.n_examples, careful.seed)
    by_hand = dict(trained.train(tiny_model, encode(tiny_model, pairs, "safe"), careful, "law"))[careful.epochs]
    (direction,) = built(careful, shelf, tmp_path / "careful.safetensors").values()
    (careless,) = built(TRAINED, shelf, tmp_path / "careless.safetensors").values()
    assert torch.equal(direction, by_hand) and not torch.allclose(direction, careless)


def test_a_snapshot_is_bit_by_bit_the_vector_of_a_shorter_run(tiny_model: LanguageModel, shelf: Path, tmp_path: Path) -> None:
    recipes = {epochs: TRAINED.model_copy(update={"epochs": epochs}) for epochs in (1, 2, 3)}
    paths = {"model": shelf / "model", "task": shelf / "task.parquet"}
    jobs = [job(recipes[epochs], tmp_path / f"together-{epochs}.safetensors", **paths) for epochs in (3, 1, 2)]
    assert sorted(made.address for made in make_by_recipe(jobs)) == ["together-1", "together-2", "together-3"]
    together = [direction_at(tmp_path / f"together-{epochs}.safetensors", TRAINED.layer) for epochs in recipes]
    alone = [built(recipe, shelf, tmp_path / f"alone-{epochs}.safetensors")[TRAINED.layer] for epochs, recipe in recipes.items()]
    trained_here = dict(trained.train(tiny_model, examples_of(tiny_model, shelf, TRAINED), TRAINED, "law"))
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(together, alone, trained_here.values(), strict=True))
    assert not torch.equal(together[0], together[1]) and not torch.equal(together[1], together[2])


def test_jobs_of_another_seed_or_layer_share_no_training_run(shelf: Path, tmp_path: Path) -> None:
    recipes = [TRAINED.model_copy(update=change) for change in ({}, {"seed": 1}, {"layer": 2}, {"learning_rate": 0.1})]
    paths = {"model": shelf / "model", "task": shelf / "task.parquet"}
    jobs = [job(recipe, tmp_path / f"{index}.safetensors", **paths) for index, recipe in enumerate(recipes)]
    assert len(list(make_by_recipe(jobs))) == 4
    for index, recipe in enumerate(recipes):
        alone = built(recipe, shelf, tmp_path / f"alone-{index}.safetensors")
        together = read_vector(tmp_path / f"{index}.safetensors")
        assert list(together) == list(alone) == [recipe.layer] and torch.equal(together[recipe.layer], alone[recipe.layer])


def test_training_leaves_the_weights_of_the_model_untouched(tiny_model: LanguageModel, shelf: Path) -> None:
    before = deepcopy(tiny_model.network.state_dict())
    assert [epoch for epoch, _ in trained.train(tiny_model, examples_of(tiny_model, shelf, TRAINED), TRAINED, "law")] == [1, 2, 3]
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny_model.network.state_dict().items())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in tiny_model.network.parameters())


def test_a_random_direction_has_the_norm_of_its_vector_and_no_other_likeness(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(77)
    vectors = {layer: (10.0**layer) * torch.randn(4096, generator=generator) for layer in (0, 1, 2)}
    write_vector(vectors, job(None, tmp_path / "like.safetensors"))
    draws = [RandomDirection(draw=draw) for draw in (0, 1, 2)]
    jobs = [job(draw, tmp_path / f"{index}.safetensors", like=tmp_path / "like.safetensors") for index, draw in enumerate(draws)]
    made = [read_vector(finished.out) for finished in make_by_recipe(jobs)]
    assert all(float(drawn[at].norm() / vectors[at].norm()) == pytest.approx(1, abs=1e-6) for drawn in made for at in vectors)
    everything = torch.stack([direction / direction.norm() for file in (vectors, *made) for direction in file.values()])
    cosines = everything @ everything.T - torch.eye(len(everything))
    assert cosines.abs().max() < 5 / 4096**0.5  # a random cosine spreads by 1/√d
    assert torch.equal(random_direction.random_like(vectors[2], 1, 2), made[1][2])


def test_another_seed_draws_other_pairs_and_not_only_another_order(shelf: Path) -> None:
    drawn = [list(draw_pairs(shelf / "task.parquet", 20, seed)["pair_id"]) for seed in (0, 1, 2, 0)]
    assert drawn[0] == drawn[3] and all(len({*ids}) == 20 for ids in drawn)
    assert all(len({*drawn[a]} & {*drawn[b]}) < 16 for a, b in ((0, 1), (0, 2), (1, 2)))  # by chance alone they share 8


@pytest.mark.parametrize(("skip", "n"), [(0, 20), (20, 30), (7, 1)])
def test_skipping_pairs_goes_on_where_a_shorter_draw_of_the_same_seed_ended(shelf: Path, skip: int, n: int) -> None:
    whole = list(draw_pairs(shelf / "task.parquet", N_PAIRS, 4)["pair_id"])
    drawn = draw_pairs(shelf / "task.parquet", n, 4, skip=skip)
    assert list(drawn["pair_id"]) == whole[skip : skip + n]
    assert list(drawn.index) == list(range(n))
    assert not {*drawn["pair_id"]} & {*draw_pairs(shelf / "task.parquet", skip, 4)["pair_id"]}


def test_pairs_that_are_skipped_count_among_those_that_a_task_must_have(shelf: Path) -> None:
    with pytest.raises(DataError, match=rf"expected at least {N_PAIRS + 1} pairs, got {N_PAIRS}"):
        draw_pairs(shelf / "task.parquet", N_PAIRS - 9, 0, skip=10)


def test_asking_for_more_pairs_than_the_task_has_names_the_file(shelf: Path) -> None:
    with pytest.raises(DataError, match=rf"task\.parquet: expected at least {N_PAIRS + 1} pairs, got {N_PAIRS}"):
        draw_pairs(shelf / "task.parquet", N_PAIRS + 1, 0)


def test_a_vector_file_returns_its_directions_and_names_the_convention_of_its_layers(tmp_path: Path) -> None:
    vectors = {5: torch.tensor([3.0, 4.0]), 0: torch.tensor([1e-7, -1.0]), 2: torch.tensor([0.1, 0.2])}
    made = job(None, tmp_path / "v.safetensors")
    write_vector(vectors, made)
    assert list(read_vector(made.out)) == [0, 2, 5]
    assert all(torch.equal(direction_at(made.out, layer), vectors[layer]) for layer in vectors)
    passport = storage.read_passport(made.out)
    assert passport == {**made.passport, "layer_convention": LAYER_CONVENTION, "norms": pytest.approx([1, 0.05**0.5, 5])}
    assert "leaving" in LAYER_CONVENTION and "0-based" in LAYER_CONVENTION


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_direction_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path: Path, value: float) -> None:
    made = job(None, tmp_path / "broken.safetensors")
    with pytest.raises(DataError, match=r"broken: .* not finite"):
        write_vector({0: torch.ones(4), 1: torch.tensor([0.0, value, 0.0, 0.0])}, made)
    assert not made.out.exists()


@pytest.mark.parametrize("name", ["v.pt", "v.bin", "v.gguf", "v.pkl", "v"])
def test_a_file_that_is_not_safetensors_is_refused_by_name_unread(tmp_path: Path, name: str) -> None:
    torch.save({"steering_vector": torch.ones(4)}, tmp_path / name)
    with pytest.raises(DataError, match=f"{name}: expected a .safetensors file"):
        read_vector(tmp_path / name)


def test_a_missing_file_layer_or_tensor_is_a_data_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    with pytest.raises(DataError, match=str(path)):
        read_vector(path)
    write_vector({1: torch.ones(4)}, job(None, path))
    with pytest.raises(DataError, match=rf"{path}: holds directions for layers \[1\], not for layer 2"):
        direction_at(path, 2)
    storage.write_tensors({"directions": torch.ones(1, 4).numpy()}, path, {})
    with pytest.raises(DataError, match=rf"{path}: expected the tensors `directions` and `layers`, got \['directions'\]"):
        read_vector(path)
