"""YAML is read strictly: no value is guessed, every mistake has its line, and all of them are said at once."""

import re
from pathlib import Path

import pytest
from places import REPOSITORY
from planning import MINIATURE

from emsteer import study
from emsteer.errors import ConfigError
from emsteer.study.reading import read


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(REPOSITORY)
    return tmp_path / "params.yaml"


def value_of(file: Path, text: str) -> object:
    file.write_text(f"key: {text}\n")
    return read(file).value["key"]


def said(file: Path, content: str | bytes) -> str:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        study.read(file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.0", 1), ("1e0", 1), ("+4", 4), ("-3", -3), ("1e-3", 0.001), ("1.5E+2", 150), (".5", 0.5), ("1.", 1), ("0", 0)],
)
def test_a_number_is_a_number_however_it_is_written(file: Path, text: str, value: float) -> None:
    found = value_of(file, text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["-0", "-0.0", "-0e5", "0.0"])
def test_minus_zero_is_zero(file: Path, text: str) -> None:
    assert str(value_of(file, text)) == "0"


@pytest.mark.parametrize(
    "text",
    ["010", "0o10", "0x10", "0b11", "1_000", "1:30", "yes", "no", "on", "off", "y", "2026-11-25", "e5", ".", "1.2.3", "'1'"],
)
def test_what_another_yaml_would_guess_is_text(file: Path, text: str) -> None:
    assert value_of(file, text) == text.strip("'")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("null", None), ("~", None), ("", None)])
def test_truth_values_and_nothing_have_one_spelling(file: Path, text: str, value: object) -> None:
    assert value_of(file, text) is value


def test_every_value_has_its_line_and_what_is_merged_that_of_where_it_is_written(file: Path) -> None:
    file.write_text("a: &a\n  x: 1\n  y: [1,\n    2]\nb:\n  <<: *a\n  x: 3\n")
    found = read(file)
    assert found.value == {"a": {"x": 1, "y": [1, 2]}, "b": {"x": 3, "y": [1, 2]}}
    assert {place: found.lines[place] for place in ("a", "a.x", "a.y", "a.y.1", "b", "b.x", "b.y")} == {
        "a": 1, "a.x": 2, "a.y": 3, "a.y.1": 4, "b": 5, "b.x": 7, "b.y": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"seed: 1\nmodels: \xff\n", 2, "not UTF-8"),
        ("seed: 1\n<<<<<<< HEAD\nseed: 2\n", 2, "a merge has left its markers"),
        ("seed: 1\nmodels: 2\n=======\nseed: 2\n", 3, "a merge has left its markers"),
        ("seed: 1\nmodels: [1\n", 3, "not YAML"),
        ("seed: 1\n\tmodels: 2\n", 2, "not YAML"),
        ("seed: !!python/object:os.system x\n", 1, "not YAML: could not determine a constructor"),
        ("seed: &a [*a]\n", 1, "not YAML: an anchor refers to itself"),
        ("seed: *a\n", 1, "not YAML: found undefined alias"),
        ("seed: 1\n---\nseed: 2\n", 2, "not YAML: but found another document"),
    ],
)
def test_what_is_no_yaml_is_one_message_with_its_line(file: Path, content: str | bytes, line: int, message: str) -> None:
    found = said(file, content)
    assert found.startswith(f"{file}, line {line}: {message}") and "Traceback" not in found


def test_mistakes_of_all_sorts_are_said_together_each_with_its_line(file: Path) -> None:
    text = MINIATURE.read_text()
    text = text.replace("answers: {", "sweeps: {}\nanswers: {").replace("d_model: ", "d_modell: ", 1)
    text = re.sub(r"^seed: \d+", "seed: '3'", text, flags=re.MULTILINE)
    text = re.sub(r"answers: {temperature: [\d.]+", "answers: {temperature: yes", text)
    found = said(file, text)
    lines = text.splitlines()

    def line_of(start: str) -> int:
        return next(number for number, line in enumerate(lines, 1) if start in line)

    assert f"line {line_of('seed: ')}, seed: expected a whole number; got '3'" in found
    assert f"line {line_of('temperature: yes')}, answers.temperature: expected a number; got 'yes'" in found
    assert f"line {line_of('d_modell')}, models.mini.d_modell: unknown key" in found
    assert "models.mini.d_model: missing" in found and re.search(
        r"line \d+, sweeps: stands a second time; first in line \d+", found
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", "a number; got True"), ("'1'", "a number; got '1'"), ("010", "a number; got '010'"),
     (".inf", "a finite number"), ("1e400", "a finite number"), (".nan", "a finite number")],
)  # fmt: skip
def test_a_dose_is_a_finite_number_and_nothing_that_looks_like_one(file: Path, value: str, expected: str) -> None:
    text = re.sub(r"doses: \[0, 1\]", f"doses: [0, {value}]", MINIATURE.read_text())
    assert re.search(rf"line \d+, sweeps\.trained\.doses\.1: expected {expected}", said(file, text))


def test_other_spellings_of_a_number_move_no_address(file: Path) -> None:
    text = MINIATURE.read_text()
    other = re.sub(r"doses: \[0, 1\]", "doses: [-0.0, 1e0]", text)
    assert other != text
    file.write_text(other)
    assert study.read(file) == study.read(MINIATURE)
