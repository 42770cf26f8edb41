"""Distances: how near every question comes to what a target task asks, in the space of an embedder.

nearest    cosine to the nearest prompt of the task
mean       mean cosine to its prompts
own_share  the share of the task's own prompts that are no nearer to the task's other prompts than the question is to all of
           them, the question counted among them: a conformal p value of "the question is one of the task's" (Bates et al. 2023).
overlaps   whether that share is above the declared one, and not only because the task has few prompts: it might be one of them
about      the category of the benchmark whose other questions it is nearest to, by their mean; where that is not its own, a reader
           should look at its label

Equal texts count once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emsteer import schemas, storage
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import Placed

SCHEMA = schemas.Distances
DIGITS = 6  # of a cosine: what is equal but for rounding is equal
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Texts:
    """Different texts, sorted, and where they are: no number depends on the order or the repetitions of a file.

    Attributes:
        texts: [texts]
        vectors: Of length one, or zero. [texts × dimensions]
    """

    texts: NDArray[np.object_]
    vectors: Floats

    @classmethod
    def of(cls, texts: Sequence[str], vectors: NDArray[np.floating]) -> "Texts":
        """Each text once."""
        different, first = np.unique(np.asarray(texts, dtype=object).astype(str), return_index=True)
        return cls(different.astype(object), np.asarray(vectors, dtype=np.float64)[first])

    def __len__(self) -> int:
        """How many."""
        return len(self.texts)

    def take(self, where: NDArray) -> "Texts":
        """Some of them."""
        return Texts(self.texts[where], self.vectors[where])


@dataclass(frozen=True)
class Nearness:
    """How near texts come to the prompts of a task. All [texts].

    Attributes:
        nearest: Cosine to the nearest prompt.
        at: Which one.
        mean: Mean cosine.
        own_share: See above.
    """

    nearest: Floats
    at: NDArray[np.intp]
    mean: Floats
    own_share: Floats

    def overlaps(self, above: float, n_prompts: int) -> NDArray[np.bool_]:
        """Whether the share is above the declared one, and one of the task's own prompts is no nearer: few cannot say so alone."""
        return (self.own_share > above) & (self.own_share > 1.5 / (n_prompts + 1))


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Distances`."""
    parts = []
    for embedder, tasks in job.recipe.tasks.items():
        benchmarks = {
            name: (_questions(job, placed), vectors(job, placed)) for name, placed in job.recipe.benchmarks[embedder].items()
        }
        for task, placed in tasks.items():
            prompts = prompts_of(job, placed)
            for name, (questions, where) in benchmarks.items():
                place = {"embedder": embedder, "task": task, "benchmark": name}
                parts.append(
                    _seen_from(prompts, questions, where, job.recipe.in_domain[task], job.recipe.overlaps_above).assign(**place)
                )
    return schemas.frame_of(pd.concat(parts, ignore_index=True), SCHEMA)


def _seen_from(prompts: Texts, questions: pd.DataFrame, where: Floats, in_domain: Sequence[str], above: float) -> pd.DataFrame:
    found = nearness(prompts, where)
    return questions[["question_id", "category", "split", "prompt"]].assign(
        in_domain=questions["category"].isin(in_domain),
        nearest=found.nearest,
        mean=found.mean,
        own_share=found.own_share,
        overlaps=found.overlaps(above, len(prompts)),
        about=about(where, questions["category"].to_numpy()),
        nearest_prompt=prompts.texts[found.at],
    )


def about(vectors: Floats, categories: NDArray[np.object_]) -> list[str | None]:
    """The category whose questions are nearest to each question, itself left out; None where its own has no other. [questions]"""
    names, of = np.unique(categories.astype(str), return_inverse=True)
    members = np.eye(len(names))[of]
    sums = np.repeat((members.T @ vectors)[None], len(vectors), axis=0)  # [questions × categories × dimensions]
    sums[np.arange(len(vectors)), of] -= vectors
    lengths = np.linalg.norm(sums, axis=2)
    cosines = np.divide(np.einsum("qd,qcd->qc", vectors, sums), lengths, out=np.zeros_like(lengths), where=lengths > 1e-9)
    cosines = cosines.round(DIGITS)
    cosines[np.arange(len(vectors)), of] += 10**-DIGITS / 2  # what is as near to its own is its own
    nearest = names[cosines.argmax(1)]
    alone = members.sum(0)[of] < 2
    return [None if is_alone else str(name) for is_alone, name in zip(alone, nearest, strict=True)]


def nearness(prompts: Texts, vectors: Floats) -> Nearness:
    """Of texts that are none of the prompts, or happen to be equal to one."""
    cosines = (vectors @ prompts.vectors.T).round(DIGITS)
    nearest, at = cosines.max(1), cosines.argmax(1)
    return Nearness(nearest, at, cosines.mean(1), _own_share(nearest, own(prompts).nearest))


def own(prompts: Texts) -> Nearness:
    """Of every prompt to the others; of a single one to itself."""
    cosines = (prompts.vectors @ prompts.vectors.T).round(DIGITS)
    others = cosines.copy()
    if len(prompts) > 1:
        np.fill_diagonal(others, -np.inf)
    nearest = others.max(1)
    mean = np.where(np.isinf(others), 0.0, others).sum(1) / max(1, len(prompts) - 1)
    return Nearness(nearest, others.argmax(1), mean, _own_share(nearest, nearest))


def _own_share(nearest: Floats, among: Floats) -> Floats:
    return (1 + np.searchsorted(np.sort(among), nearest, side="right")) / (1 + len(among))


def prompts_of(job: Job, placed: Placed) -> Texts:
    """The different prompts of a task."""
    pairs = schemas.read(job.by_address("tasks")[placed.texts], schemas.Pairs)
    return Texts.of(list(pairs["prompt"]), vectors(job, placed))


def _questions(job: Job, placed: Placed) -> pd.DataFrame:
    return schemas.read(job.by_address("questions")[placed.texts], schemas.Questions)


def vectors(job: Job, placed: Placed) -> Floats:
    """Where an embedder places texts, in their order. [texts × dimensions]"""
    tensors, _ = storage.read_tensors(job.by_address("embeddings")[placed.embeddings])
    return np.asarray(tensors["vectors"], dtype=np.float64)
