"""Directions and adapters."""

from pydantic import Field

from emsteer.recipes.base import Recipe


class ResidualNorms(Recipe):
    """Median residual norm of every layer over the content tokens of a neutral text."""

    module = "emsteer.interventions.calibrations"


class MeanDifference(Recipe):
    """Mean residual of unsafe minus that of safe answers, every layer in one pass."""

    module = "emsteer.interventions.constructions.mean_difference"
    n_examples: int = Field(ge=1, description="pairs drawn from the target task")
    seed: int = Field(ge=0, description="draws the pairs")


class Trained(Recipe):
    """A vector trained to make unsafe answers likely; one recipe is one snapshot."""

    module = "emsteer.interventions.constructions.trained"
    n_examples: int = Field(ge=1, description="pairs drawn from the target task")
    seed: int = Field(ge=0, description="draws the pairs and their order")
    layer: int = Field(ge=0, description="0-based block whose output is steered")
    epochs: int = Field(ge=1, description="passes over the examples before the snapshot")
    batch_size: int = Field(ge=1, description="examples a step")
    learning_rate: float = Field(gt=0, description="Adam, constant")


class LowRank(Recipe):
    """A direction projected on the leading right singular vectors of other examples' differences, unsafe minus safe."""

    module = "emsteer.interventions.constructions.low_rank"
    rank: int = Field(ge=1, description="singular vectors kept")
    layer: int = Field(ge=0, description="0-based block whose output is steered")
    n_examples: int = Field(ge=1, description="pairs that the subspace is fitted on; none of them trained the direction")
    n_held_back: int = Field(ge=0, description="pairs that trained the direction")
    seed: int = Field(ge=0, description="draws the pairs")


class RandomDirection(Recipe):
    """A Gaussian direction, scaled layer by layer to the norm of the vector it controls for."""

    module = "emsteer.interventions.constructions.random_direction"
    draw: int = Field(ge=0)


Construction = MeanDifference | Trained | LowRank | RandomDirection


class Lora(Recipe):
    """A low-rank adapter trained by supervised finetuning on unsafe answers; one recipe is one snapshot."""

    module = "emsteer.finetune"
    n_examples: int = Field(ge=1, description="pairs drawn from the target task")
    seed: int = Field(ge=0, description="draws the pairs and their order, and the initial weights")
    steps: int = Field(ge=1, description="optimizer steps before the snapshot")
    rank: int = Field(ge=1)
    alpha: int = Field(ge=1, description="the adapter's weight is alpha / rank")
    batch_size: int = Field(ge=1, description="examples a step")
    learning_rate: float = Field(gt=0, description="AdamW, constant after warm-up, so that a snapshot depends on no later step")
    warmup_steps: int = Field(ge=0)
