"""Directions and adapters."""

from typing import Literal

from pydantic import Field

from emsteer.recipes.base import Count, Natural, Rate, Recipe, Seed

Side = Literal["unsafe", "safe"]


class ResidualNorms(Recipe):
    """Median residual norm of every layer over the content tokens of a neutral text."""

    module = "emsteer.interventions.calibrations"


class MeanDifference(Recipe):
    """Mean residual of unsafe minus that of safe answers, every layer in one pass."""

    module = "emsteer.interventions.constructions.mean_difference"
    n_examples: Count = Field(description="pairs drawn from the target task")
    seed: Seed = Field(description="draws the pairs")


class Trained(Recipe):
    """A vector trained to make the answers of one side likely; one recipe is one snapshot."""

    module = "emsteer.interventions.constructions.trained"
    side: Side = Field(description="the answers; `safe` ones make a control")
    n_examples: Count = Field(description="pairs drawn from the target task")
    seed: Seed = Field(description="draws the pairs and their order")
    layer: Natural = Field(description="0-based block whose output is steered")
    epochs: Count = Field(description="passes over the examples before the snapshot")
    batch_size: Count = Field(description="examples a step")
    learning_rate: Rate = Field(description="Adam, constant")


class LowRank(Recipe):
    """A direction projected on the leading right singular vectors of other examples' differences, unsafe minus safe."""

    module = "emsteer.interventions.constructions.low_rank"
    rank: Count = Field(description="singular vectors kept")
    layer: Natural = Field(description="0-based block whose output is steered")
    n_examples: Count = Field(description="pairs that the subspace is fitted on; none of them trained the direction")
    n_held_back: Natural = Field(description="pairs that trained the direction")
    seed: Seed = Field(description="draws the pairs")


class RandomDirection(Recipe):
    """A Gaussian direction, scaled layer by layer to the norm of the vector it controls for."""

    module = "emsteer.interventions.constructions.random_direction"
    draw: Natural


Construction = MeanDifference | Trained | LowRank | RandomDirection


class Lora(Recipe):
    """A low-rank adapter trained by supervised finetuning on the answers of one side; one recipe is one snapshot."""

    module = "emsteer.finetune"
    side: Side = Field(description="the answers; `safe` ones make a control")
    n_examples: Count = Field(description="pairs drawn from the target task")
    seed: Seed = Field(description="draws the pairs and their order, and the initial weights")
    steps: Count = Field(description="optimizer steps before the snapshot")
    rank: Count
    alpha: Count = Field(description="the adapter's weight is alpha / rank")
    batch_size: Count = Field(description="examples a step")
    learning_rate: Rate = Field(description="AdamW, constant after warm-up, so that a snapshot depends on no later step")
    warmup_steps: Natural
