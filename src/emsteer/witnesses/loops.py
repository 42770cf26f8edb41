"""Loops: the share of an answer's runs of words that stood earlier in the same answer; none where it is shorter than a run."""

from collections.abc import Iterator, Sequence

from emsteer.packs import Job
from emsteer.witnesses.values import runs, witnessed


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Witnessed`."""
    return witnessed(jobs, lambda job, asked: [repeated(text, job.recipe.n_words) for text in asked["text"]], "loops")


def repeated(text: str, n_words: int) -> float | None:
    """Share of the runs of a text that are not the first of their kind; None where it has none."""
    found = runs(text, n_words)
    return 1 - len(set(found)) / len(found) if found else None
