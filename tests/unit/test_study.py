"""The study file: every mistake at once, with its path, what was expected, and what was found."""

from copy import deepcopy
from typing import Any

import pytest
import yaml
from places import REPOSITORY

from emsteer import study
from emsteer.errors import ConfigError


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(REPOSITORY)
    return yaml.safe_load((REPOSITORY / "params.yaml").read_text())


def mistakes(raw: object) -> str:
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    return str(caught.value)


def test_the_shipped_study_and_the_miniature_are_valid(raw: dict[str, Any]) -> None:
    assert study.parse(raw).models
    assert study.read(REPOSITORY / "tests/studies/miniature/params.yaml").models


def test_mistakes_of_every_sort_are_reported_together(raw: dict[str, Any]) -> None:
    raw["answers"]["temprature"] = raw["answers"].pop("temperature")
    raw["sweeps"]["trained"]["models"] = ["tiny", "huge"]
    raw["sweeps"]["trained"]["layers"] = [4, 9]
    raw["sweeps"]["mean_difference"]["layers"] = [4, 6]
    raw["answers"]["samples_per_question"] = -2
    message = mistakes(raw)
    assert "answers.temprature: unknown key" in message and "Did you mean `temperature`?" in message
    assert "answers.temperature: missing" in message
    assert "sweeps.trained.models.1: expected one of ['tiny']" in message and "'huge'" in message
    assert "sweeps.trained.layers: expected" in message and "9 in tiny (0 to 5)" in message
    assert "sweeps.mean_difference.layers: expected layers inside every model" in message and "6 in tiny (0 to 5)" in message
    assert "answers.samples_per_question: " in message and "-2" in message
    assert "6 mistakes" in message


def test_a_mistake_in_one_section_hides_none_in_the_sections_that_refer_to_it(raw: dict[str, Any]) -> None:
    raw["models"]["tiny"]["stepps"] = 1
    raw["sweeps"]["trained"]["layers"] = [6]
    message = mistakes(raw)
    assert "models.tiny.stepps" in message and "sweeps.trained.layers" in message


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("sweeps", "trained", "epochs"), [], "at least one epoch count"),
        (("sweeps", "mean_difference", "epochs"), [2], "has no epochs"),
        (("sweeps", "trained", "doses"), [1, 1.0], "expected distinct values"),
        (("sweeps", "trained", "doses"), [float("nan")], "finite"),
        (("sweeps", "trained", "doses"), ["much"], "number"),
        (("sweeps", "trained", "vector"), "traned", "Did you mean `trained`?"),
        (("controls", "random", "of"), "nothing", "expected one of ['mean_difference', 'trained']"),
        (("answers", "samples_per_block"), 3, "divisor of samples_per_question (2)"),
        (("models", "tiny", "grammar"), "data/none.yaml", "there is neither"),
        (("vectors", "trained", "construction"), "magic", "'mean_difference', 'trained'"),
        (("judges", "rubric", "thresholds", "misaligned_below"), 130, "less than or equal to 100"),
        (("models",), {}, "at least 1"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named_with_its_path(
    raw: dict[str, Any], path: tuple[str, ...], value: object, expected: str
) -> None:
    place = raw
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    message = mistakes(raw)
    assert ".".join(path) in message and expected in message


def test_every_key_is_required_and_its_absence_explained(raw: dict[str, Any]) -> None:
    for section in raw:
        without = deepcopy(raw)
        del without[section]
        assert f"{section}: missing" in mistakes(without)


def test_a_file_that_is_no_mapping_or_no_yaml_is_one_clear_error(tmp_path: Any) -> None:
    assert "1 mistake" in mistakes(["a", "list"])
    broken = tmp_path / "params.yaml"
    broken.write_text("a: [1")
    with pytest.raises(ConfigError, match="not YAML"):
        study.read(broken)
    with pytest.raises(ConfigError, match="no such file"):
        study.read(tmp_path / "absent.yaml")
