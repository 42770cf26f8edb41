"""What a cell asks of the model: its questions, and how the model is changed."""

import functools
from pathlib import Path

import pandas as pd

from emsteer import schemas
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.calibrations import read_residual_norms
from emsteer.interventions.hooks import Push
from emsteer.interventions.vectors import direction_at
from emsteer.packs import Job


def intervention_of(job: Job) -> tuple[Push | None, Dosed | None]:
    """The push and the adapter of a cell whose recipe is `recipes.Intervened`."""
    scale = job.recipe.adapter_scale
    return push_of(job), None if scale is None else Dosed(read_adapter(job.input("adapter")), scale)


def push_of(job: Job) -> Push | None:
    """What the cell adds to the residual stream; the dose is turned into a multiple of the direction here and nowhere else."""
    steering = job.recipe.steering
    if steering is None:
        return None
    direction = direction_at(job.input("vector"), steering.layer)
    if steering.unit == "vector_norm":
        scale = steering.dose
    else:
        scale = steering.dose * read_residual_norms(job.input("calibration"))[steering.layer] / float(direction.norm())
    return Push(steering.layer, scale * direction, steering.positions)


@functools.lru_cache(maxsize=8)
def questions_at(path: Path) -> pd.DataFrame:
    """`schemas.Questions` of a benchmark; many cells of a pack ask the same. To be left as it is."""
    return schemas.read(path, schemas.Questions)
