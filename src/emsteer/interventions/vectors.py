"""Steering vectors on disk: safetensors with a passport, and the one convention for layers.

A file holds `directions` [layers × d_model], float32, as built (not normalised), and `layers` [layers]: the 0-based
blocks whose output each direction was built for. Pickled vectors are refused: loading one runs its code.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emsteer import storage
from emsteer.errors import DataError
from emsteer.packs import Job

LAYER_CONVENTION = "residual stream leaving decoder block, 0-based"


def written(built: Iterable[tuple[Job, dict[int, Tensor]]]) -> Iterator[Job]:
    """Writes each job's layer → direction [d_model]; what a construction's `make` returns."""
    for job, directions in built:
        write_vector(directions, job)
        yield job


def write_vector(directions: dict[int, Tensor], job: Job, parts: Mapping[str, Tensor] | None = None) -> None:
    """Writes layer → direction [d_model] with a passport that says what the numbers are; `parts`: name → what a map consists of."""
    stacked = torch.stack([directions[layer].detach().float().cpu() for layer in sorted(directions)])
    beside = {name: part.detach().float().cpu() for name, part in (parts or {}).items()}
    if not all(torch.isfinite(of).all() for of in (stacked, *beside.values())):
        raise DataError(
            f"{job.address}: the construction gave numbers that are not finite.\n  Lower its learning rate in params.yaml."
        )
    passport = {
        **job.passport,
        "layer_convention": LAYER_CONVENTION,
        "norms": [round(float(norm), 6) for norm in stacked.norm(dim=1)],
    }
    tensors = {"directions": stacked.numpy(), "layers": np.array(sorted(directions), dtype=np.int64)}
    tensors |= {name: part.numpy() for name, part in beside.items()}
    storage.write_tensors(tensors, job.out, passport)


def read_vector(path: Path) -> dict[int, Tensor]:
    """Layer → direction [d_model]; of a map (`interventions.maps`) its typical push.

    Raises:
        DataError: The file is no vector file of this study.
    """
    if path.suffix != ".safetensors":
        raise DataError(f"{path}: expected a .safetensors file, got {path.suffix or 'no ending'}. Pickled vectors are refused.")
    tensors, _ = storage.read_tensors(path)
    if not {"directions", "layers"} <= set(tensors):
        raise DataError(f"{path}: expected the tensors `directions` and `layers`, got {sorted(tensors)}.\n  {storage.REPAIR}")
    return {int(layer): torch.from_numpy(row) for layer, row in zip(tensors["layers"], tensors["directions"], strict=True)}


def direction_at(path: Path, layer: int) -> Tensor:
    """The direction that a vector file holds for a layer. [d_model]

    Raises:
        DataError: It holds none for that layer.
    """
    directions = read_vector(path)
    if layer not in directions:
        raise DataError(
            f"{path}: holds directions for layers {sorted(directions)}, not for layer {layer}.\n  Mind the `layers` of the sweep."
        )
    return directions[layer]
