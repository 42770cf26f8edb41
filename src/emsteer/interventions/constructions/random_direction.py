"""Random direction: Gaussian, of exactly the norm of the vector it controls for, layer by layer.

Source: Rogue Scalpel, arXiv 2509.22067: random directions alone can raise harmful compliance, so they are a mandatory
control.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emsteer.interventions.drawn import generator, of_norm
from emsteer.interventions.vectors import read_vector, written
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]."""
    for job in jobs:
        yield job, {layer: random_like(vector, job.recipe.draw, layer) for layer, vector in read_vector(job.input("like")).items()}


def random_like(vector: Tensor, draw: int, layer: int) -> Tensor:
    """A direction drawn by (draw, layer), with the norm of `vector`. [d_model]"""
    direction = torch.randn(vector.shape, generator=generator("random direction", draw, layer), device="cpu")
    return of_norm(direction, vector)
