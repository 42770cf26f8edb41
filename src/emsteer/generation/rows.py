"""Rows in, completions out: the protocol that every engine speaks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from emsteer.interventions.adapters import Dosed
from emsteer.interventions.hooks import Push
from emsteer.recipes import Sampling


@dataclass(frozen=True)
class Row:
    """One answer to be drawn.

    Attributes:
        prompt_ids: The whole prompt, special tokens included.
        seed: Of this row's noise, see `sampling.row_seed`.
        push: What is added to the residual stream, or None.
        adapter: The adapter and its scale, or None.
    """

    prompt_ids: tuple[int, ...]
    seed: str
    push: Push | None = None
    adapter: Dosed | None = None


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
