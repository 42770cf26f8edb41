"""Low rank: a direction projected on the leading right singular vectors of per-example differences, unsafe minus safe.

What "low-rank structure of the steering subspace" means in arXiv 2606.08682 is not public; this is our definition. The
subspace is fitted on pairs that the direction was not trained on, and differences are not centred: their mean, the
direction common to all examples, is part of the structure. A projection is shorter than the whole vector; sweeps at equal
norm undo that.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import pandas as pd
import torch
from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.checks import check_model
from emsteer.interventions.residuals import residuals_of_pairs
from emsteer.interventions.vectors import direction_at, written
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job

N_SINGULAR_VALUES_KEPT = 64  # in the passport


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files; the passport holds the singular values and the energy of the subspace."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → projection [d_model]; ranks of one subspace share the passes over the examples."""
    for _, same in groupby(sorted(jobs, key=_subspace_of), key=_subspace_of):
        group = list(same)
        recipe = group[0].recipe
        model = model_of(group[0])
        for job in group:
            check_model(job.input("like"), job.addresses["model"][0])
        pairs = draw_pairs(group[0].input("task"), recipe.n_examples, recipe.seed, skip=recipe.n_held_back)
        basis, values = right_singular(differences(model, pairs, recipe.layer))
        for job in group:
            projection = project(direction_at(job.input("like"), job.recipe.layer), basis, job.recipe.rank)
            share = float((values[: job.recipe.rank] ** 2).sum() / (values**2).sum())
            spectrum = [round(float(value), 6) for value in values[:N_SINGULAR_VALUES_KEPT]]
            job.passport.update(energy_share=round(share, 6), singular_values=spectrum)
            yield job, {job.recipe.layer: projection}


def _subspace_of(job: Job) -> str:
    return repr((job.recipe.model_copy(update={"rank": 0}), job.input("model"), job.input("task")))


def differences(model: LanguageModel, pairs: pd.DataFrame, layer: int) -> Tensor:
    """Mean residual of each unsafe answer minus that of its safe twin, float64. [pairs × d_model]"""
    unsafe, safe = residuals_of_pairs(model, pairs, "low rank")
    return unsafe[layer] - safe[layer]


def right_singular(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Right singular vectors [min(examples, d_model) × d_model] and singular values, largest first."""
    _, values, basis = torch.linalg.svd(rows, full_matrices=False)
    return basis, values


def project(direction: Tensor, basis: Tensor, rank: int) -> Tensor:
    """The part of a direction that lies in the span of the first `rank` rows of an orthonormal basis. [d_model]"""
    kept = basis[:rank]
    return (kept.T @ (kept @ direction.double())).to(direction.dtype)
