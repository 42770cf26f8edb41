"""The other way: what a direction does against, its negative should not do too.

An effect that both have is one of any push along that line.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from emsteer.interventions.vectors import read_vector, written
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes vector files."""
    return written(build(jobs))


def build(jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[int, Tensor]]]:
    """Yields each job with layer → direction [d_model]."""
    for job in jobs:
        yield job, {layer: -vector for layer, vector in read_vector(job.input("like")).items()}
