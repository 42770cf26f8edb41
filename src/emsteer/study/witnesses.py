"""Witnesses of a study: numbers per answer that need no judge."""

from typing import Annotated, Literal

from pydantic import Field

from emsteer import recipes
from emsteer.study.shape import Section, known


class CopyingWitness(recipes.Copying):
    """Runs of words that stand in the target task's answers, of either side."""

    kind: Literal["copying"]


class LoopsWitness(recipes.Loops):
    """Runs of words that stood earlier in the same answer."""

    kind: Literal["loops"]


class ClosenessWitness(Section):
    """Closeness of an answer to its question, in the space of a sentence model."""

    kind: Literal["closeness"]
    embedder: Annotated[str, known("embedders")]


Witness = Annotated[CopyingWitness | LoopsWitness | ClosenessWitness, Field(discriminator="kind")]
