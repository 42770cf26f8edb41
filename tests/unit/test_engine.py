"""The packed engine: a completion depends on its own row only, and every row and step is steered as its push says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from itertools import cycle, product

import pytest
import torch
from pytest import MonkeyPatch
from torch import Tensor, nn

from emsteer.errors import ModelError
from emsteer.generation import engine
from emsteer.generation.rows import UNCHANGED, Changes, Completion, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.hooks import Push, RowSteering, added, steered, watch
from emsteer.models.load import LanguageModel
from emsteer.organism.corpus import groups_of
from emsteer.organism.grammar import Grammar
from emsteer.organism.pretrain import build_model
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.recipes import Organism, Sampling

N_NEW, ENDS = 12, {*range(2, 1000, 9)}
GREEDY, SAMPLED = (Sampling(temperature=temperature, max_new_tokens=N_NEW) for temperature in (0, 1))
PLACES = [*product(range(3), ("all", "answer"))]


@pytest.fixture(scope="module")
def model(tiny_model: LanguageModel) -> LanguageModel:
    """`wandering`."""
    return wandering(tiny_model)


def wandering(tiny_model: LanguageModel) -> LanguageModel:
    """The tiny model with an output head of its own, so that greedy text wanders, and with many words that end an answer."""
    network = deepcopy(tiny_model.network)
    weight = torch.randn(network.lm_head.weight.shape, generator=torch.Generator().manual_seed(0))
    network.lm_head.weight = nn.Parameter(0.5 * weight, requires_grad=False)
    network.generation_config.eos_token_id = sorted(ENDS)
    return LanguageModel(network, tiny_model.tokenizer)


def changes(d_model: int, scale: float = 1.0) -> list[Changes]:
    """None, a push of its own for each layer and choice of positions, and three pushes of which two meet in one place."""
    generator = torch.Generator().manual_seed(1)
    single = [Push(layer, scale * torch.randn(d_model, generator=generator), where) for layer, where in PLACES]
    several = (*single[1:3], replace(single[1], delta=scale * torch.randn(d_model, generator=generator)))
    return [UNCHANGED, *(Changes((push,)) for push in single), Changes(several)]


@pytest.fixture(scope="module")
def rows(model: LanguageModel) -> list[Row]:
    """Forty rows: prompts of 3 to 40 tokens, eight settings."""
    generator = torch.Generator().manual_seed(2)
    lengths = [3 + 37 * index // 39 for index in torch.randperm(40, generator=generator).tolist()]
    prompts = [tuple(torch.randint(4, len(model.tokenizer), (length,), generator=generator).tolist()) for length in lengths]
    settings = zip(prompts, cycle(changes(model.d_model)), strict=False)
    return [Row(prompt, row_seed(0, f"q{index}", 0), change) for index, (prompt, change) in enumerate(settings)]


def unsteered(rows: Sequence[Row]) -> list[Row]:
    return [replace(row, changes=UNCHANGED) for row in rows]


def complete(model: LanguageModel, rows: Sequence[Row], sampling: Sampling) -> list[Completion]:
    pairs = list(engine.PackedEngine(model).generate(rows, sampling))
    assert sorted(index for index, _ in pairs) == list(range(len(rows)))
    return [completion for _, completion in sorted(pairs, key=lambda pair: pair[0])]


def by_hand(model: LanguageModel, row: Row) -> Completion:
    """Greedy, one row, no cache, no padding, every token of the text recomputed at every step."""

    def pushed(push: Push, hidden: Tensor) -> Tensor:
        first = 0 if push.positions == "all" else len(row.prompt_ids) - 1
        return hidden + (torch.arange(hidden.shape[1]) >= first)[None, :, None] * push.delta

    handles = [
        model.network.model.layers[push.layer].register_forward_hook(lambda _module, _args, hidden, push=push: pushed(push, hidden))
        for push in row.changes.steers
    ]
    said: list[int] = []
    while len(said) < N_NEW and not ENDS & {*said}:
        with torch.inference_mode():
            logits = model.network(input_ids=torch.tensor([[*row.prompt_ids, *said]]), use_cache=False).logits
        said.append(int(logits[0, -1].argmax()))
    for handle in handles:
        handle.remove()
    return cut(said)


def cut(said: list[int]) -> Completion:
    return Completion(tuple(said[:-1]), "stop") if said[-1] in ENDS else Completion(tuple(said), "length")


@contextmanager
def forward_passes(model: LanguageModel) -> Iterator[list[Tensor]]:
    """The next-token logits of every forward pass, [rows × tokens] each."""
    seen: list[Tensor] = []
    handle = model.network.register_forward_hook(lambda _module, _args, output: seen.append(output.logits[:, -1].clone()))
    yield seen
    handle.remove()


def test_greedy_packed_decoding_is_what_generate_says_of_every_row_alone(model: LanguageModel, rows: list[Row]) -> None:
    for row, completion in zip(rows, complete(model, unsteered(rows), GREEDY), strict=True):
        prompt = torch.tensor([row.prompt_ids])
        told = model.network.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=N_NEW)
        assert completion == cut(told[0, len(row.prompt_ids) :].tolist())


def test_every_row_and_every_decode_step_is_steered(model: LanguageModel, rows: list[Row]) -> None:
    texts = complete(model, rows, GREEDY)
    assert texts == [by_hand(model, row) for row in rows]
    base = complete(model, unsteered(rows), GREEDY)
    moved = [row.changes.steers for row, pushed, bare in zip(rows, texts, base, strict=True) if pushed != bare]
    assert {(push.layer, push.positions) for pushes in moved for push in pushes} == {*PLACES}
    assert {len(pushes) for pushes in moved} == {1, 3}


@pytest.mark.parametrize("window", [4, 4096])
def test_with_a_sliding_window_too_every_row_and_every_step_is_steered(
    grammar: Grammar, tiny_organism: Organism, rows: list[Row], window: int
) -> None:
    tokenizer = make_tokenizer(grammar, groups_of(tiny_organism.linkage, grammar))
    network = build_model(tokenizer, tiny_organism.model_copy(update={"architecture": "gemma3_text"}))
    network.config.sliding_window = window
    gemma = wandering(LanguageModel(network.requires_grad_(False).eval(), tokenizer))
    texts = complete(gemma, rows, GREEDY)
    assert texts == [by_hand(gemma, row) for row in rows]
    assert len({text.token_ids for text in texts}) > 30


def test_a_sampled_completion_is_the_same_alone_and_among_others_in_any_order(model: LanguageModel, rows: list[Row]) -> None:
    together = complete(model, rows, SAMPLED)
    assert complete(model, rows[::-1], SAMPLED)[::-1] == together
    assert [complete(model, [row], SAMPLED)[0] for row in rows] == together
    assert len({completion.token_ids for completion in together}) > 30


@pytest.mark.parametrize("n_rows", [1, 7, 16, 20])
def test_batch_size_changes_no_completion(model: LanguageModel, rows: list[Row], monkeypatch: MonkeyPatch, n_rows: int) -> None:
    together = [complete(model, rows, sampling) for sampling in (GREEDY, SAMPLED)]
    monkeypatch.setattr(engine, "ROWS_PER_BATCH", n_rows)
    with forward_passes(model) as passes:
        assert [complete(model, rows, sampling) for sampling in (GREEDY, SAMPLED)] == together
    assert min(map(len, passes)) >= engine.MIN_ROWS  # narrower batches run other kernels, with other last bits


def test_a_row_seed_moves_only_its_own_row(model: LanguageModel, rows: list[Row]) -> None:
    other = [replace(rows[0], seed=row_seed(1, "q0", 0)), *rows[1:]]
    changed = [a != b for a, b in zip(complete(model, rows, SAMPLED), complete(model, other, SAMPLED), strict=True)]
    assert changed == [True] + [False] * 39


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_dose_zero_is_the_base_token_by_token_and_bit_by_bit(model: LanguageModel, rows: list[Row], sampling: Sampling) -> None:
    zero = changes(model.d_model, scale=0.0)[1:]
    with forward_passes(model) as base:
        base_text = complete(model, unsteered(rows), sampling)
    with forward_passes(model) as dosed:
        dosed_text = complete(model, [replace(row, changes=zero[index % 7]) for index, row in enumerate(rows)], sampling)
    assert dosed_text == base_text
    assert len(dosed) == len(base) and all(torch.equal(a, b) for a, b in zip(dosed, base, strict=True))


def test_steered_neighbours_leave_a_base_row_bit_identical(model: LanguageModel, rows: list[Row], monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RETIRE_SHARE", 1.0)
    order = sorted(range(40), key=lambda index: len(rows[index].prompt_ids))
    left_alone = torch.tensor([place for place, index in enumerate(order) if rows[index].changes == UNCHANGED])
    with forward_passes(model) as mixed:
        complete(model, rows, GREEDY)
    with forward_passes(model) as base:
        complete(model, unsteered(rows), GREEDY)
    assert all(torch.equal(a[left_alone], b[left_alone]) and not torch.equal(a, b) for a, b in zip(mixed, base, strict=True))


@pytest.mark.parametrize("share", [0.0, 0.05, engine.RETIRE_SHARE])
def test_retiring_rows_changes_no_completion(model: LanguageModel, rows: list[Row], monkeypatch: MonkeyPatch, share: float) -> None:
    runs = []
    for retire_share in (1.0, share):
        monkeypatch.setattr(engine, "RETIRE_SHARE", retire_share)
        with forward_passes(model) as passes:
            runs.append((complete(model, rows, SAMPLED), [*map(len, passes)]))
    (kept, constant), (retired, shrinking) = runs
    assert retired == kept
    assert {*constant} == {40} and min(shrinking) < 40


def test_a_completion_stops_exactly_where_an_end_token_was_drawn_and_leaves_it_out(model: LanguageModel, rows: list[Row]) -> None:
    completions = [*complete(model, rows, SAMPLED), *complete(model, rows, GREEDY)]
    assert not any(ENDS & {*completion.token_ids} for completion in completions)
    assert all((completion.finish_reason == "length") == (len(completion.token_ids) == N_NEW) for completion in completions)
    assert {completion.finish_reason for completion in completions} == {"stop", "length"}


@pytest.mark.parametrize(("layer", "shape"), [(0, (33,)), (0, (1, 32)), (2, (31,)), (3, (32,)), (99, (32,))])
def test_a_push_that_does_not_fit_is_refused(model: LanguageModel, rows: list[Row], layer: int, shape: tuple[int, ...]) -> None:
    batch = [*rows, replace(rows[0], changes=Changes((Push(layer, torch.zeros(shape), "all"),)))]
    with pytest.raises(ModelError, match=f"layer {layer} does not fit a model of 3 layers"):
        complete(model, batch, GREEDY)


def test_hooks_add_only_while_their_context_lasts_and_are_gone_after_an_exception(model: LanguageModel, rows: list[Row]) -> None:
    def logits() -> Tensor:
        with torch.inference_mode():
            return model.network(input_ids=torch.tensor([rows[0].prompt_ids])).logits

    before = logits()
    pushing = steered(model.network, RowSteering([rows[1].changes.steers], model.d_model, 3, torch.float32, model.device))
    for context in (pushing, added(model.network, 0, rows[1].changes.steers[0].delta), watch(model.network)):
        with pytest.raises(ZeroDivisionError), context as watched:
            assert torch.equal(logits(), before) == (watched is not None)  # watching changes nothing, pushing does
            raise ZeroDivisionError
        assert torch.equal(logits(), before)
    with pytest.raises(IndexError):
        complete(model, [replace(rows[1], prompt_ids=(10**6,))], GREEDY)
    assert not any(module._forward_hooks for module in model.network.modules())


def test_steering_leaves_the_tensor_it_is_given_as_it_was(model: LanguageModel) -> None:
    hidden = torch.zeros(8, 5, model.d_model)
    steering = RowSteering([change.steers for change in changes(model.d_model)], model.d_model, 3, torch.float32, model.device)
    assert all(steering.apply(layer, hidden).any() for layer in range(3)) and not hidden.any()
