"""Shuffled labels: the mean difference of the same pairs, each called unsafe minus safe or the reverse by a fair coin.

Scaled layer by layer to the norm of the vector that it stands for: as built it is shorter by about √pairs. Its cosine with that
vector is no accident and not small where pairs share a direction, which half of the coins keep: read it as a distribution.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.checks import check_model
from emsteer.interventions.drawn import generator, of_norm
from emsteer.interventions.residuals import residuals_of_pairs
from emsteer.interventions.vectors import read_vector, written
from emsteer.models.load import model_of
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]; draws over the same pairs share the passes over them."""
    for _, same in groupby(sorted(jobs, key=_pairs_of), key=_pairs_of):
        group = list(same)
        recipe = group[0].recipe
        pairs = draw_pairs(group[0].input("task"), recipe.n_examples, recipe.seed)
        unsafe, safe = residuals_of_pairs(model_of(group[0]), pairs, "shuffled")
        for job in group:
            check_model(job.input("like"), job.addresses["model"][0])
            coins = signs(len(pairs), job.recipe.draw)
            like = read_vector(job.input("like"))
            yield job, {layer: of_norm(coins @ (unsafe[layer] - safe[layer]), vector) for layer, vector in like.items()}


def _pairs_of(job: Job) -> str:
    return repr((job.recipe.model_copy(update={"draw": 0}), job.input("model"), job.input("task")))


def signs(n: int, draw: int) -> Tensor:
    """+1 and -1, float64, by a fair coin for each of n pairs. [n]"""
    uniform = torch.rand(n, generator=generator("shuffled", draw), device="cpu", dtype=torch.float64)
    return torch.where(uniform < 0.5, -1.0, 1.0).double()
