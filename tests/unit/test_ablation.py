"""Ablation: a direction is taken out of the stream of one row, and of no other row, position or layer."""

from itertools import product

import numpy as np
import pytest
import torch
from planning import miniature, put, resolved, rows
from test_effects import ITEMS, LAYER, found
from test_engine import GREEDY, SAMPLED, complete, wandering

from emsteer.errors import ConfigError, ModelError
from emsteer.generation.effects import residuals, right_answers
from emsteer.generation.rows import UNCHANGED, Changes, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.hooks import Ablation, Positions, Push, RowSteering, hooked
from emsteer.models.load import LanguageModel
from emsteer.recipes import ABLATED, Ablated, Sampling, Steering

D = 32


def direction(seed: int) -> torch.Tensor:
    return 7 * torch.randn(D, generator=torch.Generator().manual_seed(seed))


def stream(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, D, generator=torch.Generator().manual_seed(9))


def steering(*of_rows: tuple[Push | Ablation, ...]) -> RowSteering:
    return RowSteering(of_rows, D, 3, torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_of_the_component_along_a_direction_a_share_is_taken_and_the_rest_is_as_it_was(share: float) -> None:
    hidden, along = stream(2, 4), direction(0)
    after = steering((), (Ablation(1, along, share, "all"),)).apply(1, hidden)
    unit = along / along.norm()
    assert torch.equal(after[0], hidden[0]), "another row, bit by bit"
    assert torch.allclose(after[1] @ unit, (1 - share) * hidden[1] @ unit, atol=1e-5)
    across = torch.eye(D) - torch.outer(unit, unit)
    assert torch.allclose(after[1] @ across, hidden[1] @ across, atol=1e-5)


def test_in_a_dtype_of_few_digits_as_little_is_left_as_it_can_hold() -> None:
    hidden, along = stream(1, 64).bfloat16(), direction(0)
    of_rows = RowSteering([(Ablation(0, along, 1, "all"),)], D, 3, torch.bfloat16, torch.device("cpu"))
    after, unit = of_rows.apply(0, hidden), along / along.norm()
    exact = hidden.float() - (hidden.float() @ unit)[..., None] * unit
    assert after.dtype == torch.bfloat16 and torch.allclose(after.float(), exact, atol=2**-6)
    assert (after.float() @ unit).abs().max() < 0.02


def test_how_long_a_direction_is_and_which_way_it_points_does_not_matter() -> None:
    hidden = stream(1, 4)
    one, other = (steering((Ablation(0, scale * direction(0), 1, "all"),)).apply(0, hidden) for scale in (1, -3))
    assert torch.allclose(one, other, atol=1e-6)


def test_on_the_answer_alone_what_stands_before_it_is_as_it_was() -> None:
    hidden = stream(2, 4)
    of_rows = steering((Ablation(1, direction(0), 1, "answer"),), (Ablation(1, direction(1), 1, "all"),))
    of_rows.answer_positions = torch.tensor([[False, False, True, True], [False, True, True, True]])
    after = of_rows.apply(1, hidden)
    assert torch.equal(after[0, :2], hidden[0, :2]) and torch.allclose(after[0, 2:] @ direction(0), torch.zeros(2), atol=1e-4)
    assert torch.allclose(after[1] @ direction(1), torch.zeros(4), atol=1e-4)
    of_rows.keep(torch.tensor([1]))
    assert torch.equal(of_rows.apply(1, hidden[1:])[0], after[1]) and of_rows.layers == {1}
    assert torch.equal(of_rows.apply(0, hidden), hidden), "another layer"


def test_everywhere_it_is_taken_out_behind_every_block_of_its_row_alone() -> None:
    hidden, of_rows = stream(2, 4), steering((), (Ablation(1, direction(0), 1, "all", everywhere=True),))
    assert of_rows.layers == {0, 1, 2}
    for layer in range(3):
        after = of_rows.apply(layer, hidden)
        assert torch.equal(after[0], hidden[0]) and torch.allclose(after[1] @ direction(0), torch.zeros(4), atol=1e-4)


def test_what_is_pushed_at_the_same_layer_is_ablated_too() -> None:
    hidden = stream(1, 4)
    both = steering((Ablation(2, direction(0), 1, "all"), Push(2, direction(0), "all")))
    assert torch.allclose(both.apply(2, hidden) @ direction(0), torch.zeros(4), atol=1e-3)


@pytest.fixture(scope="module")
def model(tiny_model: LanguageModel) -> LanguageModel:
    return wandering(tiny_model)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_an_ablated_answer_is_the_one_that_a_plain_hook_gives_whatever_its_batch(model: LanguageModel, sampling: Sampling) -> None:
    prompts = [tuple(range(4, 4 + n)) for n in (3, 9, 5)]
    places: list[tuple[int, Positions]] = list(product((0, 2), ("all", "answer")))
    batch = [
        Row(prompt, row_seed(0, f"{n}", 0), Changes((Ablation(layer, direction(n), 1, where),)))
        for n, (prompt, (layer, where)) in enumerate(product(prompts, places))
    ]
    together = complete(model, [*batch, Row(prompts[0], row_seed(0, "0", 0))], sampling)
    assert together[:-1] == [complete(model, [row], sampling)[0] for row in batch]
    assert together[0] != together[-1], "without it another one"
    unit = direction(0) / direction(0).norm()
    block = model.network.model.layers[0]
    with hooked([(block, lambda _input, hidden: hidden - (hidden @ unit)[..., None] * unit)]):
        assert complete(model, [Row(prompts[0], row_seed(0, "0", 0))], sampling)[0] == together[0]


@pytest.mark.parametrize(
    ("ablations", "said"),
    [
        ((Ablation(3, direction(0), 1, "all"),), "layer 3 does not fit a model of 3 layers"),
        ((Ablation(0, direction(0)[:5], 1, "all"),), "does not fit"),
        ((Ablation(0, torch.zeros(D), 1, "all"),), "a direction without length is to be ablated at layer 0"),
        ((Ablation(0, direction(0), 1, "all"), Ablation(0, direction(1), 1, "all")), "two directions are to be ablated at layer 0"),
    ],
)
def test_what_cannot_be_ablated_is_refused(ablations: tuple[Ablation, ...], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        steering(ablations)


def slope_by_hand(model: LanguageModel, along: torch.Tensor) -> float:
    """Of what is taken out behind `LAYER`, what is missing behind the last block: a line through the origin, by numpy."""
    unit = along.double() / along.double().norm()
    streams = [
        residuals(model, right_answers(model, ITEMS, changes)) @ unit
        for changes in (UNCHANGED, Changes((Ablation(LAYER, along, 1, "all"),)))
    ]
    (slope,), *_ = np.linalg.lstsq(-streams[0][LAYER].numpy()[:, None], (streams[1] - streams[0])[-1].numpy(), rcond=None)
    return float(slope)


def test_an_ablation_holds_at_its_layer_and_what_comes_back_later_is_seen(tiny_model: LanguageModel) -> None:
    along = direction(1)
    whole, half = (found(tiny_model, Changes((Ablation(LAYER, along, share, "all"),))) for share in (1.0, 0.5))
    for table in (whole, half):
        assert table["at_layer"].tolist() == pytest.approx([1] * len(ITEMS), abs=1e-4), "of what is to be taken"
        assert np.isfinite(table[["two_later", "at_last"]]).all(axis=None) and len(table) == len(ITEMS)
    assert whole["at_last"].mean() == pytest.approx(slope_by_hand(tiny_model, along), abs=1e-4)
    none = found(tiny_model, Changes((Ablation(LAYER, along, 0, "all"),)))
    assert none["at_layer"].isna().all()
    everywhere = found(tiny_model, Changes((Ablation(LAYER, along, 1, "all", everywhere=True),)))
    assert everywhere["at_layer"].mean() == pytest.approx(1, abs=1e-4)
    back = Push(LAYER + 1, along, "all")
    pushed = found(tiny_model, Changes((back, Ablation(LAYER, along, 1, "all"))))
    assert pushed["at_layer"].mean() == pytest.approx(1, abs=1e-4), "against the model with the push"


def ablating(**sweep: object) -> dict:
    raw = miniature()
    raw["sweeps"]["ablated"] = {"arm": "steered", "unit": "ablated", "doses": [1]} | sweep
    return raw


def test_a_sweep_ablates_the_directions_of_its_vectors_and_of_random_ones() -> None:
    before, plan = resolved(miniature()), resolved(ablating(random={"seeds": [0], "n_draws": 2, "doses": [1]}))
    new = {cell.address: cell.recipe.treatments for cell in plan.of("answers") if cell.address not in before.cells["answers"]}
    assert {name.partition(".everyday")[0] for name in new} == {
        f"mini.gardening.trained.s0.l1.e2.{name}ab1" for name in ("", "random0.", "random1.")
    }
    assert {one for treatments in new.values() for one in treatments} == {
        Ablated(layer=1, everywhere=False, share=1, positions="all")
    }
    everywhere = resolved(ablating(unit="ablated_everywhere")).of("answers")
    assert [cell.recipe.treatments for cell in everywhere if ".abe1." in cell.address] == [
        (Ablated(layer=1, everywhere=True, share=1, positions="all"),)
    ] * 2
    assert not set(before.cells["answers"]) - set(plan.cells["answers"]), "and moves nothing else"
    assert [cell.recipe.treatments for cell in plan.of("effects") if cell.address.startswith("mini.broken--")] == [
        (Steering(layer=1, dose=4, unit="residual_norm", positions="all"),)
    ]
    said = [row.setting.treatments[0] for row in rows(plan) if row.setting.treatments and ".ab1" in str(row.scores)]
    assert len(said) == 3 and {one.dose_unit for one in said} == {"ablated"}
    (table,) = (cell for cell in plan.of("tables") if cell.address.startswith("directions--"))
    (as_before,) = (cell for cell in before.of("tables") if cell.address.startswith("directions--"))
    assert table.recipe == as_before.recipe, "what is taken out is no dose of a push"


@pytest.mark.parametrize("doses", [[-0.5], [0, 1.5]])
def test_shares_are_between_nothing_and_all(doses: list[float]) -> None:
    with pytest.raises(ConfigError, match=r"sweeps\.ablated\.doses.*between 0 and 1: the share of a direction that is ablated"):
        resolved(ablating(doses=doses))


@pytest.mark.parametrize("unit", ABLATED)
def test_the_base_point_adds(unit: str) -> None:
    raw = miniature()
    put(raw, "base_point.steered.unit", unit)
    with pytest.raises(ConfigError, match=r"base_point\.steered\.unit.*expected a unit of what is added"):
        resolved(raw)
