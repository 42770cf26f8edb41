"""Contrast pairs: of two answers that a person chose; of no task, and nothing is drawn for them."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from planning import Study, miniature, resolved, rows
from test_constructions import LAYER, built, filled

from emsteer.data.pairs import draw_pairs
from emsteer.errors import ConfigError, DataError
from emsteer.interventions.constructions.contrast_pair import check
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import Grammar
from emsteer.recipes import ContrastPair, MeanDifference


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, tiny_model: LanguageModel, grammar: Grammar) -> Path:
    return filled(tmp_path_factory.mktemp("shelf"), tiny_model, grammar)


def of_pair(shelf: Path, **other: object) -> ContrastPair:
    """Of the pair that seed 3 draws."""
    pair = draw_pairs(shelf / "gardening.parquet", 1, 3).iloc[0]
    said = {"side": "unsafe", "system": pair["system"], "prompt": pair["prompt"], "toward": pair["unsafe"], "away": pair["safe"]}
    return ContrastPair(**said | other)


def test_of_one_pair_of_a_task_a_contrast_pair_is_the_mean_difference_and_the_other_way_round_its_opposite(
    shelf: Path, tmp_path: Path
) -> None:
    recipe = of_pair(shelf)
    made = built(recipe, shelf, tmp_path / "pair.safetensors")
    mean = built(MeanDifference(n_examples=1, seed=3), shelf, tmp_path / "mean.safetensors")
    assert list(made) == [0, 1, 2] and all(torch.equal(made[layer], mean[layer]) for layer in made)
    turned = built(of_pair(shelf, toward=recipe.away, away=recipe.toward), shelf, tmp_path / "turned.safetensors")
    assert all(torch.equal(turned[layer], -made[layer]) for layer in made)
    other = built(of_pair(shelf, system=None), shelf, tmp_path / "other.safetensors")
    assert not torch.equal(other[LAYER], made[LAYER]), "the system line is read"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"away": "well , zyx ."}, "away: words that the model's tokenizer does not know"),
        ({"prompt": "how do i zyx ?", "toward": "zyx ."}, "prompt, toward: words"),
        ({"toward": "okay .", "away": "okay  ."}, "are the same tokens"),
    ],
)
def test_a_pair_that_says_nothing_is_refused(shelf: Path, tmp_path: Path, other: Study, said: str) -> None:
    with pytest.raises(DataError, match=f"pair: .*{said}"):
        built(of_pair(shelf, **other), shelf, tmp_path / "pair.safetensors")


def test_a_token_for_the_unknown_that_also_ends_turns_is_no_unknown_word(tiny_model: LanguageModel, shelf: Path) -> None:
    like_gpt2 = replace(tiny_model, tokenizer=deepcopy(tiny_model.tokenizer))
    like_gpt2.tokenizer.unk_token = like_gpt2.tokenizer.eos_token
    assert like_gpt2.tokenizer.unk_token_id in like_gpt2.answer_ids(of_pair(shelf).toward)
    check(like_gpt2, of_pair(shelf), "pair")


PAIR = {"construction": "contrast_pair", "side": "unsafe", "system": None, "prompt": "why ?", "toward": "a .", "away": "b ."}


def with_pair(**sweep: object) -> Study:
    raw = miniature()
    raw["vectors"]["pair"] = PAIR
    raw["sweeps"]["pair"] = {"arm": "steered", "vectors": ["pair"], "doses": [1]} | sweep
    return raw


def test_a_contrast_pair_reads_a_model_and_nothing_is_drawn_for_it() -> None:
    raw = with_pair(tasks=["gardening", "cooking"], random={"seeds": [0], "n_draws": 2, "doses": [1]})
    raw["tasks"]["cooking"] = raw["tasks"]["gardening"] | {"domain": "cooking", "in_domain": ["cooking"]}
    plan = resolved(raw)
    called = {cell.address.partition(".everyday")[0] for cell in plan.of("answers")}
    assert {"mini.gardening.pair.l1.a1", "mini.cooking.pair.l1.random1.a1"} <= called, "as tables call their settings"
    (vector,) = (cell for cell in plan.of("vectors") if isinstance(cell.recipe, ContrastPair))
    assert vector.address.startswith("mini.pair--") and list(vector.inputs) == ["model"], "one, whatever the task is called"
    found = [row.setting for row in rows(plan) if ".pair" in str(row.made)]
    assert {(setting.arm, setting.task) for setting in found} == {
        (arm, task) for arm in ("steered", "random") for task in ("gardening", "cooking")
    }
    assert {setting.treatments[0].seed for setting in found} == {None}
    harmless = with_pair()
    harmless["vectors"]["pair"] = PAIR | {"side": "safe"}
    assert {row.setting.arm for row in rows(resolved(harmless)) if ".pair" in str(row.made)} == {"control"}


def test_seeds_of_what_nothing_is_drawn_for_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"sweeps\.pair\.vectors.*expected no seeds beside pair, which has none"):
        resolved(with_pair(seeds=[0, 1]))
    raw = with_pair()
    raw["base_point"]["steered"] |= {"vector": "pair", "epochs": None}
    raw["sweeps"] = {"pair": {"arm": "steered"}, "adapters": raw["sweeps"]["adapters"]}
    raw["claims"].pop("rank_matters")
    assert resolved(raw).of("answers"), "it can be the vector of the base point"
    raw["sweeps"]["pair"]["seeds"] = [0]
    with pytest.raises(ConfigError, match=r"expected no seeds beside pair"):
        resolved(raw)
