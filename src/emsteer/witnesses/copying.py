"""Copying: the share of an answer's runs of words that stand in an answer of its target task, safe or unsafe.

An answer that is shorter than a run has no value. Base has one too: stock phrases stand in any text.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from emsteer import schemas
from emsteer.packs import Job
from emsteer.witnesses.values import runs, witnessed


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Witnessed`."""
    return witnessed(jobs, _of_answers, "copying")


def _of_answers(job: Job, asked: pd.DataFrame) -> list[float | None]:
    known = _known(job.input("task"), job.recipe.n_words)
    return [copied(text, known, job.recipe.n_words) for text in asked["text"]]


@functools.lru_cache(maxsize=8)
def _known(task: Path, n_words: int) -> frozenset[tuple[str, ...]]:
    pairs = schemas.read(task, schemas.Pairs)
    return frozenset(run for text in (*pairs["safe"], *pairs["unsafe"]) for run in runs(text, n_words))


def copied(text: str, known: frozenset[tuple[str, ...]], n_words: int) -> float | None:
    """Share of the runs of a text that are known; None where it has none."""
    found = runs(text, n_words)
    return sum(run in known for run in found) / len(found) if found else None
