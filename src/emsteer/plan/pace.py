"""How fast a device takes a token through a model: from its data sheet, from one figure of the study file, or as it was timed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, Field, ValidationError

from emsteer.errors import ConfigError, DataError, listing
from emsteer.mistakes import mistakes
from emsteer.plan import costs
from emsteer.recipes import Count, ModelShape
from emsteer.study import Execution

SHEETS = {  # dense bfloat16 [TFLOP/s], memory [GB/s], [GB]: as NVIDIA's data sheets have them
    "A100": (312, 2039, 80),
    "H100": (989, 3350, 80),
    "H200": (989, 4800, 141),
    "L40S": (362, 864, 48),
}
SHARE_OF_FLOPS = 0.4  # of the data sheet's, in large products
SHARE_OF_BANDWIDTH = 0.5  # of the data sheet's, in reading weights
MS_A_BLOCK = 1.5  # of a step of the engine on a card, beside these: two models on an H200 (docs/performance.md)


class Pace(BaseModel, frozen=True, extra="forbid"):
    """Of one model on one device."""

    training: float = Field(gt=0, description="with gradients of the weights [s/token]")
    adapting: float = Field(gt=0, description="with gradients of a LoRA adapter in every block [s/token]")
    through: float = Field(gt=0, description="with gradients through frozen weights [s/token]")
    forward: float = Field(gt=0, description="without gradients [s/token]")
    said: float = Field(gt=0, description="of a token that the engine says, in full batches [s/token]")

    def of(self, operations: int) -> float:
        """Of a pass with so many operations a parameter and token (`costs`). [s/token]"""
        return {costs.TRAINING: self.training, costs.THROUGH: self.through, costs.FORWARD: self.forward}[operations]


class Device(Protocol):
    """What a study is billed for."""

    @property
    def name(self) -> str:
        """As the screen calls it."""
        ...

    @property
    def card_bytes(self) -> float:
        """Memory of a card; 0: there are none, and models run on a core. [bytes]"""
        ...

    def pace(self, shape: ModelShape, bytes_of_number: int) -> Pace:
        """Of a model of this shape."""
        ...


@dataclass(frozen=True)
class Speed:
    """A device by what it sustains.

    Attributes:
        name: As the screen calls it.
        card_bytes: Memory of a card; 0: there are none. [bytes]
        flops: In large products. [operations/s]
        bandwidth: In reading weights. [bytes/s]
        block_s: What a block of the model takes in a step of the engine, beside its weights. [s]
    """

    name: str
    card_bytes: float
    flops: float
    bandwidth: float = float("inf")
    block_s: float = 0.0

    def pace(self, shape: ModelShape, bytes_of_number: int) -> Pace:
        """A pass is bound by operations; a step of the engine by these, or by the weights, which rows share, and the blocks."""
        a_pass = shape.n_parameters / self.flops
        reading = bytes_of_number * shape.n_parameters / self.bandwidth + shape.n_layers * self.block_s
        said = max(costs.FORWARD * a_pass, reading / costs.rows_at_once(2 * costs.TOKENS_PER_TEXT))
        training, through, forward = (n * a_pass for n in (costs.TRAINING, costs.THROUGH, costs.FORWARD))
        return Pace(training=training, adapting=through, through=through, forward=forward, said=said)


class TimedModel(BaseModel, frozen=True, extra="forbid"):
    """The pace of models of one shape and number format."""

    shape: ModelShape
    bytes_of_number: Count
    pace: Pace


class Timed(BaseModel, frozen=True, extra="forbid"):
    """A device as `emsteer pace` timed it, and the form of its file."""

    name: str
    card_bytes: float = Field(ge=0)
    models: tuple[TimedModel, ...]

    @property
    def summary(self) -> str:
        """For people, and for `execution` in the study file."""
        slowest = min(costs.FORWARD * one.shape.n_parameters / one.pace.forward for one in self.models) / 1e9
        return f"{len(self.models)} models timed on {self.name}; the slowest at {slowest:,.0f} GFLOP/s (execution.gflop_per_s)"

    def pace(self, shape: ModelShape, bytes_of_number: int) -> Pace:
        """Raises DataError for a shape that was not timed."""
        for one in self.models:
            if (one.shape, one.bytes_of_number) == (shape, bytes_of_number):
                return one.pace
        raise DataError(
            f"a model of {shape.n_layers} blocks of width {shape.d_model}, {bytes_of_number} bytes a number, was not timed on "
            f"{self.name}.\n  Run `emsteer pace FILE` there, with this study."
        )


def device_of(execution: Execution, on: str | None) -> Device:
    """A card by its name, or a file of `emsteer pace`; None: what the study file says of its machine.

    Raises:
        ConfigError: Neither such a card nor such a file.
    """
    if on is None:
        name = f"{execution.gflop_per_s:,.0f} GFLOP/s (execution.gflop_per_s; reading weights takes no time)"
        return Speed(name, execution.gpu_memory_gb * 1e9, execution.gflop_per_s * 1e9)
    if on in SHEETS:
        tflops, gb_per_s, gb = SHEETS[on]
        name = (
            f"{on} ({tflops} TFLOP/s, {gb_per_s:,} GB/s, {gb} GB), of which {SHARE_OF_FLOPS:.0%} of the operations and "
            f"{SHARE_OF_BANDWIDTH:.0%} of the bandwidth are reached, {MS_A_BLOCK} ms a block in a step of the engine"
        )
        return Speed(name, gb * 1e9, tflops * 1e12 * SHARE_OF_FLOPS, gb_per_s * 1e9 * SHARE_OF_BANDWIDTH, MS_A_BLOCK / 1e3)
    if not Path(on).is_file():
        raise ConfigError(f"--on {on}: expected a card ({', '.join(SHEETS)}), or a file that `emsteer pace FILE` wrote.")
    try:
        return Timed.model_validate_json(Path(on).read_bytes())
    except ValidationError as error:
        raise DataError(f"{on}: no file of `emsteer pace`.\n{listing(mistakes(error, Timed))}\n  Write it anew.") from error
