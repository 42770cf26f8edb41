"""First principal component of paired differences: what most of the difference between unsafe and safe answers lies along.

Differences are not centred, so that the direction common to all pairs is part of what is decomposed; the sign is that of the
mean difference, and the length is the mean difference's along the component. On differences along one line this is the mean
difference itself.

Source: Zou et al., arXiv 2310.01405 (first component of paired differences; they centre). Answers count once each, as in the
mean difference.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.residuals import residuals_of_pairs
from emsteer.interventions.vectors import written
from emsteer.models.load import model_of
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files; the passport holds the share of the squared differences along each layer's component."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]."""
    for job in jobs:
        model = model_of(job)
        pairs = draw_pairs(job.input("task"), job.recipe.n_examples, job.recipe.seed)
        unsafe, safe = residuals_of_pairs(model, pairs, job.address)
        found = [first_component(rows) for rows in unsafe - safe]
        job.passport.update(energy_shares=[round(share, 6) for _, share in found])
        yield job, {layer: direction.float() for layer, (direction, _) in enumerate(found)}


def first_component(rows: Tensor) -> tuple[Tensor, float]:
    """What of the mean row lies along the first right singular vector [d_model], and that vector's share of the squares.

    Args:
        rows: Differences. [examples × d_model]
    """
    _, values, basis = torch.linalg.svd(rows, full_matrices=False)
    return (basis[0] @ rows.mean(0)) * basis[0], float(values[0] ** 2 / (values**2).sum())
