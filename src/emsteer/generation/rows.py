"""Rows in, completions out: the protocol that every engine speaks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from emsteer.interventions.adapters import Dosed
from emsteer.interventions.hooks import RowSteering, Steer
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel
from emsteer.recipes import Sampling


@dataclass(frozen=True)
class Changes:
    """What is done to the model for a row.

    Attributes:
        steers: What is added to the residual stream, or taken out of it.
        adapter: The adapter and its scale, or None.
    """

    steers: tuple[Steer, ...] = ()
    adapter: Dosed | None = None


UNCHANGED = Changes()


def steering_of(model: LanguageModel, changes: Sequence[Changes]) -> RowSteering:
    """What is done to the residual streams of a batch, in the model's dtype and where the model is."""
    network = model.network
    return RowSteering([one.steers for one in changes], model.d_model, len(decoder_blocks(network)), network.dtype, model.device)


@dataclass(frozen=True)
class Row:
    """One answer to be drawn.

    Attributes:
        prompt_ids: The whole prompt, special tokens included.
        seed: Of this row's noise, see `sampling.row_seed`.
        changes: What is done to the model for this row.
    """

    prompt_ids: tuple[int, ...]
    seed: str
    changes: Changes = UNCHANGED


@dataclass(frozen=True)
class Completion:
    """One answer drawn.

    Attributes:
        token_ids: Without the end-of-turn token.
        finish_reason: `stop`: the model ended its turn; `length`: it was cut.
    """

    token_ids: tuple[int, ...]
    finish_reason: Literal["stop", "length"]


class Engine(Protocol):
    """Anything that turns rows into completions. A completion depends on its own row only."""

    def generate(self, rows: Sequence[Row], sampling: Sampling) -> Iterator[tuple[int, Completion]]:
        """Yields (index of the row, completion) in any order."""
        ...
