"""What a cell asks of the model: its questions, and how the model is changed."""

import functools
from pathlib import Path

import pandas as pd

from emsteer import schemas, storage
from emsteer.errors import ModelError
from emsteer.generation.rows import Changes
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.calibrations import read_residual_norms
from emsteer.interventions.hooks import Push
from emsteer.interventions.vectors import direction_at
from emsteer.packs import Job
from emsteer.recipes import Adapted, Steering


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
    pushes = tuple(_push(job, one, next(vectors)) for one in treatments if isinstance(one, Steering))
    dosed = [Dosed(read_adapter(next(adapters)), one.scale) for one in treatments if isinstance(one, Adapted)]
    if len(dosed) > 1:
        raise ModelError(f"{job.address}: {len(dosed)} adapters on one row; expected one at most.\n  Merge them into one adapter.")
    return Changes(pushes, dosed[0] if dosed else None)


def check_model(path: Path, model: str) -> None:
    """Two models of one shape take each other's vectors and adapters without a word; the addresses in a passport tell them apart.

    Raises:
        ModelError: The vector or adapter was made from another model than `model`, an address. Random directions name none.
    """
    made_from = storage.read_passport(path)["inputs"].get("model", {})
    if made_from and {name.rpartition("--")[2] for name in made_from} != {model.rpartition("--")[2]}:
        raise ModelError(
            f"{path}: was made from the model {' and '.join(made_from)}, and is to change {model}.\n"
            "  Put back the file that belongs there, or delete it and run again: it is made anew."
        )


def _push(job: Job, steering: Steering, vector: Path) -> Push:
    """The dose is turned into a multiple of the direction here and nowhere else."""
    direction = direction_at(vector, steering.layer)
    if steering.unit == "vector_norm":
        scale = steering.dose
    else:
        scale = steering.dose * read_residual_norms(job.input("calibration"))[steering.layer] / float(direction.norm())
    return Push(steering.layer, scale * direction, steering.positions)


@functools.lru_cache(maxsize=8)
def questions_at(path: Path) -> pd.DataFrame:
    """`schemas.Questions` of a benchmark; many cells of a pack ask the same. To be left as it is."""
    return schemas.read(path, schemas.Questions)
