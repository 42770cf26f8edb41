"""Rows that are alike up to a block are computed once up to it.

Settings that steer block ℓ read the same texts, and until the residual stream leaves block ℓ it is the same in all of them. Where
many settings answer side by side, a pass begins with one row for each text (`Shared`): where steering sets rows apart, the rows
behind that block are as many as there are differences. Where they read one after the other, the next one begins behind the block
that the last one steered (`Once`).
"""

import inspect
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from emsteer.interventions.hooks import Ablation, Change, RowSteering, Steer, hooked
from emsteer.models.blocks import decoder_blocks

FEWEST = 4  # rows: of fewer, products end in other bits (`emsteer.kernels`)
READ = {"hidden_states", "attention_mask", "position_ids", "position_embeddings", "past_key_values", "use_cache", "kwargs"}


class Shared:
    """Which rows of a batch share the work of which blocks.

    Attributes:
        entry: The row that stands for each group of rows, as they enter the first block. [groups]
        entering: Layer → the group of every row, as it enters that block. [rows]
        leaving: The same behind the last block. [rows]
        into: Layer that sets rows apart → for each group that leaves it, the group that it was in. [groups behind]
    """

    def __init__(self, texts: Sequence[Hashable], steers: Sequence[Sequence[Steer]], n_layers: int, fewest: int = FEWEST) -> None:
        """Rows.

        Args:
            texts: What tells rows apart before the first block.
            steers: What is done to each row; steers are told apart as objects.
            n_layers: Of the model.
            fewest: At least as many groups there are everywhere, some of them twice.
        """
        self.fewest = fewest
        self.into: dict[int, Tensor] = {}
        self.entering: list[Tensor] = []
        self._first: list[Tensor] = []
        groups, first = _grouped(texts)
        self.entry = self._padded(first)
        for layer in range(n_layers):
            self.entering.append(torch.tensor(groups, device="cpu"))
            here = [tuple(id(steer) for steer in of_row if _touches(steer, layer)) for of_row in steers]
            if any(here):
                before = groups
                groups, first = _grouped([*zip(before, here, strict=True)])
                self.into[layer] = self._padded([before[row] for row in first])
            self._first.append(self._padded(first))
        self.leaving = torch.tensor(groups, device="cpu")

    def first(self, layer: int) -> Tensor:
        """The row that stands for each group, as they leave a block. [groups]"""
        return self._first[layer]

    def origins(self) -> Iterator[tuple[int, Tensor]]:
        """Layers whose groups are not those of the entry, and for each of their groups the one at the entry that it is of."""
        origin = torch.arange(len(self.entry), device="cpu")
        for layer in range(1, len(self.entering)):
            origin = origin[self.into[layer - 1]] if layer - 1 in self.into else origin
            if len(self.into) and layer > min(self.into):
                yield layer, origin

    def _padded(self, groups: Sequence[int]) -> Tensor:
        return torch.tensor([*groups, *[groups[-1]] * (self.fewest - len(groups))], device="cpu")


def can_share(network: PreTrainedModel) -> bool:
    """Whether the blocks of a family are known to read nothing of a row but what `shared` hands on."""
    block = decoder_blocks(network)[0]
    return {*inspect.signature(type(block).forward).parameters} - {"self"} <= READ


@contextmanager
def shared(network: PreTrainedModel, groups: Shared, steering: RowSteering) -> Iterator[None]:
    """Runs a pass whose rows are `groups.entry`, under a batch's steering. Out of it come the groups behind the last block."""
    blocks = decoder_blocks(network)

    def at(layer: int) -> Change:
        steers = layer in steering.layers

        def change(_input: Tensor, hidden: Tensor) -> Tensor:
            if layer in groups.into:
                hidden = hidden[groups.into[layer].to(hidden.device)]
            return steering.apply(layer, hidden, groups.first(layer)) if steers else hidden

        return change

    handles = [
        blocks[layer].register_forward_pre_hook(_hands_on(len(groups.entry), origin), with_kwargs=True)
        for layer, origin in groups.origins()
    ]
    try:
        with hooked([(blocks[layer], at(layer)) for layer in sorted({*groups.into, *steering.layers})]):
            yield
    finally:
        for handle in handles:
            handle.remove()


class Once:
    """What the unchanged model makes of one batch of texts, kept at the blocks that settings change."""

    def __init__(self, network: PreTrainedModel) -> None:
        self._blocks = decoder_blocks(network) if can_share(network) else None
        self._kept: dict[int, Tensor] = {}

    @contextmanager
    def up_to(self, layer: int | None) -> Iterator[None]:
        """Runs a pass over the batch in which what leaves block `layer` is computed if it never was; None: all is computed."""
        if self._blocks is None or layer is None:
            yield
        elif layer in self._kept:
            with _given(self._blocks, layer, self._kept[layer]):
                yield
        else:
            with hooked([(self._blocks[layer], lambda _input, hidden: self._kept.setdefault(layer, hidden))]):
                yield


@contextmanager
def _given(blocks: Any, layer: int, leaving: Tensor) -> Iterator[None]:
    """Blocks up to `layer` compute nothing; this is what leaves the last of them."""
    skipped = list(blocks[: layer + 1])
    before = [block.__dict__.get("forward") for block in skipped]  # accelerate puts one of its own there
    for block in skipped:
        block.forward = lambda *_args, **_kwargs: leaving
    try:
        yield
    finally:
        for block, own in zip(skipped, before, strict=True):
            del block.forward
            if own is not None:
                block.forward = own


def _hands_on(n_entry: int, origin: Tensor) -> Any:
    """Gives a block what the model made for the rows of the entry, for its own rows. Masks that all rows share stay as they are."""

    def of(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(of, value))
        is_by_row = isinstance(value, Tensor) and value.ndim > 1 and value.shape[0] == n_entry
        return value[origin.to(value.device)] if is_by_row else value

    def hook(_block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return (args[0], *map(of, args[1:])), {name: of(value) for name, value in kwargs.items()}

    return hook


def _touches(steer: Steer, layer: int) -> bool:
    return steer.layer == layer or (isinstance(steer, Ablation) and steer.everywhere)


def _grouped(keys: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """The group of every row; the first row of every group."""
    groups: dict[Hashable, int] = {}
    first: list[int] = []
    of_rows: list[int] = []
    for row, key in enumerate(keys):
        if key not in groups:
            groups[key] = len(first)
            first.append(row)
        of_rows.append(groups[key])
    return of_rows, first
