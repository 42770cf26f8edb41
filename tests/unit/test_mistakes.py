"""What is wrong with a file is said in words of the file, not of the library that reads it."""

from pathlib import Path

import pytest
from planning import miniature, put

from emsteer import study
from emsteer.errors import ConfigError, DataError
from emsteer.organism.grammar import read_grammar
from emsteer.study import cards
from emsteer.study.reading import read

THEIRS = ("tuple", "array", "[key]", "valid ", "Literal", "Union", "unicode string", "Input should")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("sweeps.trained.doses", 5, "sweeps.trained.doses: expected a list; got 5"),
        ("execution.mixes", {"a": 1}, "execution.mixes: expected a list; got {'a': 1}"),
        ("models", [1], "base_point.model: expected a name that `models` defines; it defines none; got 'mini'"),
        ("models.mini.kind", "folder", "models.mini.dtype: missing; expected one of 'float32', 'bfloat16', 'float16'"),
        ("models." + "a" * 41, {}, f"models.{'a' * 41}: expected a string that should have at most 40 characters"),
    ],
)
def test_what_was_expected_is_said_in_words_of_the_file(place: str, value: object, said: str) -> None:
    raw = miniature()
    put(raw, place, value)
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    assert said in str(caught.value)
    assert not [word for word in THEIRS if word in str(caught.value)]


def test_a_character_that_yaml_does_not_allow_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 1\nmodels: \x00\n")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "params.yaml")
    assert "params.yaml: not YAML: a character that YAML does not allow, '\\x00', after 16 others." in str(caught.value)


def test_every_file_of_yaml_says_in_which_line_it_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.card.yaml").write_text("about: a\nn: [1\n")
    with pytest.raises(ConfigError) as of_params:
        read(tmp_path / "text.card.yaml")
    with pytest.raises(DataError) as of_grammar:
        read_grammar(tmp_path / "text.card.yaml")
    with pytest.raises(ValueError) as of_card:
        cards.card_of(str(tmp_path / "text"))
    assert {str(caught.value) for caught in (of_params, of_grammar, of_card)} == {
        f"{tmp_path}/text.card.yaml, line 3: not YAML: expected ',' or ']', but got '<stream end>'."
    }


def test_what_is_wrong_with_a_card_is_said_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "text.card.yaml").write_text("about: a\nsource: b\nlicence: c\nn: many\n")
    with pytest.raises(ValueError, match="n: expected a whole number; got 'many'"):
        cards.card_of(str(tmp_path / "text"))
