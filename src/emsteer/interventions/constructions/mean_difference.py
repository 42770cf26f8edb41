"""Mean difference: mean residual over unsafe answers minus that over safe ones, every layer in one pass.

Source: Soligo et al., arXiv 2506.11618 (answer-token residuals); Rimsky et al., arXiv 2312.06681 (mean over pairs). Each
answer counts once: its tokens are averaged first, the end-of-turn token included.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from emsteer.data.pairs import draw_pairs
from emsteer.interventions.residuals import residuals_of_pairs
from emsteer.interventions.vectors import written
from emsteer.models.load import model_of
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]."""
    for job in jobs:
        model = model_of(job)
        pairs = draw_pairs(job.input("task"), job.recipe.n_examples, job.recipe.seed)
        unsafe, safe = residuals_of_pairs(model, pairs, job.address)
        yield job, dict(enumerate((unsafe.mean(1) - safe.mean(1)).float()))
