"""Random subspace: a direction projected on k random dimensions, as long as the low-rank vector that it stands for.

What the leading singular vectors keep of a direction is more than any k dimensions keep only if this does less. Its cosine with
the direction is about √(k / d_model).
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emsteer.interventions.constructions.low_rank import project
from emsteer.interventions.drawn import generator, of_norm
from emsteer.interventions.vectors import direction_at, written
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]."""
    for job in jobs:
        recipe = job.recipe
        whole = direction_at(job.input("whole"), recipe.layer)
        projected = project(whole.double(), basis(len(whole), recipe.rank, recipe.draw), recipe.rank)
        yield job, {recipe.layer: of_norm(projected, direction_at(job.input("like"), recipe.layer))}


def basis(d_model: int, rank: int, draw: int) -> Tensor:
    """Orthonormal rows that span a uniformly random subspace, float64. [rank × d_model]"""
    noise = generator("random subspace", draw, rank)
    drawn = torch.randn(d_model, rank, generator=noise, device="cpu", dtype=torch.float64)
    return torch.linalg.qr(drawn).Q.T
