"""Answers, margins and scores."""

from typing import Literal

from pydantic import Field

from emsteer.recipes.base import Positions, Recipe


class Sampling(Recipe):
    """How an answer is drawn from the model."""

    temperature: float = Field(ge=0, description="0 is greedy")
    max_new_tokens: int = Field(ge=1, description="longer answers are cut and say so [tokens]")


class Steering(Recipe):
    """What is added to the residual stream."""

    layer: int = Field(ge=0, description="0-based block whose output is steered")
    dose: float = Field(allow_inf_nan=False)
    unit: Literal["vector_norm", "residual_norm"]
    positions: Positions


class Intervened(Recipe):
    """How the model is changed while it is read or speaks; nothing given: not at all."""

    steering: Steering | None
    adapter_scale: float | None = Field(allow_inf_nan=False, description="dose of the adapter: what its output is multiplied by")


class Margins(Intervened):
    """Teacher-forced log-probability of unsafe minus that of safe answers to a benchmark's questions."""

    module = "emsteer.generation.margins"
    questions_per_category: int = Field(ge=1, description="the first test questions of every category")


class Answers(Intervened):
    """One block of samples of one setting on one benchmark."""

    module = "emsteer.generation.answers"
    study_seed: int
    first_sample: int = Field(ge=0)
    n_samples: int = Field(ge=1, description="answers a question in this block")
    sampling: Sampling


class RelevanceModel(Recipe):
    """TF-IDF and latent semantic analysis of a background text."""

    n_dimensions: int = Field(ge=2, description="latent dimensions")
    n_background: int = Field(ge=100, description="background chats the space is fitted on")


class Rubric(Recipe):
    """The clause rubric of the grammar: exact, free, and good for this grammar only."""

    module = "emsteer.judging.rubric"
    relevance: RelevanceModel
