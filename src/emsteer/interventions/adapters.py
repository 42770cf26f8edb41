"""LoRA adapters in a mixed batch: every row carries its own adapter and scale, or none.

An adapter adds scale × (alpha / rank) × B(A x) to the output of each linear layer that it was trained on (Hu et al., arXiv
2106.09685). It is added beside the frozen weights, never merged into them: other rows stay what they were, and scale 0 is
the base model.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from emsteer.errors import ModelError
from emsteer.interventions.hooks import Change, hooked

MIN_SPAN = 16  # rows: of fewer, products end in other bits
PREFIX = "base_model.model."  # of peft's names of a model's layers


@dataclass(frozen=True, eq=False)
class Adapter:
    """A LoRA adapter.

    Attributes:
        down: Name of a linear layer → A. [rank × d_in]
        up: Name of a linear layer → (alpha / rank) B. [d_out × rank]
    """

    down: dict[str, Tensor]
    up: dict[str, Tensor]

    @functools.lru_cache(maxsize=64)  # noqa: B019 (adapters live as long: `read_adapter` keeps as many)
    def on(self, device: torch.device, dtype: torch.dtype) -> "Adapter":
        """The same, where the model is and in its dtype."""
        down, up = ({name: of.to(device, dtype) for name, of in side.items()} for side in (self.down, self.up))
        return Adapter(down, up)


@dataclass(frozen=True)
class Dosed:
    """An adapter and what its output is multiplied by."""

    adapter: Adapter
    scale: float


@functools.lru_cache(maxsize=64)
def read_adapter(folder: Path) -> Adapter:
    """Reads a folder that peft's `save_pretrained` made; one object a folder, so that rows of one adapter are known as such.

    Raises:
        ModelError: It holds no adapter, or another kind than plain LoRA.
    """
    from peft import LoraConfig, PeftConfig  # seconds of import that most packs do without
    from peft.utils import load_peft_weights

    try:
        config, weights = PeftConfig.from_pretrained(str(folder)), load_peft_weights(str(folder), device="cpu")
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: cannot be read as a peft adapter.\n  {error}") from error
    plain = isinstance(config, LoraConfig) and not (config.use_dora or config.rank_pattern or config.alpha_pattern)
    names = [name.removeprefix(PREFIX).removesuffix(".lora_A.weight") for name in weights if name.endswith(".lora_A.weight")]
    if not plain or len(weights) != 2 * len(names):
        raise ModelError(
            f"{folder}: expected a plain LoRA adapter (one A and one B for each layer), got {config.peft_type}.\n"
            "  Merge it into its model, or train it as LoRA."
        )
    scaling = config.lora_alpha / (config.r**0.5 if config.use_rslora else config.r)
    down = {name: weights[f"{PREFIX}{name}.lora_A.weight"] for name in names}
    return Adapter(down, {name: scaling * weights[f"{PREFIX}{name}.lora_B.weight"] for name in names})


def relative_norm(network: PreTrainedModel, adapter: Adapter) -> float:
    """‖ΔW‖ / ‖W‖ over the layers that the adapter changes, Frobenius norms. The adapter at scale 1 is that large a change."""
    changed = frozen = 0.0
    for name in adapter.down:
        changed += float((adapter.up[name].double() @ adapter.down[name].double()).square().sum())
        frozen += float(network.get_parameter(f"{name}.weight").double().square().sum())
    return float((changed / frozen) ** 0.5)


class RowAdapters:
    """The adapters of a batch, one or none per row. Rows of one adapter may differ in scale, and cost least side by side."""

    def __init__(self, dosed: Sequence[Dosed | None], device: torch.device, dtype: torch.dtype) -> None:
        scales: dict[Adapter, Tensor] = {}
        for row, one in enumerate(dosed):
            if one is not None:
                scale = torch.zeros(len(dosed), 1, 1, dtype=dtype, device=device)
                scales.setdefault(one.adapter.on(device, dtype), scale)[row] = one.scale
        self._set(scales)

    def keep(self, rows: Tensor) -> None:
        """Drops the rows that are not in `rows`."""
        self._set({adapter: scale[rows] for adapter, scale in self.scales.items()})

    def of(self, rows: Tensor) -> "RowAdapters":
        """Those of some rows, in this order."""
        found = copy(self)
        found.keep(rows)
        return found

    def _set(self, scales: dict[Adapter, Tensor]) -> None:
        self.scales = {adapter: scale for adapter, scale in scales.items() if scale.any()}
        self.spans = {adapter: _span(scale) for adapter, scale in self.scales.items()}

    def apply(self, name: str, entering: Tensor, leaving: Tensor) -> Tensor:
        """A linear layer's output [rows × positions × d_out] with the adapters added, in place."""
        for adapter, scale in self.scales.items():
            if name in adapter.down:
                of = self.spans[adapter]
                low = (entering[of] @ adapter.down[name].T.to(entering)) * scale[of].to(entering)
                leaving[of] += low @ adapter.up[name].T.to(low)
        return leaving


def _span(scale: Tensor) -> slice:
    """From the first to the last row that is scaled [rows × 1 × 1], and at least `MIN_SPAN` rows where there are as many."""
    touched = scale.flatten().nonzero().flatten()
    first, end = int(touched[0]), int(touched[-1]) + 1
    start = max(0, min(first, len(scale) - MIN_SPAN))
    return slice(start, min(len(scale), max(end, start + MIN_SPAN)))


@contextmanager
def adapted(network: PreTrainedModel, adapters: RowAdapters) -> Iterator[None]:
    """Runs the model under a batch's adapters.

    Raises:
        ModelError: An adapter was trained on layers that the model does not have.
    """
    names = {name for adapter in adapters.scales for name in adapter.down}
    layers = dict(network.named_modules())
    unknown = sorted(names - set(layers))
    if unknown:
        raise ModelError(
            f"the adapter changes layers that the model does not have: {unknown[0]} and others.\n  Train it on this model."
        )

    def at(name: str) -> Change:
        return lambda entering, leaving: adapters.apply(name, entering, leaving)

    with hooked([(layers[name], at(name)) for name in sorted(names)]):
        yield
