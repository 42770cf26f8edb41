"""Equal KL: directions scaled until they cost the same, and what is said where they cannot."""

import math
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from planning import miniature, put, resolved, rows
from torch import Tensor

from emsteer import storage
from emsteer.analysis.settings import setting_name
from emsteer.errors import ConfigError, ModelError
from emsteer.interventions.constructions.equal_kl import Costs, is_met, scaled
from emsteer.interventions.vectors import direction_at, write_vector
from emsteer.models.load import LanguageModel
from emsteer.packs import Job, make_by_recipe
from emsteer.recipes import EqualKl
from emsteer.study import parse

LAYER = 1
NORMS = [2.0, 4.0, 8.0]  # of the calibration, by layer
N_NEW, TOLERANCE = 6, 0.02
PASSAGES = ["roses are red", "the soup is hot today , is it not ?", "x", "we go out"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_model: LanguageModel) -> Path:
    """A folder with a model, its calibration, a neutral text, and two directions of one norm and another of none."""
    folder = tmp_path_factory.mktemp("shelf")
    tiny_model.network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    storage.write_json({"residual_norms": NORMS}, folder / "calibration.json")
    (folder / "neutral.txt").write_text("\n".join(PASSAGES) + "\n", encoding="utf-8")
    for seed in (0, 1):
        vector = torch.randn(tiny_model.d_model, generator=torch.Generator().manual_seed(seed))
        keep(folder / f"v{seed}.safetensors", vector / vector.norm(), "model--0")
    keep(folder / "nothing.safetensors", torch.zeros(tiny_model.d_model), "model--0")
    keep(folder / "stranger.safetensors", torch.ones(tiny_model.d_model), "model--1")
    return folder


def keep(path: Path, vector: Tensor, model: str) -> None:
    write_vector({LAYER: vector}, Job(None, {}, {}, path.stem, path, {"address": path.stem, "inputs": {"model": {model: "sha"}}}))


def made(shelf: Path, out: Path, like: str, kl: float, **more: float) -> tuple[Tensor, storage.Passport]:
    inputs = {"model": "model", "calibration": "calibration.json", "neutral_text": "neutral.txt", "like": f"{like}.safetensors"}
    paths = {role: (shelf / name,) for role, name in inputs.items()}
    addresses = {role: (f"{role}--0",) for role in inputs}
    passport = {"kind": "vectors", "address": out.stem}
    recipe = EqualKl.model_validate(
        {"layer": LAYER, "kl": kl, "max_new_tokens": N_NEW, "tolerance": TOLERANCE, "at_most": 4.0, **more}
    )
    (job,) = make_by_recipe([Job(recipe, paths, addresses, out.stem, out, passport)])
    return direction_at(job.out, LAYER), storage.read_passport(job.out)


def naive_kl(model: LanguageModel, vector: Tensor) -> float:
    """Mean KL(base ‖ steered) over the tokens of the model's own greedy answers, one passage and token at a time in float64."""
    networks = [deepcopy(model.network).double() for _ in range(2)]
    networks[1].model.layers[LAYER].register_forward_hook(lambda _module, _args, output: output + vector.double())
    found: list[Tensor] = []
    with torch.inference_mode():
        for passage in PASSAGES:
            prompt = model.prompt_ids(passage)
            ids = list(prompt)
            while len(ids) - len(prompt) < N_NEW and (ids == prompt or ids[-1] not in model.end_ids):
                ids.append(int(networks[0](input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
            base, steered = (of(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1) for of in networks)
            found.append((base.exp() * (base - steered)).sum(-1)[len(prompt) - 1 : -1])
    return float(torch.cat(found).mean())


@pytest.mark.parametrize("kl", [0.002, 0.1])
def test_directions_scaled_to_one_kl_cost_it_by_a_naive_count(
    shelf: Path, tmp_path: Path, tiny_model: LanguageModel, kl: float
) -> None:
    scales = []
    for seed in (0, 1):
        direction, passport = made(shelf, tmp_path / f"k{seed}.safetensors", f"v{seed}", kl)
        assert naive_kl(tiny_model, direction) == pytest.approx(kl, rel=TOLERANCE)
        assert passport["is_met"] and passport["kl"] == pytest.approx(naive_kl(tiny_model, direction), rel=1e-3)
        assert torch.allclose(direction, passport["scale"] * direction_at(shelf / f"v{seed}.safetensors", LAYER))
        scales.append(passport["scale"])
    assert scales[0] != pytest.approx(scales[1], rel=0.01), "equal norm is not equal KL"


def test_a_kl_beyond_the_longest_push_is_said_not_to_be_met(shelf: Path, tmp_path: Path, tiny_model: LanguageModel) -> None:
    direction, passport = made(shelf, tmp_path / "far.safetensors", "v0", 5.0, at_most=0.5)
    assert float(direction.norm()) == pytest.approx(0.5 * NORMS[LAYER]), "the longest push is kept"
    assert passport["is_met"] is False
    assert passport["kl"] == pytest.approx(naive_kl(tiny_model, direction), rel=1e-3) and passport["kl"] < 5
    direction, passport = made(shelf, tmp_path / "none.safetensors", "nothing", 0.1)
    assert not direction.any() and (passport["kl"], passport["is_met"]) == (0, False)


def test_a_direction_of_another_model_is_refused(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="was made from the model model--1"):
        made(shelf, tmp_path / "x.safetensors", "stranger", 0.1)


def test_the_smallest_scale_that_costs_enough_is_found_and_few_are_tried() -> None:
    tried: list[float] = []

    def rises_and_falls(scale: float) -> float:
        tried.append(scale)
        return 3 * scale**2 if scale < 1 else max(0.0, 3 - scale)  # costs 0.75 at 0.5 and again at 2.25

    scale, reached = scaled(rises_and_falls, 0.75, 8.0, TOLERANCE)
    assert scale == pytest.approx(0.5, rel=0.01) and is_met(reached, 0.75, TOLERANCE)
    assert len(tried) == len(set(tried)) <= 12
    scale, reached = scaled(lambda scale: scale**2, 1e-4, 1000.0, TOLERANCE)
    assert scale == pytest.approx(0.01, rel=0.01), "where the first step is too long already"


def test_a_cost_does_not_depend_on_how_passages_are_batched(tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = torch.randn(tiny_model.d_model, generator=torch.Generator().manual_seed(2))
    whole = Costs.of_passages(tiny_model, PASSAGES, N_NEW).of(vector, LAYER, 0.5)
    monkeypatch.setattr("emsteer.interventions.constructions.equal_kl.ROWS_PER_BATCH", 1)
    assert Costs.of_passages(tiny_model, PASSAGES, N_NEW).of(vector, LAYER, 0.5) == pytest.approx(whole, rel=1e-5)
    assert math.isclose(whole, naive_kl(tiny_model, 0.5 * vector), rel_tol=1e-3)


# -- in the plan -------------------------------------------------------------------------------------------------------


def test_a_sweep_in_kl_builds_a_vector_of_every_direction_and_dose_and_steers_by_it_as_it_is() -> None:
    raw = miniature()
    random = {"seeds": [0], "n_draws": 1, "doses": [0.1]}
    put(raw, "sweeps.equal_kl", {"arm": "steered", "unit": "kl", "doses": [0.1, 0.2], "random": random})
    plan = resolved(raw)
    cells = [cell for cell in plan.of("vectors") if isinstance(cell.recipe, EqualKl)]
    names = {"l1.e2.kl0.1", "l1.e2.kl0.2", "l1.e2.random0.kl0.1"}
    assert {cell.address.partition("--")[0].partition(".s0.")[2] for cell in cells} == names
    made = {cell.address for cell in cells}
    found = [row for row in rows(plan) if made & set(row.made)]
    assert {setting_name(row.setting).partition(".s0.")[2] for row in found} == names
    for row in found:
        (answers,) = plan.cells["scores"][row.scores[0]].inputs["answers"]
        (treatment,) = answers.recipe.treatments
        assert (treatment.unit, treatment.dose) == ("vector_norm", 1), "the vector is as long as that takes"
        assert [cell.address for cell in answers.inputs["vector"]] == list(row.made) and "calibration" not in answers.inputs


@pytest.mark.parametrize("doses", [[0, 0.1], [-0.1], [0.1, 1000]])
def test_a_dose_in_kl_that_no_push_costs_is_a_mistake(doses: list[float]) -> None:
    raw = miniature()
    put(raw, "sweeps.equal_kl", {"arm": "steered", "unit": "kl", "doses": doses})
    with pytest.raises(ConfigError, match=r"sweeps\.equal_kl\.doses: expected doses in kl between 0\.0001 and 100 \[nats"):
        parse(raw)
    random = {"seeds": [0], "n_draws": 1, "doses": doses}
    put(raw, "sweeps.equal_kl", {"arm": "steered", "unit": "kl", "doses": [0.1], "random": random})
    with pytest.raises(ConfigError, match=r"sweeps\.equal_kl\.random: expected doses in kl"):
        parse(raw)
    del raw["sweeps"]["equal_kl"]
    put(raw, "base_point.steered.doses", doses)
    put(raw, "base_point.steered.unit", "kl")
    with pytest.raises(ConfigError, match=r"base_point\.steered\.unit: expected doses in kl"):
        parse(raw)
