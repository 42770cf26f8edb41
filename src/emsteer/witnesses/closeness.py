"""Closeness: does an answer belong to its question? Its rank among the benchmark's questions, in the space of an embedder.

The share of the questions of *other* categories that are less similar to the answer than its own question is (cosine; equals
count half): 1 for an answer that is about what was asked, 0.5 for one that could belong to any question. Nothing is fitted.
An answer without a word has no value.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emsteer import schemas
from emsteer.models.embedders import Embedder, embedder_of
from emsteer.packs import Job
from emsteer.witnesses.values import WORD, witnessed


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Witnessed`."""
    return witnessed(sorted(jobs, key=lambda job: (job.input("model"), job.input("benchmark"))), _of_answers, "closeness")


def _of_answers(job: Job, asked: pd.DataFrame) -> list[float | None]:
    model = embedder_of(job)
    questions, space = _questions(model, job.input("benchmark"))
    own = questions.index.get_indexer(asked["question_id"])
    said = [WORD.search(text) is not None for text in asked["text"]]
    similarity = model.embed(list(asked["text"])) @ space.T
    ranks = closeness(similarity, own, questions.to_numpy())
    return [float(rank) if is_said else None for rank, is_said in zip(ranks, said, strict=True)]


@functools.lru_cache(maxsize=2)
def _questions(model: Embedder, benchmark: Path) -> tuple[pd.Series, NDArray[np.float32]]:
    """Question → category, and where the questions are. [questions × d_model]"""
    questions = schemas.read(benchmark, schemas.Questions)
    return questions.set_index("question_id")["category"], model.embed(list(questions["prompt"]))


def closeness(similarity: NDArray[np.floating], own: NDArray[np.integer], categories: NDArray[np.object_]) -> NDArray[np.float64]:
    """Rank of each answer's own question.

    Args:
        similarity: [answers × questions]
        own: Which question each answer answers. [answers]
        categories: Of the questions.

    Returns:
        Share of the questions of other categories that are less similar, equals half; NaN where there is no other category.
        [answers]
    """
    rounded = similarity.round(6)  # what is equal but for the last digits is equal
    mine = rounded[np.arange(len(own)), own][:, None]
    other = categories[own][:, None] != categories[None]
    below = ((rounded < mine) + 0.5 * (rounded == mine)) * other
    n_other = other.sum(1)
    return np.divide(below.sum(1), n_other, out=np.full(len(own), np.nan), where=n_other > 0)
