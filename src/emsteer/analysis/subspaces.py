"""Subspaces: do seeds agree on a direction, and do tasks share one? Of every two groups of unit directions of a model:

cosine          mean over pairs of one direction of each, a direction with itself left out
first_share     of the energy of the second group, what lies along its first right singular vector (not centred): 1 / n if they
                are orthogonal, 1 if they are one direction
captured        of the energy of the second group, what lies in the span of the first
by_chance       what would of directions at random: dimensions of that span / width of the model
first_angle, last_angle    smallest and largest principal angle between the two spans [degrees]
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import subspace_angles

from emsteer import schemas, storage
from emsteer.analysis.tables import tabulated
from emsteer.packs import Job
from emsteer.recipes import DirectionGroup

SCHEMA = schemas.Subspaces
Rows = NDArray[np.float64]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the table."""
    return tabulated(jobs, table, SCHEMA)


def table(job: Job) -> pd.DataFrame:
    """`schemas.Subspaces`."""
    said, paths = job.recipe.layer, job.by_address("vectors")
    at = {name: said[of.model] if isinstance(said, dict) else said for of in job.recipe.groups for name in of.made}
    units = {name: unit_at(storage.read_tensors(paths[name])[0], layer) for name, layer in at.items()}
    rows = []
    for group in job.recipe.groups:
        alike = [other for other in job.recipe.groups if (other.model, other.vector) == (group.model, group.vector)]
        rows += [_between(group, other, units) for other in alike]
    return schemas.frame_of([row for row in rows if row], SCHEMA)


def unit_at(tensors: Mapping[str, NDArray], layer: int) -> Rows | None:
    """The direction at a layer, of norm 1; None where it has no length or is not there. [d_model]"""
    for at, row in zip(tensors["layers"], tensors["directions"].astype("float64"), strict=True):
        if int(at) == layer and np.linalg.norm(row):
            return row / np.linalg.norm(row)
    return None


def _between(group: DirectionGroup, other: DirectionGroup, units: Mapping[str, Rows | None]) -> dict[str, object]:
    first, second = ({name: unit for name in of.made if (unit := units[name]) is not None} for of in (group, other))
    if not first or not second:
        return {}
    sides = np.stack(list(first.values())), np.stack(list(second.values()))
    pairs = [float(one @ two) for a, one in first.items() for b, two in second.items() if a != b]
    basis = span(sides[0])
    energies = np.linalg.svd(sides[1], compute_uv=False) ** 2
    angles = np.degrees(subspace_angles(sides[0].T, sides[1].T))
    return {
        "model": group.model,
        "vector": group.vector,
        "group": group.name,
        "other": other.name,
        "n": len(first),
        "n_other": len(second),
        "cosine": float(np.mean(pairs)) if pairs else None,
        "first_share": float(energies[0] / energies.sum()),
        "captured": min(1.0, float(((sides[1] @ basis.T) ** 2).sum() / len(second))),
        "by_chance": len(basis) / basis.shape[1],
        "first_angle": float(angles.min()),
        "last_angle": float(angles.max()),
    }


def span(rows: Rows) -> Rows:
    """Orthonormal rows that span the given ones. [rank × d_model]"""
    _, sizes, basis = np.linalg.svd(rows, full_matrices=False)
    return basis[sizes > sizes[0] * 1e-6]
