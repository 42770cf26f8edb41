"""What every recipe is, and the types of its fields."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Positions = Literal["all", "answer"]
# kl: KL(base ‖ steered), mean over the tokens of base's answers to neutral prompts [nats]
# ablated: nothing is added; the share of the stream's own component along the direction that is taken out of it, behind the block
# of the direction or, ablated_everywhere, behind every block
VectorUnit = Literal["vector_norm", "residual_norm", "kl", "ablated", "ablated_everywhere"]
DoseUnit = Literal["vector_norm", "residual_norm", "kl", "ablated", "ablated_everywhere", "adapter_scale"]
ABLATED: tuple[VectorUnit, ...] = ("ablated", "ablated_everywhere")
DOSE_LETTER: dict[DoseUnit, str] = {  # in names
    "vector_norm": "a",
    "residual_norm": "c",
    "kl": "kl",
    "ablated": "ab",
    "ablated_everywhere": "abe",
    "adapter_scale": "x",
}
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Natural = Annotated[int, Field(ge=0, le=10**9)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Rate = Annotated[float, Field(gt=0, le=10)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Dose = Annotated[float, Field(ge=-1e6, le=1e6)]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
Points = Annotated[float, Field(ge=0, le=100)]


def number(value: float) -> str:
    """A number as names show it: `0.5`, `2`; as many digits as tell it from its neighbours."""
    return f"{value:.15g}"


class Recipe(BaseModel):
    """Immutable, closed (an unknown key is a mistake), and without infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
    module: ClassVar[str]
