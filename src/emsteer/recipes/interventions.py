"""Calibrations and adapters."""

from pydantic import Field

from emsteer.recipes.base import Count, Natural, Rate, Recipe, Seed
from emsteer.recipes.constructions import Side


class ResidualNorms(Recipe):
    """Median residual norm of every layer over the content tokens of a neutral text."""

    module = "emsteer.interventions.calibrations"


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
