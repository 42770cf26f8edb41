"""Vectors and adapters: hyper-parameters by name; what varies is the business of sweeps."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from emsteer.recipes import Count, Natural, Rate
from emsteer.study.shape import Section, known, rest_of_the_file


class MeanDifferenceVectors(Section):
    """Hyper-parameters of `recipes.MeanDifference`."""

    construction: Literal["mean_difference"]
    n_examples: Count


class TrainedVectors(Section):
    """Hyper-parameters of `recipes.Trained`."""

    construction: Literal["trained"]
    n_examples: Count
    batch_size: Count
    learning_rate: Rate


class LowRankVectors(Section):
    """Hyper-parameters of `recipes.LowRank`."""

    construction: Literal["low_rank"]
    of: Annotated[str, known("vectors")] = Field(description="the trained vectors that are projected")
    n_examples: Count

    @field_validator("of")
    @classmethod
    def _is_trained(cls, of: str, info: ValidationInfo) -> str:
        if rest_of_the_file(info, "vectors").get(of) in ("mean_difference", "low_rank"):
            raise ValueError("expected vectors whose construction is trained")
        return of


Vectors = Annotated[MeanDifferenceVectors | TrainedVectors | LowRankVectors, Field(discriminator="construction")]


class LoraAdapters(Section):
    """Hyper-parameters of `recipes.Lora`."""

    method: Literal["lora"]
    n_examples: Count
    rank: Count
    alpha: Count
    batch_size: Count
    learning_rate: Rate
    warmup_steps: Natural
