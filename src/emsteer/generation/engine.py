"""The packed engine: rows of any setting share one batch of one Hugging Face model.

One hook per touched layer serves a whole mixed batch. What its rows have in common is read once (`interventions.sharing`), keys and
values stay where they were written (`generation.cache`), and finished rows leave. Batches are never narrower than `MIN_ROWS`: below
it matrix kernels change, and with them the last bits of a row's logits.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from emsteer.errors import ModelError
from emsteer.generation.cache import cache_for
from emsteer.generation.rows import Completion, Row, steering_of
from emsteer.generation.rules import filled, rules_of
from emsteer.generation.sampling import pick
from emsteer.interventions.adapters import Adapter, RowAdapters, adapted
from emsteer.interventions.hooks import steered
from emsteer.interventions.sharing import FEWEST, Shared, can_share, shared
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel
from emsteer.recipes import Sampling

ROWS_PER_BATCH = 640
POSITIONS_PER_BATCH = 2**16  # of prompts and answers: what keys and values are held for
MIN_ROWS = FEWEST
RETIRE_SHARE = 0.2  # of the batch: finished rows are dropped once they are more than this
OF_A_CPU = "can't allocate memory"  # where memory of a card ends, torch has an error of its own
log = logging.getLogger("emsteer")


class PackedEngine:
    """Batched decoding of rows that may differ in everything.

    Attributes:
        at_most: Rows of a batch. Halved, with a line in the log, whenever the device has no memory for a batch.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.at_most = ROWS_PER_BATCH

    def generate(self, rows: Sequence[Row], sampling: Sampling) -> Iterator[tuple[int, Completion]]:
        """Yields (index of the row, completion), batch by batch; rows of one adapter and prompts of like length share a batch.

        Raises:
            ModelError: A prompt is empty or too long, a direction or the model's numbers are not finite, the model's files ask
                for changes of its tokens that this engine does not make, or `MIN_ROWS` are too many for the device's memory.
        """
        for n_prompt in sorted({len(row.prompt_ids) for row in rows}):
            self.model.check_length(
                n_prompt and n_prompt + sampling.max_new_tokens, f"a prompt of {n_prompt:,} tokens and its answer"
            )
        place = {adapter: index for index, adapter in enumerate(dict.fromkeys(map(_adapter_of, rows)))}
        order = sorted(range(len(rows)), key=lambda index: (place[_adapter_of(rows[index])], len(rows[index].prompt_ids)))
        n_positions = _longest(rows) + sampling.max_new_tokens
        start, size = 0, self._size(len(order), n_positions)
        while start < len(order):
            chosen = order[start : start + size]
            said = self._said([rows[index] for index in chosen], sampling)
            if said is None:
                self._halve(len(chosen), n_positions)
                size = self._size(len(order) - start, n_positions)
            else:
                yield from zip(chosen, said, strict=True)
                start += size

    def _size(self, n_rows: int, n_positions: int) -> int:
        """Rows of each batch, of like size: a narrow last batch costs as much as a wide one."""
        n_batches = max(1, math.ceil(n_rows / min(self.at_most, rows_at_once(n_positions))))
        return max(1, math.ceil(n_rows / n_batches))

    def _said(self, rows: Sequence[Row], sampling: Sampling) -> list[Completion] | None:
        """A completion of every row; None: there is no memory for so many."""
        padding = [rows[-1]] * max(0, MIN_ROWS - len(rows))
        try:
            return _Batch(self.model, [*rows, *padding], sampling).run()[: len(rows)]
        except RuntimeError as error:  # what it holds is free again once this block is left
            if not (isinstance(error, torch.OutOfMemoryError) or OF_A_CPU in str(error)):
                raise
        return None

    def _halve(self, n_rows: int, n_positions: int) -> None:
        where = f"{n_rows} rows of up to {n_positions:,} tokens on {self.model.device}, in {self.model.network.dtype}"
        if n_rows <= MIN_ROWS:
            raise ModelError(
                f"no memory for {where}.\n  Lower `max_new_tokens`, take another `dtype`, or a device with more of it."
            )
        self.at_most = max(MIN_ROWS, n_rows // 2)
        log.warning("no memory for %s; going on with %d at once", where, self.at_most)


class _Batch:
    """State of one batch: which rows are live, what each has said, the cache, the steering."""

    def __init__(self, model: LanguageModel, rows: Sequence[Row], sampling: Sampling) -> None:
        self.network = model.network
        self.sampling = sampling
        self.rows = rows
        self.device = model.device
        self.end_ids = torch.tensor(model.end_ids, device=self.device)
        self.steering = steering_of(model, [row.changes for row in rows])
        self.adapters = RowAdapters([row.changes.adapter for row in rows], model.device, model.network.dtype)
        self.rules = rules_of(model.network.generation_config)
        self.read = filled([row.prompt_ids for row in rows]).to(self.device)
        self.groups = _groups(model, rows)
        self.live = list(range(len(rows)))
        self.said = torch.zeros(len(rows), sampling.max_new_tokens, dtype=torch.long, device=self.device)
        self.n_said = [sampling.max_new_tokens] * len(rows)
        self.stopped = [False] * len(rows)
        prompts = [rows[index].prompt_ids for index in self.groups.entry.tolist()]
        self.ids, self.mask = (of.to(self.device) for of in _pad_left(prompts, model.pad_id))
        self.cache = cache_for(model.network.config, self.ids.shape[1] + sampling.max_new_tokens)

    @torch.inference_mode()
    def run(self) -> list[Completion]:
        """Decodes to the end. One completion a row, in order."""
        logits, positions = self._read_prompts()
        with steered(self.network, self.steering), adapted(self.network, self.adapters):
            for step in range(self.sampling.max_new_tokens):
                ids = self._draw(logits, step)
                if step == self.sampling.max_new_tokens - 1 or all(self.stopped[row] for row in self.live):
                    break
                self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.live), 1)], dim=1)
                ids, positions = self._retire(ids, positions + 1)
                logits = self._forward(ids, positions)
        return [
            Completion(tuple(self.said[row, : self.n_said[row]].tolist()), "stop" if self.stopped[row] else "length")
            for row in range(len(self.rows))
        ]

    def _draw(self, logits: Tensor, step: int) -> Tensor:
        """The next token of every row, noted. [rows × tokens] → [rows × 1]"""
        logits = self.rules.apply(logits, step, self.read[self.live], self.said[self.live, :step])
        token = pick(logits, [self.rows[row].seed for row in self.live], step, self.sampling.temperature)
        self.said[self.live, step] = token
        self._note_stops(token, step)
        return token[:, None]

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        output = self.network(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1]
        if logits.isnan().any():
            raise ModelError(
                f"the model's numbers are not finite in {self.network.dtype}.\n  Lower the dose, or take another `dtype`."
            )
        return logits

    def _read_prompts(self) -> tuple[Tensor, Tensor]:
        """Logits of every row's first token, and its last position of the prompt. [rows × tokens], [rows × 1]"""
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        place = torch.arange(self.ids.shape[1], device=self.device)[None]
        self.steering.answer_positions = place == self.ids.shape[1] - 1  # prompts are padded on the left
        entering: Any = [of.to(self.device) for of in self.groups.entering]
        adapters = self.adapters.of(self.groups.entry.to(self.device))
        with shared(self.network, self.groups, self.steering), adapted(self.network, adapters):
            logits = self._forward(self.ids, positions)
        self.steering.answer_positions = None
        self.mask = self.mask[entering[0]]
        for layer, rows in zip(self.cache.layers, entering, strict=True):
            layer.reorder_cache(rows)
        return logits[self.groups.leaving.to(self.device)], positions[entering[0], -1:]

    def _keep(self, rows: Any) -> None:
        """The state of these rows of the batch, in this order; a row may be there several times."""
        self.mask = self.mask[rows]
        self.steering.keep(rows)
        self.adapters.keep(rows)
        for layer in self.cache.layers:
            layer.reorder_cache(rows)

    def _note_stops(self, token: Tensor, step: int) -> None:
        for row, ended in zip(self.live, torch.isin(token, self.end_ids).tolist(), strict=True):
            if ended and not self.stopped[row]:
                self.stopped[row], self.n_said[row] = True, step

    def _retire(self, ids: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Drops finished rows, but for as many as keep the batch at `MIN_ROWS`."""
        talking = [index for index, row in enumerate(self.live) if not self.stopped[row]]
        if len(self.live) - len(talking) <= RETIRE_SHARE * len(self.live) or len(self.live) <= MIN_ROWS:
            return ids, positions
        finished = [index for index, row in enumerate(self.live) if self.stopped[row]]
        keep: Any = torch.tensor(sorted(talking + finished[: max(0, MIN_ROWS - len(talking))]), device=self.device)
        self.live = [self.live[index] for index in keep.tolist()]
        self._keep(keep)
        return ids[keep], positions[keep]


def _groups(model: LanguageModel, rows: Sequence[Row]) -> Shared:
    """Samples of one question under one intervention read the same prompt, and other settings of it read the same up to a block."""
    n_layers, prompts = len(decoder_blocks(model.network)), [row.prompt_ids for row in rows]
    if can_share(model.network) and not any(row.changes.adapter for row in rows):
        return Shared(prompts, [row.changes.steers for row in rows], n_layers, MIN_ROWS)
    apart = [(prompt, id(row.changes)) for prompt, row in zip(prompts, rows, strict=True)]
    return Shared(apart, [() for _ in rows], n_layers, MIN_ROWS)


def rows_at_once(n_positions: int) -> int:
    """Rows of a batch, of texts of that length. It knows no machine: widths of batches follow from the plan."""
    return max(MIN_ROWS, min(ROWS_PER_BATCH, POSITIONS_PER_BATCH // n_positions))


def _longest(rows: Sequence[Row]) -> int:
    return max((len(row.prompt_ids) for row in rows), default=0)


def _adapter_of(row: Row) -> Adapter | None:
    return None if row.changes.adapter is None else row.changes.adapter.adapter


def _pad_left(prompts: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both [rows × positions]."""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts], device="cpu")
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device="cpu")
    return ids, mask
