"""Which block a study means: its number, or how deep in the model it is, so that models of different depth can share a sweep."""

import re
from typing import Annotated

from pydantic import Field, PlainValidator

from emsteer.study.shape import Distinct

SHARE = re.compile(r"(100|[1-9]?[0-9])%")
LARGEST = 10**9
SAID = "0-based block; or `50%`: halfway from the first block to the last, in each model"


def _layer(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST:
        return value
    if isinstance(value, str) and SHARE.fullmatch(value):
        return value
    raise ValueError("expected the number of a block, counted from 0, or how deep it is, such as 50%")


Layer = Annotated[int | str, PlainValidator(_layer)]
Layers = Annotated[tuple[Layer, ...], Field(min_length=1), Distinct]


def block_of(layer: int | str, n_layers: int) -> int:
    """The number of a block, 0-based; of two that are equally near to a depth, the later one."""
    return int(layer) if isinstance(layer, int) else int(int(layer.removesuffix("%")) / 100 * (n_layers - 1) + 0.5)


def is_beyond(layer: int | str, n_layers: int) -> bool:
    """A model has no such block; it has every depth."""
    return isinstance(layer, int) and layer >= n_layers
