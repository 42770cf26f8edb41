"""The study file: every mistake at once, with its path, what was expected, and what was found."""

import itertools
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from places import REPOSITORY
from planning import MINIATURE, Study, miniature, put, resolved, rows
from settings_by_hand import setting

from emsteer import study
from emsteer.analysis.settings import setting_columns
from emsteer.errors import ConfigError
from emsteer.recipes import Setting

STUDIES = [REPOSITORY / "params.yaml", REPOSITORY / "params/full.yaml", MINIATURE]


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return miniature()


def mistakes(raw: object) -> list[str]:
    """The numbered lines of the message."""
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    first, *lines = str(caught.value).splitlines()
    assert first == f"params.yaml: {len(lines)} mistake{'s' if len(lines) > 1 else ''}; nothing was run."
    return [line.strip().partition(". ")[2] for line in lines]


def settings(raw: Study) -> set[Setting]:
    return {row.setting for row in rows(resolved(raw))}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_shipped_study_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert study.read(path).models


def test_mistakes_of_every_sort_are_reported_together_each_with_its_path(raw: Study) -> None:
    raw["answers"]["temprature"] = raw["answers"].pop("temperature")
    put(raw, "models.mini_none.architecture", "gpt")
    put(raw, "tasks.gardening.grammar", "data/none.yaml")
    put(raw, "vectors.low_rank.of", "low_rank")
    put(raw, "base_point.model", "minni")
    put(raw, "base_point.finetuned.adapter", "lorra")
    put(raw, "sweeps.trained.doses", [1, "much"])
    put(raw, "sweeps.trained.random.seeds", [0, 3])
    put(raw, "sweeps.mean_difference.models", ["mini", "huge"])
    put(raw, "sweeps.mean_difference.layers", [1, 7])
    put(raw, "sweeps.mean_difference.epochs", [2])
    put(raw, "sweeps.low_rank.tasks", ["cooking"])
    del raw["sweeps"]["low_rank"]["ranks"]
    put(raw, "sweeps.adapters.adapters", ["prefix"])
    put(raw, "sweeps.untyped", {})
    put(raw, "sweeps.listed", [1])
    found = mistakes(raw)
    expected = [
        (
            "answers.temprature: unknown key; allowed: max_new_tokens, samples_per_block, samples_per_question, temperature."
            " Did you mean `temperature`?"
        ),
        "answers.temperature: missing; expected a number (0 is greedy)",
        "models.mini_none.architecture: expected 'qwen3', 'llama' or 'gemma3_text'; got 'gpt'",
        "tasks.gardening.grammar: expected a file, its .dvc pointer or card (docs/data.md); there is none; got 'data/none.yaml'",
        "vectors.low_rank.of: expected vectors that are not made of others; got 'low_rank'",
        "base_point.model: expected one of ['mini', 'mini_none'] (defined under `models`). Did you mean `mini`?; got 'minni'",
        "base_point.finetuned.adapter: expected one of ['lora'] (defined under `adapters`). Did you mean `lora`?; got 'lorra'",
        "sweeps.trained.doses.1: expected a number; got 'much'",
        "sweeps.trained.random.seeds: expected seeds of the sweep (0), whose vectors they stand for; others: 3; got [0, 3]",
        "sweeps.mean_difference.models.1: expected one of ['mini', 'mini_none'] (defined under `models`); got 'huge'",
        (
            "sweeps.mean_difference.layers: expected layers inside every model of the sweep; beyond: 7 in mini_none (0 to 1); "
            "got [1, 7]"
        ),
        (
            "sweeps.mean_difference.epochs: expected no epochs beside mean_difference, which has none; "
            "give it a sweep of its own; got [2]"
        ),
        "sweeps.low_rank.tasks.0: expected one of ['gardening'] (defined under `tasks`); got 'cooking'",
        "sweeps.low_rank.ranks: expected ranks for low_rank: the base point has none to take; got nothing",
        "sweeps.adapters.adapters.0: expected one of ['lora'] (defined under `adapters`); got 'prefix'",
        "sweeps.untyped.arm: missing; expected one of 'finetuned', 'steered'",
        "sweeps.listed: expected a mapping; got [1]",
    ]
    assert sorted(found) == sorted(expected)


def test_a_mistake_in_one_section_hides_none_in_the_sections_that_refer_to_it(raw: Study) -> None:
    put(raw, "models.mini.stepps", 1)
    put(raw, "vectors.trained.batch_size", 0)
    put(raw, "base_point.seed", -1)
    put(raw, "sweeps.trained.layers", [2])
    put(raw, "sweeps.low_rank.epochs", [])
    found = " ".join(mistakes(raw))
    for path in ("models.mini.stepps", "vectors.trained.batch_size", "base_point.seed", "sweeps.trained.layers", "low_rank.epochs"):
        assert f"{path}: " in found


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("sweeps.trained.doses", [1, 1.0], "expected distinct values; got [1, 1]"),
        ("sweeps.trained.doses", [float("nan")], "expected a finite number; got nan"),
        ("sweeps.trained.doses", [], "expected at least 1 entry; got []"),
        ("sweeps.trained.layers", [1, 2], "beyond: 2 in mini (0 to 1); got [1, 2]"),
        ("sweeps.trained.vectors", ["traned"], "Did you mean `trained`?; got 'traned'"),
        ("sweeps.trained.ranks", [1], "expected no ranks beside trained, which has none; give it a sweep of its own; got [1]"),
        (
            "sweeps.trained.unit",
            "residual_norms",
            "expected 'vector_norm', 'residual_norm', 'kl', 'ablated' or 'ablated_everywhere'",
        ),
        ("sweeps.trained.arm", "random", "expected one of 'steered', 'finetuned'; got 'random'"),
        ("sweeps.trained.random.n_draws", 0, "expected at least 1; got 0"),
        ("sweeps.low_rank.ranks", [0], "expected at least 1; got 0"),
        ("sweeps.mean_difference.positions", ["prompt"], "expected 'all' or 'answer'"),
        ("base_point.steered.layer", 2, "expected a layer of mini (0 to 1); got 2"),
        ("base_point.steered.epochs", None, "of the vectors trained, expected a number: they are snapshots; got nothing"),
        ("base_point.steered.vector", "mean_difference", None),
        ("base_point.steered.vector", "low_rank", "which only a sweep can give; got 'low_rank'"),
        ("answers.samples_per_block", 3, "expected a divisor of samples_per_question (2); got 3"),
        ("models.mini.n_kv_heads", 3, "expected a divisor of n_heads (2); got 3"),
        ("models.mini.d_head", 17, "expected an even number"),
        ("models.mini.linkage.strength", 1.5, "expected at most 1; got 1.5"),
        ("vectors.trained.construction", "magic", "'narrow', 'trained_low_rank', 'one_shot', 'low_rank'; got 'magic'"),
        ("vectors.trained.construction", ["trained"], "'low_rank'; got \"['trained']\""),
        ("vectors.low_rank.of", "low_rank", "expected vectors that are not made of others"),
        ("vectors.trained.side", "bad", "expected 'unsafe' or 'safe'; got 'bad'"),
        ("judges.rubric.thresholds.misaligned_below", 130, "expected at most 100; got 130"),
        ("models", {}, "expected at least 1 entry; got {}"),
        ("tasks", [], "expected a mapping; got []"),
        ("sweeps.a sweep", {"arm": "finetuned"}, "expected letters and digits, in words joined by one - or _; got 'a sweep'"),
        ("sweeps.a--sweep", {"arm": "finetuned"}, "expected letters and digits, in words joined by one - or _; got 'a--sweep'"),
        (
            "sweeps.low_rank.ranks",
            [1, 17],
            "expected ranks of at most 16, the n_examples of low_rank: there are no more dimensions",
        ),
        ("margins.questions_per_category", 3, "fewer: everyday (2); got 3"),
        ("answers.temperature", float("inf"), "expected a finite number; got inf"),
        ("vectors.trained.learning_rate", float("inf"), "expected a finite number; got inf"),
        ("models.mini.learning_rate", float("inf"), "expected a finite number; got inf"),
        ("base_point.model", ["mini"], "expected text; got ['mini']"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named_with_its_path(raw: Study, path: str, value: object, expected: str | None) -> None:
    put(raw, path, value)
    found = [line for line in mistakes(raw) if line.startswith((path, "base_point.steered.epochs"))]
    assert any(
        (expected or "of the vectors mean_difference, expected null: they have no epochs; got 2") in line for line in found
    ), found


def test_a_layer_that_a_sweep_takes_from_the_base_point_must_be_inside_its_models_too(raw: Study) -> None:
    put(raw, "models.shallow", {**raw["models"]["mini"], "n_layers": 1})
    put(raw, "sweeps.trained.models", ["mini", "shallow"])
    (only,) = mistakes(raw)
    assert only.startswith("sweeps.trained.layers: ") and "beyond: 1 in shallow (0 to 0)" in only and "base point" in only


def test_a_base_point_outside_its_own_model_is_one_mistake_and_not_one_for_each_sweep(raw: Study) -> None:
    put(raw, "base_point.steered.layer", 2)
    raw["sweeps"]["mean_difference"]["models"] = ["mini"]
    assert [line.partition(":")[0] for line in mistakes(raw)] == ["base_point.steered.layer"]


def test_a_sweep_cannot_take_from_a_base_point_that_has_no_such_value(raw: Study) -> None:
    put(raw, "base_point.finetuned", None)
    put(raw, "base_point.steered.vector", "mean_difference")
    put(raw, "base_point.steered.epochs", None)
    put(raw, "sweeps.trained", {"arm": "steered", "vectors": ["trained"]})
    put(raw, "sweeps.more", {"arm": "finetuned", "adapters": ["lora"], "steps": [1], "doses": [1]})
    none = "`base_point.finetuned` is null, so there are none to take; got nothing"
    put(raw, "likeness", None)
    assert mistakes(raw) == [
        "sweeps.trained.epochs: expected epochs for trained: the base point has none to take; got nothing",
        "sweeps.low_rank.epochs: expected epochs for low_rank: the base point has none to take; got nothing",
        f"sweeps.adapters.adapters: expected adapters: {none}",
        f"sweeps.adapters.doses: expected doses: {none}",
    ]


def test_doses_are_not_taken_from_a_base_point_in_another_unit(raw: Study) -> None:
    del raw["sweeps"]["mean_difference"]["doses"]
    (only,) = mistakes(raw)
    assert only == (
        "sweeps.mean_difference.doses: expected doses in residual_norm: those of the base point are in vector_norm; got nothing"
    )


def test_a_rank_is_at_most_the_width_of_the_narrowest_model_of_its_sweep(raw: Study) -> None:
    put(raw, "models.mini_none.d_model", 8)
    put(raw, "sweeps.low_rank.ranks", [9])
    study.parse(raw)
    put(raw, "sweeps.low_rank.models", ["mini", "mini_none"])
    (only,) = mistakes(raw)
    assert only.startswith("sweeps.low_rank.ranks: expected ranks of at most 8, the d_model of mini_none")
    put(raw, "base_point.model", "mini_none")
    del raw["sweeps"]["low_rank"]["models"]
    assert mistakes(raw) == [only], "also where the base point names the model"


def test_a_task_has_the_pairs_that_vectors_and_adapters_draw_and_each_lack_is_named_once(raw: Study) -> None:
    put(raw, "adapters.lora.n_examples", 32)
    put(raw, "tasks.gardening.n_pairs", 32)
    study.parse(raw)
    put(raw, "tasks.gardening.n_pairs", 31)
    put(raw, "sweeps.again", raw["sweeps"]["adapters"])
    assert mistakes(raw) == [
        "sweeps.low_rank: expected at least 32 pairs of gardening, which low_rank draws: raise its `n_pairs`; got 31",
        "sweeps.adapters: expected at least 32 pairs of gardening, which lora draws: raise its `n_pairs`; got 31",
    ]


def test_a_name_that_is_no_text_is_one_mistake_beside_the_others(raw: Study) -> None:
    raw["models"][7] = raw["models"]["mini"]
    put(raw, "base_point.model", "minni")
    said = " ".join(mistakes(raw))
    assert "models.7: expected text; got 7: put it in quotes" in said
    assert "base_point.model: expected one of ['7', 'mini', 'mini_none']" in said


def test_an_axis_that_a_sweep_leaves_out_has_the_value_of_the_base_point(raw: Study) -> None:
    raw["sweeps"] = {"steered": {"arm": "steered"}, "finetuned": {"arm": "finetuned"}}
    shared = {"model": "mini", "task": "gardening", "seed": 0, "dose": 1.0}
    steered = {"arm": "steered", "vector": "trained", "layer": 1, "epochs": 2, "dose_unit": "vector_norm", "positions": "all"}
    finetuned = {"arm": "finetuned", "adapter": "lora", "steps": 2}
    assert {one for one in settings(raw) if one.arm != "base"} == {setting(steered | shared), setting(finetuned | shared)}
    put(raw, "base_point.steered.layer", 0)
    put(raw, "base_point.finetuned.doses", [0.5, 2])
    assert {one.treatments[0].layer for one in settings(raw) if one.arm == "steered"} == {0}
    assert {one.treatments[0].dose for one in settings(raw) if one.arm == "finetuned"} == {0.5, 2.0}


@pytest.mark.parametrize(
    ("axis", "values", "field"),
    [
        ("models", ["mini_none"], "model"),
        ("seeds", [4, 5], "seed"),
        ("vectors", ["mean_difference"], "vector"),
        ("layers", [0], "layer"),
        ("epochs", [3, 4], "epochs"),
        ("doses", [7], "dose"),
        ("positions", ["answer"], "positions"),
    ],
)
def test_an_axis_that_a_sweep_gives_has_those_values_and_no_other(raw: Study, axis: str, values: list[Any], field: str) -> None:
    raw["sweeps"] = {"one": {"arm": "steered", axis: values}}
    assert {setting_columns(one)[field] for one in settings(raw) if one.arm == "steered"} == set(values)


def test_a_sweep_is_every_combination_of_its_axes(raw: Study) -> None:
    axes = {"models": ["mini", "mini_none"], "seeds": [0, 1], "layers": [0, 1], "epochs": [1, 2], "doses": [1, 2]}
    raw["sweeps"] = {"all": {"arm": "steered", "positions": ["all", "answer"], **axes}}
    names = ("model", "seed", "layer", "epochs", "dose", "positions")
    found = [tuple(setting_columns(one)[name] for name in names) for one in settings(raw) if one.arm == "steered"]
    assert sorted(found) == sorted(itertools.product(*axes.values(), ["all", "answer"]))


def test_a_merge_key_says_what_writing_it_out_says(raw: Study, tmp_path: Path) -> None:
    assert "mini_none: {<<: *organism," in MINIATURE.read_text()
    plain = yaml.safe_dump(raw, sort_keys=False)
    assert "<<" not in plain
    (tmp_path / "plain.yaml").write_text(plain)
    merged = study.read(MINIATURE)
    assert merged == study.read(tmp_path / "plain.yaml")
    assert merged.models["mini_none"].d_model == merged.models["mini"].d_model and merged.models["mini_none"].linkage.strength == 0


def test_a_key_that_stands_twice_is_refused_since_yaml_would_drop_the_first(raw: Study, tmp_path: Path) -> None:
    text = MINIATURE.read_text().replace("answers: {", "sweeps: {}\nanswers: {")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"line \d+, sweeps: stands a second time; first in line \d+"):
        study.read(tmp_path / "params.yaml")


def test_every_key_is_required_and_its_absence_explained(raw: Study) -> None:
    for section in raw:
        without = deepcopy(raw)
        del without[section]
        assert any(line.startswith(f"{section}: missing; expected ") for line in mistakes(without))


def test_a_file_that_is_no_mapping_or_no_yaml_is_one_clear_error(tmp_path: Path) -> None:
    assert mistakes(["a", "list"]) == ["expected a mapping; got ['a', 'list']"]
    broken = tmp_path / "params.yaml"
    broken.write_text("a: [1")
    with pytest.raises(ConfigError, match="not YAML"):
        study.read(broken)
    with pytest.raises(ConfigError, match="no such file"):
        study.read(tmp_path / "absent.yaml")
