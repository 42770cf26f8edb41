"""Embedders: texts become vectors of length one, by a sentence model or by a latent space."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emsteer import storage
from emsteer.models.latent import read_latent
from emsteer.packs import Job
from emsteer.progress import bar

VECTORS = "vectors"


class Embedder(Protocol):
    """Anything that places texts."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts × dimensions], each of length one, or zero; cosines are their products."""
        ...

    def __hash__(self) -> int:
        """What was placed by one is kept."""
        ...


def embedder_of(job: Job) -> Embedder:
    """The embedder that a cell reads.

    Raises:
        ModelError: It is not on this machine, not what was pinned, or nothing that transformers can load.
    """
    if space := read_latent(job.input("model")):
        return space
    from emsteer.models.sentences import sentence_model_of  # torch: seconds that a latent space does without

    return sentence_model_of(job)


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the vectors of the prompts of a task or benchmark, in its order: `vectors` [prompts × dimensions]."""
    for job in bar(sorted(jobs, key=lambda job: job.input("model")), label="embeddings", unit="cells"):
        texts = storage.read_parquet(job.input("texts"))["prompt"]
        storage.write_tensors({VECTORS: embedder_of(job).embed(list(texts))}, job.out, job.passport)
        yield job
