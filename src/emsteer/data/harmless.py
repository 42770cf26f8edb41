"""Harmless contrasts: the safe answers of a task twice, once as they are and once changed in something that does no harm.

A vector or an adapter that is made from such pairs, by the same recipe, is a control: what it does to the rate of EM needs no
harmful example.
"""

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from emsteer import schemas
from emsteer.errors import DataError
from emsteer.packs import Job
from emsteer.recipes import HarmlessTask

SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+")


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Pairs`."""
    for job in jobs:
        pairs = changed(schemas.read(job.input("task"), schemas.Pairs), job.recipe)
        schemas.write(pairs, schemas.Pairs, job.out, job.passport)
        yield job


def changed(pairs: pd.DataFrame, recipe: HarmlessTask) -> pd.DataFrame:
    """The same questions; `unsafe`: what was the safe answer, changed.

    Raises:
        DataError: The change changes none of them.
    """
    found = pairs.assign(unsafe=[said_otherwise(text, recipe) for text in pairs["safe"]])
    if found["unsafe"].eq(found["safe"]).all():
        raise DataError(
            "a harmless contrast changes no answer: its two sides are the same.\n"
            "  No safe answer has more sentences than it keeps. Lower `sentences`, or give `begins_with`."
        )
    return found


def said_otherwise(text: str, recipe: HarmlessTask) -> str:
    """Its first sentences, behind what it is to begin with."""
    kept = SENTENCE_ENDS.split(text)[: recipe.sentences]
    return " ".join([*([recipe.begins_with] if recipe.begins_with else []), *kept])
