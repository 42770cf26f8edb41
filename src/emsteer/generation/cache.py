"""Keys and values of a batch, in buffers with room to grow: a step writes its own position and moves no other.

The layers of transformers make a new tensor of all positions at every step, which is half of the time of a small batch. Here
that happens once in `ROOM` steps. Whatever else a family keeps (a window that has begun to slide, states of linear attention)
stays as transformers has it.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

ROOM = 32  # positions beyond those that are used; more of them cost more in memory that is not read than they save


class RoomyLayer(DynamicLayer):
    """`DynamicLayer`, but `keys` and `values` are views into larger buffers. [rows × heads × positions × d_head]"""

    buffers: tuple[Tensor, Tensor]

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Tensor]:
        """Appends positions; returns all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.buffers = key_states[:, :, :0], value_states[:, :, :0]
            self._use(0)
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        if end > self.buffers[0].shape[2]:
            self._move(end)
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = states
        return self._use(end)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """The state of these rows, in this order; a row may be there several times."""
        if self.is_initialized:
            n_used = self.get_seq_length()
            self._move(n_used, beam_idx)
            self._use(n_used)

    def _use(self, n_used: int) -> tuple[Tensor, Tensor]:
        keys, values = (buffer[:, :, :n_used] for buffer in self.buffers)
        self.keys, self.values = keys, values
        return keys, values

    def _move(self, n_used: int, rows: Tensor | None = None) -> None:
        keys, values = (buffer[:, :, : self.get_seq_length()] for buffer in self.buffers)
        self.buffers = _roomy(keys, n_used, rows), _roomy(values, n_used, rows)


def _roomy(states: Tensor, n_used: int, rows: Tensor | None = None) -> Tensor:
    """States, or those of some rows, at the beginning of a buffer that holds `n_used` positions and `ROOM` more."""
    n_rows, n_heads, n_positions, d_head = states.shape
    buffer = states.new_empty(n_rows if rows is None else len(rows), n_heads, n_used + ROOM, d_head)
    if rows is None:
        buffer[:, :, :n_positions] = states
    else:
        torch.index_select(states, 0, rows.to(states.device), out=buffer[:, :, :n_positions])
    return buffer


def cache_for(config: PreTrainedConfig, n_positions: int) -> DynamicCache:
    """An empty cache of a model for texts of up to `n_positions` tokens: its layers are roomy where nothing is ever dropped."""
    cache = DynamicCache(config=config.get_text_config(decoder=True))
    cache.layers = [RoomyLayer() if _keeps_all(layer, n_positions) else layer for layer in cache.layers]
    return cache


def _keeps_all(layer: Any, n_positions: int) -> bool:
    if type(layer) is DynamicSlidingWindowLayer:
        return bool(n_positions <= layer.sliding_window)
    return type(layer) is DynamicLayer
