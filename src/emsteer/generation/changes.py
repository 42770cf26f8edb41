"""What a cell asks of the model: its questions, and how the model is changed."""

import functools
from pathlib import Path

import pandas as pd

from emsteer import schemas
from emsteer.errors import ModelError
from emsteer.generation.rows import Changes
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.calibrations import read_residual_norms
from emsteer.interventions.checks import check_model
from emsteer.interventions.hooks import Ablation, Push, Steer
from emsteer.interventions.maps import MapPush, read_map
from emsteer.interventions.vectors import direction_at
from emsteer.packs import Job
from emsteer.recipes import Ablated, Adapted, Mapped, Steering


def changes_of(job: Job) -> Changes:
    """The treatments of a cell whose recipe is `recipes.Treated`, each with its input: of the same role, in the same order.

    Raises:
        ModelError: More than one adapter, or a vector or adapter that was made from another model.
    """
    for role in ("vector", "adapter"):
        for path in job.inputs.get(role, ()):
            check_model(path, job.addresses["model"][0])
    vectors, adapters = iter(job.inputs.get("vector", ())), iter(job.inputs.get("adapter", ()))
    treatments = job.recipe.treatments
    steers = tuple(_steer(job, one, next(vectors)) for one in treatments if not isinstance(one, Adapted))
    dosed = [Dosed(read_adapter(next(adapters)), one.scale) for one in treatments if isinstance(one, Adapted)]
    if len(dosed) > 1:
        raise ModelError(f"{job.address}: {len(dosed)} adapters on one row; expected one at most.\n  Merge them into one adapter.")
    return Changes(steers, dosed[0] if dosed else None)


def _steer(job: Job, steering: Steering | Mapped | Ablated, vector: Path) -> Steer:
    """The dose is turned into a multiple of the direction, or of the map, here and nowhere else."""
    direction = direction_at(vector, steering.layer)
    if isinstance(steering, Ablated):
        return Ablation(steering.layer, direction, steering.share, steering.positions, steering.everywhere)
    if steering.unit == "vector_norm":
        scale = steering.dose
    else:
        scale = steering.dose * read_residual_norms(job.input("calibration"))[steering.layer] / float(direction.norm())
    if isinstance(steering, Mapped):
        return MapPush(steering.layer, read_map(vector, steering.layer).times(scale), steering.positions)
    return Push(steering.layer, scale * direction, steering.positions)


@functools.lru_cache(maxsize=8)
def questions_at(path: Path) -> pd.DataFrame:
    """`schemas.Questions` of a benchmark; many cells of a pack ask the same. To be left as it is."""
    return schemas.read(path, schemas.Questions)
