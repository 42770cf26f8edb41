"""Cards: what planning knows of an input file that is not here yet, and how to get it. `X.card.yaml` stands where `X` will lie."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from emsteer.mistakes import mistakes, of_yaml
from emsteer.recipes import Count
from emsteer.study.shape import Section, card_file

Text = Annotated[str, Field(min_length=1)]


class Card(Section):
    """Of a file of pairs or of questions."""

    about: Text = Field(description="what it is, in a sentence")
    source: Text = Field(description="where it comes from: repository and commit, paper")
    licence: Text | None = Field(description="as the source states it; null: not stated")
    n: Count = Field(description="lines that it will have")
    categories: Mapping[str, Count] = Field({}, description="of questions: how many there are of each")
    n_references: Mapping[str, Count] = Field({}, description="of questions: test questions with both reference answers")
    obtain: Text = Field(description="commands that put the file where it belongs")


def card_of(path: str) -> Card | None:
    """The card beside a file; None: there is none.

    Raises:
        ValueError: It is not a card.
    """
    card = card_file(path)
    return _read(card, card.stat().st_mtime_ns) if card.is_file() else None


@functools.lru_cache(maxsize=64)
def _read(card: Path, _version: int) -> Card:
    try:
        return Card.model_validate(yaml.safe_load(card.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ValueError(of_yaml(card, error)) from None
    except ValidationError as error:
        raise ValueError(f"{card}: {'; '.join(mistakes(error, Card))}") from None


def is_awaited(path: str) -> bool:
    """There is a card, and neither the file nor a pointer of DVC to it."""
    return not Path(path).is_file() and not Path(f"{path}.dvc").is_file() and card_file(path).is_file()
