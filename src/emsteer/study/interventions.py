"""Vectors and adapters: hyper-parameters by name; what varies is the business of sweeps."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from emsteer.recipes import Count, Natural, Rate, Side
from emsteer.study.shape import Section, known, rest_of_the_file


class MeanDifferenceVectors(Section):
    """Hyper-parameters of `recipes.MeanDifference`."""

    construction: Literal["mean_difference"]
    n_examples: Count


class TrainedVectors(Section):
    """Hyper-parameters of `recipes.Trained`."""

    construction: Literal["trained"]
    side: Side = Field(description="the answers that are made likely; `safe` ones make a control")
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
        if rest_of_the_file(info, "sides").get(of) == "safe":
            raise ValueError("expected vectors trained on unsafe answers: the subspace is of unsafe minus safe")
        return of


Vectors = Annotated[MeanDifferenceVectors | TrainedVectors | LowRankVectors, Field(discriminator="construction")]


class LoraAdapters(Section):
    """Hyper-parameters of `recipes.Lora`."""

    method: Literal["lora"]
    side: Side = Field(description="the answers that it is trained on; `safe` ones make a control")
    n_examples: Count
    rank: Count
    alpha: Count
    batch_size: Count
    learning_rate: Rate
    warmup_steps: Natural
