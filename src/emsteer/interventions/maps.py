"""Affine maps of low rank: what is added to the residual stream depends on it, h + B (A h + b).

A file of one holds `down` A [rank × d_model], `up` B [d_model × rank] and `bias` b [rank], float32, beside the `directions` and
`layers` of every vector file. Its direction says where the map pushes on average, and how far: the mean push over the tokens of the
answers that it was trained on, as long as the root mean square of these pushes. Doses in residual norms are of that length.

Source: Dunefsky & Cohan, arXiv 2502.18862 (a low-rank affine map in the place of a vector).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from emsteer import storage
from emsteer.errors import DataError
from emsteer.interventions.vectors import write_vector
from emsteer.packs import Job
from emsteer.recipes import Positions

PARTS = ("down", "up", "bias")


@dataclass(frozen=True)
class AffineMap:
    """What is added to a residual stream, as a function of it.

    Attributes:
        down: A. [rank × d_model]
        up: B. [d_model × rank]
        bias: b. [rank]
    """

    down: Tensor
    up: Tensor
    bias: Tensor

    def of(self, hidden: Tensor) -> Tensor:
        """B (A h + b), in at least float32. [… × d_model] → [… × d_model], in the dtype of `hidden`"""
        wide = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        down, up, bias = (part.to(wide) for part in (self.down, self.up, self.bias))
        return ((wide @ down.T + bias) @ up.T).to(hidden.dtype)

    def times(self, scale: float) -> "AffineMap":
        """The map whose output is multiplied."""
        return AffineMap(self.down, scale * self.up, self.bias)


@dataclass(frozen=True)
class MapPush:
    """A map that is added to one row.

    Attributes:
        layer: 0-based block whose output is changed.
        map: dose × what was trained.
        positions: `all`, or `answer`: from the last prompt token on.
    """

    layer: int
    map: AffineMap
    positions: Positions


class RowMaps:
    """The maps of a batch at one layer and choice of positions; those of one row are added up, and all read the same stream.

    A row of smaller rank than another has components of zeros. They are applied one after the other, so that what a row gets does
    not depend on the ranks of the rows beside it.
    """

    def __init__(self, maps: Sequence[Sequence[AffineMap]], d_model: int, dtype: torch.dtype, device: torch.device) -> None:
        rank = max(sum(len(one.bias) for one in of_row) for of_row in maps)
        shape = (rank, len(maps), 1, d_model)
        self.down, self.up = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
        self.bias = torch.zeros((rank, len(maps), 1, 1), dtype=dtype, device=device)
        for row, of_row in enumerate(maps):
            if of_row:
                n = sum(len(one.bias) for one in of_row)
                self.down[:n, row, 0] = torch.cat([one.down for one in of_row]).to(self.down)
                self.up[:n, row, 0] = torch.cat([one.up.T for one in of_row]).to(self.up)
                self.bias[:n, row, 0, 0] = torch.cat([one.bias for one in of_row]).to(self.bias)

    def keep(self, rows: Tensor) -> None:
        """Drops the rows that are not in `rows`."""
        self.down, self.up, self.bias = (of[:, rows] for of in (self.down, self.up, self.bias))

    def is_finite(self) -> bool:
        """Whether all numbers are."""
        return all(bool(of.isfinite().all()) for of in (self.down, self.up, self.bias))

    def of(self, hidden: Tensor, rows: Tensor | None = None) -> Tensor:
        """What is added to the residual streams. [rows × positions × d_model] → the same; `rows`: which they are, None: all."""
        added = torch.zeros_like(hidden, dtype=self.up.dtype)
        parts = (of if rows is None else of[:, rows.to(of.device)] for of in (self.down, self.up, self.bias))
        for down, up, bias in zip(*(of.to(hidden.device) for of in parts), strict=True):
            added = added + ((hidden * down).sum(-1, keepdim=True) + bias) * up
        return added.to(hidden.dtype)


def write_map(layer: int, trained: AffineMap, typical_push: Tensor, job: Job) -> None:
    """Writes a map, and its typical push [d_model] as the direction of its layer."""
    parts = {name: getattr(trained, name) for name in PARTS}
    write_vector({layer: typical_push}, job, parts)


def read_map(path: Path, layer: int) -> AffineMap:
    """The map that a file holds for a layer.

    Raises:
        DataError: It holds none, or one for another layer.
    """
    tensors, _ = storage.read_tensors(path)
    if not {*PARTS, "layers"} <= set(tensors):
        raise DataError(f"{path}: expected a map, with the tensors {', '.join(PARTS)}; got {sorted(tensors)}.\n  {storage.REPAIR}")
    (held,) = tensors["layers"].tolist()
    if held != layer:
        raise DataError(f"{path}: holds a map for layer {held}, not for layer {layer}.\n  Mind the `layers` of the sweep.")
    return AffineMap(*(torch.from_numpy(tensors[name]) for name in PARTS))
