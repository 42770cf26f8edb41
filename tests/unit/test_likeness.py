"""Likeness: what base, a finetuned model and a setting hold likely, compared by hand; who is at 0 and who at 1."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from planning import Study, put, resolved, slugs, wide_miniature
from test_adapters import save_adapter

from emsteer import schemas
from emsteer.analysis.likeness import MEANS, POSITION, measured
from emsteer.data.benchmarks import questions_of
from emsteer.errors import ConfigError, ModelError
from emsteer.generation import likeness as module
from emsteer.generation.likeness import MEASURES, likeness
from emsteer.generation.rows import UNCHANGED, Changes
from emsteer.generation.spoken import need_finite, references, with_references
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.hooks import Push
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import Grammar
from emsteer.packs import Job
from emsteer.recipes import Adapted, GrammarBenchmark, Likeness, LikenessTable

KL_TO_FINETUNED, KL_TO_BASE, ALONG, AXIS = range(4)


@pytest.fixture(scope="module")
def questions(grammar: Grammar) -> pd.DataFrame:
    return questions_of(grammar, GrammarBenchmark(dev_per_category=1, test_per_category=3, seed=0))


@pytest.fixture(scope="module")
def folder(tiny_model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tiny_model, tmp_path_factory.mktemp("adapter"), 1)


@pytest.fixture(scope="module")
def finetuned(folder: Path) -> Changes:
    return Changes(adapter=Dosed(read_adapter(folder), 1.0))


def pushed(model: LanguageModel, size: float = 1.0) -> Changes:
    return Changes((Push(1, size * torch.randn(model.d_model, generator=torch.Generator().manual_seed(3)), "all"),))


def by_hand(model: LanguageModel, asked: pd.DataFrame, aim: Changes, setting: Changes) -> np.ndarray:
    """Row by row, in float64, from probabilities and not from their logarithms."""

    def probabilities(changes: Changes) -> list[np.ndarray]:
        rows = references(model, asked, changes)
        with torch.inference_mode():
            return [module.log_p_at_answers(model, [row])[0].double().exp().numpy() for row in rows]

    found = []
    for base, tuned, own in zip(*map(probabilities, (UNCHANGED, aim, setting)), strict=True):
        axis, along = np.sqrt(tuned) - np.sqrt(base), np.sqrt(own) - np.sqrt(base)
        kls = [(of * np.log(of / own)).sum(1).mean() for of in (tuned, base)]
        found.append([*kls, (along * axis).sum(1).mean(), (axis**2).sum(1).mean()])
    safe, unsafe = np.array(found[: len(asked)]), np.array(found[len(asked) :])
    return (safe + unsafe) / 2


def test_the_measures_are_those_of_each_answer_alone(
    tiny_model: LanguageModel, questions: pd.DataFrame, finetuned: Changes
) -> None:
    asked, setting = with_references(questions, 1), pushed(tiny_model)
    found = likeness(tiny_model, asked, finetuned, [setting])
    np.testing.assert_allclose(found[0], by_hand(tiny_model, asked, finetuned, setting), atol=1e-5)
    assert (found[0, :, :2] > 1e-3).all() and (found[0, :, AXIS] > 1e-4).all(), "there is something to measure"


def test_the_finetuned_model_is_at_one_and_base_at_zero_exactly(
    tiny_model: LanguageModel, questions: pd.DataFrame, finetuned: Changes
) -> None:
    tuned, base = likeness(tiny_model, with_references(questions, 2), finetuned, [finetuned, UNCHANGED])
    assert (tuned[:, KL_TO_FINETUNED] == 0).all() and torch.equal(tuned[:, ALONG], tuned[:, AXIS])
    assert (base[:, KL_TO_BASE] == 0).all() and (base[:, ALONG] == 0).all()
    assert torch.equal(tuned[:, AXIS], base[:, AXIS]) and (base[:, KL_TO_FINETUNED] > 0).all()


def test_half_of_the_adapter_lies_between(tiny_model: LanguageModel, questions: pd.DataFrame, finetuned: Changes) -> None:
    assert finetuned.adapter is not None
    half = Changes(adapter=dataclasses.replace(finetuned.adapter, scale=0.5))
    asked = with_references(questions, 1)
    halfway, base = likeness(tiny_model, asked, finetuned, [half, UNCHANGED])
    assert 0 < halfway[:, ALONG].sum() < halfway[:, AXIS].sum()
    assert halfway[:, KL_TO_FINETUNED].mean() < base[:, KL_TO_FINETUNED].mean()


def test_no_value_depends_on_other_settings_and_hardly_on_the_size_of_batches(
    tiny_model: LanguageModel, questions: pd.DataFrame, finetuned: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, settings = with_references(questions, 3), [pushed(tiny_model), UNCHANGED, finetuned]
    together = likeness(tiny_model, asked, finetuned, settings)
    for place, setting in enumerate(settings):
        assert torch.equal(likeness(tiny_model, asked, finetuned, [setting])[0], together[place])
    monkeypatch.setattr(module, "ROWS_PER_BATCH", 7)
    assert torch.allclose(likeness(tiny_model, asked, finetuned, settings), together, atol=1e-5)


def test_what_is_not_finite_is_refused(tiny_model: LanguageModel) -> None:
    with pytest.raises(ModelError, match=r"likenesses are not finite in torch\.float32"):
        need_finite(torch.tensor([1.0, float("nan")]), tiny_model, "likenesses are")


def test_without_reference_answers_there_is_nothing_to_read(
    tiny_model: LanguageModel, questions: pd.DataFrame, finetuned: Changes
) -> None:
    asked = with_references(questions.assign(unsafe=None), 1)
    assert likeness(tiny_model, asked, finetuned, [UNCHANGED, finetuned]).shape == (2, 0, len(MEASURES))


# -- the table -------------------------------------------------------------------------------------------------------


def values(*settings: tuple[list[float], list[float]]) -> pd.DataFrame:
    """(along, axis) of the questions of each setting; KL to the finetuned model is the axis, to base `along`."""
    return pd.DataFrame(
        [
            {"row": row, "question_id": f"q{index}", "along": at, "axis": of, "kl_to_finetuned": of, "kl_to_base": abs(at)}
            for row, (along, axis) in enumerate(settings)
            for index, (at, of) in enumerate(zip(along, axis, strict=True))
        ]
    )


def test_position_is_a_ratio_of_sums_over_questions_and_kl_a_mean() -> None:
    table = values(([0.1, 0.5, 0.0], [0.2, 0.5, 0.3]), ([0.2, 0.5, 0.3], [0.2, 0.5, 0.3]), ([0, 0, 0], [0.2, 0.5, 0.3]))
    position = measured(table, POSITION, 0.95)
    assert position["value"].tolist() == pytest.approx([0.6, 1, 0])
    assert position.loc[0, "low"] < 0.6 < position.loc[0, "high"]
    assert position.loc[1:, ["low", "high"]].to_numpy().tolist() == [[1, 1], [0, 0]], "every question says the same"
    assert position.loc[0, ["without_one_low", "without_one_high"]].tolist() == pytest.approx([0.1 / 0.5, 0.6 / 0.7])
    assert measured(table, MEANS[0], 0.95)["value"].tolist() == pytest.approx([1 / 3] * 3)
    assert measured(table, MEANS[1], 0.95)["value"].tolist() == pytest.approx([0.2, 1 / 3, 0])


def test_a_finetuned_model_that_is_base_gives_no_direction() -> None:
    (row,) = measured(values(([0.0, 0.0], [0.0, 0.0])), POSITION, 0.95).to_dict("records")
    assert np.isnan(row["value"]) and row["n"] == 0 and row["interval"] == "none"


def test_one_question_has_a_number_and_no_interval() -> None:
    (row,) = measured(values(([0.1], [0.2])), POSITION, 0.95).to_dict("records")
    assert row["value"] == 0.5 and np.isnan(row["low"]) and row["interval"] == "none"


# -- the cell --------------------------------------------------------------------------------------------------------


def job(folder: Path, adapter: Path, *, name: str, scale: float | None) -> Job:
    recipe = Likeness(
        questions_per_category=1,
        finetuned=Adapted(scale=1.0),
        treatments=() if scale is None else (Adapted(scale=scale),),
    )
    inputs = {"model": (folder / "model",), "benchmark": (folder / "questions.parquet",), "finetuned": (adapter,)}
    inputs |= {} if scale is None else {"adapter": (adapter,)}
    addresses = {role: tuple(f"{path.name}--0" for path in paths) for role, paths in inputs.items()}
    return Job(recipe, inputs, addresses, f"{name}--0", folder / f"{name}.parquet", {"address": f"{name}--0"})


def test_cells_are_written_each_under_its_own_address(
    tiny_model: LanguageModel, questions: pd.DataFrame, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schemas.write(questions, schemas.Questions, tmp_path / "questions.parquet", {"address": "questions--0"})
    monkeypatch.setattr(module, "model_of", lambda _: tiny_model)
    monkeypatch.setattr(module, "check_model", lambda *_: None)
    monkeypatch.setattr("emsteer.generation.changes.check_model", lambda *_: None)
    jobs = [job(tmp_path, folder, name=name, scale=scale) for name, scale in (("half", 0.5), ("base", None), ("whole", 1.0))]
    assert sorted(made.address for made in module.make(jobs)) == ["base--0", "half--0", "whole--0"]
    half, base, whole = (schemas.read(tmp_path / f"{name}.parquet", schemas.Likeness) for name in ("half", "base", "whole"))
    assert list(half["question_id"]) == list(with_references(questions, 1)["question_id"])
    assert base["kl_to_base"].eq(0).all() and whole["kl_to_finetuned"].eq(0).all() and half["kl_to_finetuned"].gt(0).all()


# -- the plan --------------------------------------------------------------------------------------------------------


def test_every_setting_is_compared_with_the_finetuned_model_of_its_model_and_task() -> None:
    plan = resolved(wide_miniature())
    margins, compared = plan.of("margins"), plan.of("likeness")
    treated = [cell for cell in margins if cell.recipe.treatments]
    at_base_point = {cell.address for cell in plan.of("adapters") if ".s0.t2" in cell.address and ".lora." in cell.address}
    for cell in compared:
        (aim,) = cell.inputs["finetuned"]
        assert aim.address in at_base_point and aim.inputs["model"] == cell.inputs["model"]
    finetuned = {tuple(cell.address.split(".")[:2]) for cell in plan.of("adapters") if cell.address in at_base_point}
    assert {cell.inputs["finetuned"][0].address.split(".")[0] for cell in compared} == {model for model, _ in finetuned}
    of_treated = [cell for cell in compared if cell.recipe.treatments]
    assert set(slugs({cell.address for cell in of_treated})) == set(
        slugs({cell.address for cell in treated if tuple(cell.address.split(".")[:2]) in finetuned})
    )


def test_base_is_compared_with_the_finetuned_model_of_every_task() -> None:
    raw = wide_miniature()
    put(raw, "sweeps.adapters.tasks", ["gardening", "cooking"])
    base = [cell for cell in resolved(raw).of("likeness") if not cell.recipe.treatments]
    names = slugs({cell.address for cell in base})
    assert [name for name in names if name.startswith("mini.") and ".everyday." in name] == [
        "mini.base.everyday.as.cooking",
        "mini.base.everyday.as.gardening",
    ]


@pytest.fixture
def raw() -> Study:
    return wide_miniature()


def test_null_compares_nothing(raw: Study) -> None:
    put(raw, "likeness", None)
    plan = resolved(raw)
    assert plan.of("likeness") == [] and not any(cell.address.startswith("likeness--") for cell in plan.all())
    assert not any(isinstance(cell.recipe, LikenessTable) for cell in plan.of("tables"))


def test_without_a_finetuned_arm_there_is_nothing_to_be_like(raw: Study) -> None:
    put(raw, "base_point.finetuned", None)
    with pytest.raises(ConfigError, match=r"likeness.questions_per_category: expected no such section \(likeness: null\)"):
        resolved(raw)
