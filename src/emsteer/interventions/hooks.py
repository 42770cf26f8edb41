"""Forward hooks on decoder blocks: watching the residual stream, adding to it and taking out of it, row by row.

Hooks return new tensors and are gone when the context ends.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from emsteer.errors import ModelError
from emsteer.interventions.maps import AffineMap, MapPush, RowMaps
from emsteer.models.blocks import decoder_blocks
from emsteer.recipes import Positions

Change = Callable[[Tensor, Tensor], Tensor | None]  # (first input, output) of a module → its new output, or None


@dataclass(frozen=True)
class Push:
    """What is added to one row.

    Attributes:
        layer: 0-based block whose output is changed.
        delta: dose × direction. [d_model]
        positions: `all`, or `answer`: from the last prompt token on.
    """

    layer: int
    delta: Tensor
    positions: Positions


@dataclass(frozen=True)
class Ablation:
    """What is taken out of one row: a share of its component along a direction.

    Source: Arditi et al., arXiv 2406.11717 (h − (h·v̂) v̂, behind every block).

    Attributes:
        layer: 0-based block whose output is changed.
        direction: Of any length. [d_model]
        share: 1: nothing is left along the direction.
        positions: `all`, or `answer`: from the last prompt token on.
        everywhere: Whether the outputs of all blocks are changed, and not that of `layer` alone.
    """

    layer: int
    direction: Tensor
    share: float
    positions: Positions
    everywhere: bool = False


Steer = Push | Ablation | MapPush
Place = tuple[int, Positions]  # layer and positions
POSITIONS: tuple[Positions, ...] = get_args(Positions)


class RowSteering:
    """What is done to the residual streams of a batch, any number of pushes, maps and ablations per row.

    Of pushes and ablations there is one [rows × 1 × d_model] tensor per touched layer and choice of positions: the sum of a row's
    pushes, and its ablated unit direction times the root of its share. At a layer maps come first, then pushes, then ablations.

    `answer_positions` [rows × positions] says where the coming forward pass reads from a row's last prompt token on; None:
    everywhere, as in decoding.
    """

    def __init__(
        self, changes: Sequence[Sequence[Steer]], d_model: int, n_layers: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Raises ModelError for a direction that does not fit the model, is not finite in its dtype, or cannot be ablated."""
        self.answer_positions: Tensor | None = None
        self.pushed: dict[Place, Tensor] = {}
        self.ablated: dict[Place, Tensor] = {}
        shape, at_least = (len(changes), 1, d_model), torch.promote_types(dtype, torch.float32)
        for row, change in ((row, change) for row, of_row in enumerate(changes) for change in of_row):
            _check(change, d_model, n_layers)
            if isinstance(change, MapPush):
                continue
            if isinstance(change, Push):
                delta = _at(self.pushed, (change.layer, change.positions), shape, dtype, device)
                delta[row, 0] += change.delta.to(delta)
                continue
            for layer in range(n_layers) if change.everywhere else (change.layer,):  # a few digits would leave some of it
                _ablate(_at(self.ablated, (layer, change.positions), shape, at_least, device)[row, 0], change, layer)
        self.mapped = _maps(changes, d_model, at_least, device)
        found = [tensor.isfinite().all() for tensor in (*self.pushed.values(), *self.ablated.values())]
        if not all([*found, *(maps.is_finite() for maps in self.mapped.values())]):
            raise ModelError(f"a direction times its dose is not finite in {dtype}.\n  Lower the dose, or build the vector again.")

    @property
    def layers(self) -> set[int]:
        """Touched layers."""
        return {layer for layer, _ in (*self.mapped, *self.pushed, *self.ablated)}

    def keep(self, rows: Tensor) -> None:
        """Drops the rows that are not in `rows`."""
        self.pushed, self.ablated = ({place: tensor[rows] for place, tensor in of.items()} for of in (self.pushed, self.ablated))
        for maps in self.mapped.values():
            maps.keep(rows)

    def apply(self, layer: int, hidden: Tensor, rows: Tensor | None = None) -> Tensor:
        """The residual stream [rows × positions × d_model] with maps and pushes added, and without what is ablated.

        `rows`: which rows of the batch these are; None: all, in order.
        """
        mapped = {where: self.mapped[layer, where].of(hidden, rows) for where in POSITIONS if (layer, where) in self.mapped}
        for positions, change in mapped.items():
            hidden = hidden + self._there(change, positions, rows)
        for positions in POSITIONS:
            if (layer, positions) in self.pushed:
                pushed = _of(self.pushed[layer, positions], rows).to(hidden.device)
                hidden = hidden + self._there(pushed, positions, rows)
        for positions in POSITIONS:
            if (layer, positions) in self.ablated:
                units = _of(self.ablated[layer, positions], rows).to(hidden.device)
                taken = ((hidden * units).sum(-1, keepdim=True) * units).to(hidden.dtype)
                hidden = hidden - self._there(taken, positions, rows)
        return hidden

    def _there(self, change: Tensor, positions: Positions, rows: Tensor | None) -> Tensor:
        """A change where it is meant to be, 0 elsewhere."""
        if positions == "all" or self.answer_positions is None:
            return change
        where = self.answer_positions if len(self.answer_positions) == 1 else _of(self.answer_positions, rows)
        return torch.where(where[:, :, None].to(change.device), change, 0)


def _of(tensor: Tensor, rows: Tensor | None) -> Tensor:
    """Some rows of what is said of a batch."""
    return tensor if rows is None else tensor[rows.to(tensor.device)]


def _check(change: Steer, d_model: int, n_layers: int) -> None:
    """Raises ModelError for what does not fit the model."""
    parts: tuple[Tensor, ...]
    match change:
        case MapPush():
            parts = change.map.down[0], change.map.up[:, 0]
        case Push():
            parts = (change.delta,)
        case Ablation():
            parts = (change.direction,)
    for direction in parts:
        if not 0 <= change.layer < n_layers or direction.shape != (d_model,):
            raise ModelError(
                f"a direction of shape {tuple(direction.shape)} at layer {change.layer} does not fit a model of "
                f"{n_layers} layers (0 to {n_layers - 1}) and width {d_model}.\n  Rebuild the vector for this model."
            )


def _maps(changes: Sequence[Sequence[Steer]], d_model: int, dtype: torch.dtype, device: torch.device) -> dict[Place, RowMaps]:
    """The maps of a batch, by their place."""
    maps = [(row, change) for row, of_row in enumerate(changes) for change in of_row if isinstance(change, MapPush)]
    found: dict[Place, RowMaps] = {}
    for place in dict.fromkeys((change.layer, change.positions) for _, change in maps):
        here: list[list[AffineMap]] = [[] for _ in changes]
        for row, change in maps:
            if (change.layer, change.positions) == place:
                here[row].append(change.map)
        found[place] = RowMaps(here, d_model, dtype, device)
    return found


def _at(of: dict[Place, Tensor], place: Place, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    if place not in of:
        of[place] = torch.zeros(shape, dtype=dtype, device=device)
    return of[place]


def _ablate(of_row: Tensor, ablation: Ablation, layer: int) -> None:
    """Writes what `RowSteering.ablated` holds of a row. [d_model]"""
    if not ablation.direction.any() or of_row.any():
        what = "two directions are" if of_row.any() else "a direction without length is"
        raise ModelError(f"{what} to be ablated at layer {layer}; expected one with a length.\n  Mind the vectors.")
    unit = ablation.direction.double() / ablation.direction.double().norm()
    of_row.copy_(unit * ablation.share**0.5)


@contextmanager
def steered(network: PreTrainedModel, steering: RowSteering) -> Iterator[None]:
    """Runs the model under a batch's pushes."""
    blocks = decoder_blocks(network)

    def at(layer: int) -> Change:
        return lambda _input, hidden: steering.apply(layer, hidden)

    with hooked([(blocks[layer], at(layer)) for layer in steering.layers]):
        yield


@contextmanager
def added(network: PreTrainedModel, layer: int, delta: Tensor | Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Adds one differentiable vector [d_model] to every row and position, or a function of the residual stream there."""

    def change(_input: Tensor, hidden: Tensor) -> Tensor:
        return hidden + (delta.to(hidden) if isinstance(delta, Tensor) else delta(hidden))

    with hooked([(decoder_blocks(network)[layer], change)]):
        yield


@contextmanager
def head_reads(network: PreTrainedModel, where: Tensor) -> Iterator[None]:
    """Lets the model make logits where `where` [rows × positions] is true only: [1 × chosen × vocabulary], row by row.

    Logits of every position are most of the memory of a model with a real vocabulary, and most of them are never read.
    """

    def choose(_module: Any, inputs: Any) -> Any:
        return (inputs[0][where.to(inputs[0].device)][None], *inputs[1:])

    handle = network.get_output_embeddings().register_forward_pre_hook(choose)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def watch(network: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Collects the residual stream leaving every block, [rows × positions × d_model] each, in the order of the blocks."""
    seen: list[Tensor] = []

    def note(_input: Tensor, hidden: Tensor) -> None:
        seen.append(hidden)

    with hooked([(block, note) for block in decoder_blocks(network)]):
        yield seen


@contextmanager
def hooked(changes: Sequence[tuple[nn.Module, Change]]) -> Iterator[None]:
    """Lets functions of (first input, output) of modules replace their outputs; None leaves an output as it is."""

    def hook(change: Change) -> Any:
        def run(_module: Any, inputs: Any, output: Any) -> Any:
            is_tuple = isinstance(output, tuple)
            changed = change(inputs[0], output[0] if is_tuple else output)
            if changed is None:
                return None
            return (changed, *output[1:]) if is_tuple else changed

        return run

    handles = [module.register_forward_hook(hook(change)) for module, change in changes]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
