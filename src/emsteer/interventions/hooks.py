"""Forward hooks on decoder blocks: watching the residual stream, adding to it and taking out of it, row by row.

Hooks return new tensors and are gone when the context ends.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from emsteer.errors import ModelError
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


Steer = Push | Ablation


class RowSteering:
    """What is done to the residual streams of a batch, any number of pushes and ablations per row.

    Pushes are one [rows × 1 × d_model] delta per touched layer and choice of positions, and so are ablations: unit directions times
    the root of their share. At a layer pushes come first.

    `answer_positions` [rows × positions] says where the coming forward pass reads from a row's last prompt token on; None:
    everywhere, as in decoding.
    """

    def __init__(
        self, changes: Sequence[Sequence[Steer]], d_model: int, n_layers: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Raises ModelError for a direction that does not fit the model, is not finite in its dtype, or cannot be ablated."""
        self.answer_positions: Tensor | None = None
        self.always: dict[int, Tensor] = {}
        self.on_answer: dict[int, Tensor] = {}
        self.ablated: dict[tuple[int, Positions], Tensor] = {}
        for row, change in ((row, change) for row, of_row in enumerate(changes) for change in of_row):
            direction = change.delta if isinstance(change, Push) else change.direction
            if not 0 <= change.layer < n_layers or direction.shape != (d_model,):
                raise ModelError(
                    f"a direction of shape {tuple(direction.shape)} at layer {change.layer} does not fit a model of "
                    f"{n_layers} layers (0 to {n_layers - 1}) and width {d_model}.\n  Rebuild the vector for this model."
                )
            empty = torch.zeros(len(changes), 1, d_model, dtype=dtype, device=device)
            if isinstance(change, Ablation):
                for layer in range(n_layers) if change.everywhere else (change.layer,):
                    self._ablate(row, replace(change, layer=layer), empty)
                continue
            for kind, wanted in ((self.always, "all"), (self.on_answer, "answer")):
                if change.positions == wanted:
                    kind.setdefault(change.layer, empty)[row, 0] += change.delta.to(empty)
        if not all(delta.isfinite().all() for delta in (*self.always.values(), *self.on_answer.values(), *self.ablated.values())):
            raise ModelError(f"a direction times its dose is not finite in {dtype}.\n  Lower the dose, or build the vector again.")

    def _ablate(self, row: int, ablation: Ablation, empty: Tensor) -> None:
        at_least = torch.promote_types(empty.dtype, torch.float32)  # what a few digits leave along a direction adds up
        of_layer = self.ablated.setdefault((ablation.layer, ablation.positions), empty.to(at_least, copy=True))
        if not ablation.direction.any() or of_layer[row].any():
            what = "two directions are" if of_layer[row].any() else "a direction without length is"
            raise ModelError(f"{what} to be ablated at layer {ablation.layer}; expected one with a length.\n  Mind the vectors.")
        unit = ablation.direction.double() / ablation.direction.double().norm()
        of_layer[row, 0] = (unit * ablation.share**0.5).to(of_layer)

    @property
    def layers(self) -> set[int]:
        """Touched layers."""
        return {*self.always, *self.on_answer, *(layer for layer, _ in self.ablated)}

    def keep(self, rows: Tensor) -> None:
        """Drops the rows that are not in `rows`."""
        self.always = {layer: delta[rows] for layer, delta in self.always.items()}
        self.on_answer = {layer: delta[rows] for layer, delta in self.on_answer.items()}
        self.ablated = {place: units[rows] for place, units in self.ablated.items()}

    def apply(self, layer: int, hidden: Tensor) -> Tensor:
        """The residual stream [rows × positions × d_model] with the pushes added, and without what is ablated."""
        if layer in self.always:
            hidden = hidden + self.always[layer].to(hidden.device)
        if layer in self.on_answer:
            delta = self.on_answer[layer].to(hidden.device)
            where = self.answer_positions
            hidden = hidden + (delta if where is None else torch.where(where[:, :, None].to(hidden.device), delta, 0))
        for wanted in ("all", "answer"):
            if (layer, wanted) in self.ablated:
                units = self.ablated[layer, wanted].to(hidden.device)
                taken = ((hidden * units).sum(-1, keepdim=True) * units).to(hidden.dtype)
                where = None if wanted == "all" else self.answer_positions
                hidden = hidden - (taken if where is None else torch.where(where[:, :, None].to(hidden.device), taken, 0))
        return hidden


@contextmanager
def steered(network: PreTrainedModel, steering: RowSteering) -> Iterator[None]:
    """Runs the model under a batch's pushes."""
    blocks = decoder_blocks(network)

    def at(layer: int) -> Change:
        return lambda _input, hidden: steering.apply(layer, hidden)

    with hooked([(blocks[layer], at(layer)) for layer in steering.layers]):
        yield


@contextmanager
def added(network: PreTrainedModel, layer: int, delta: Tensor) -> Iterator[None]:
    """Adds one differentiable vector [d_model] to every row and position."""
    with hooked([(decoder_blocks(network)[layer], lambda _input, hidden: hidden + delta.to(hidden))]):
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
