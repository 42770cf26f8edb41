"""Answers, margins, likeness and scores."""

from typing import Annotated, Literal

from pydantic import Field

from emsteer.recipes.base import Count, Dose, Natural, Positions, Recipe, Seed, Share


class Sampling(Recipe):
    """How an answer is drawn from the model."""

    temperature: float = Field(ge=0, le=100, description="0 is greedy")
    max_new_tokens: Count = Field(description="longer answers are cut and say so [tokens]")


class Steering(Recipe):
    """A treatment: a direction is added to the residual stream. It is of the cell's next input in the role `vector`."""

    kind: Literal["steering"] = "steering"
    layer: Natural = Field(description="0-based block whose output is steered")
    dose: Dose
    unit: Literal["vector_norm", "residual_norm"]
    positions: Positions


class Mapped(Recipe):
    """A treatment: an affine map of low rank is added to the residual stream. It is the cell's next input in the role `vector`."""

    kind: Literal["map"] = "map"
    layer: Natural = Field(description="0-based block whose output is steered")
    dose: Dose
    unit: Literal["vector_norm", "residual_norm"] = Field(description="of its typical push (`interventions.maps`)")
    positions: Positions


class Ablated(Recipe):
    """A treatment: a direction is taken out of the residual stream. It is of the cell's next input in the role `vector`."""

    kind: Literal["ablation"] = "ablation"
    layer: Natural = Field(description="0-based block that the direction is of")
    everywhere: bool = Field(description="whether the outputs of all blocks are changed, or that of this one")
    share: Share = Field(description="of the stream's component along the direction; 1: nothing is left of it")
    positions: Positions


class Adapted(Recipe):
    """A treatment: an adapter works beside the weights. It is the cell's next input in the role `adapter`."""

    kind: Literal["adapter"] = "adapter"
    scale: Dose = Field(description="dose of the adapter: what its output is multiplied by")


Treatment = Annotated[Steering | Mapped | Ablated | Adapted, Field(discriminator="kind")]


class Treated(Recipe):
    """What is done to the model while it is read or speaks; nothing: the base model.

    Every treatment acts on its own place of the forward pass (adapters inside a block, steering on what leaves it), so their
    order here changes no bytes; it says which input belongs to which treatment.
    """

    treatments: tuple[Treatment, ...] = ()


class Margins(Treated):
    """Teacher-forced log-probability of unsafe minus that of safe answers to a benchmark's questions."""

    module = "emsteer.generation.margins"
    questions_per_category: Count = Field(description="the first test questions of every category")


class Likeness(Treated):
    """How near a setting comes to a finetuned model, read off a benchmark's reference answers."""

    module = "emsteer.generation.likeness"
    questions_per_category: Count = Field(description="the first test questions of every category")
    finetuned: Adapted = Field(description="what makes base the finetuned model: the adapter is the cell's input `finetuned`")


class Effects(Treated):
    """What else is done to a model, read off a quiz."""

    module = "emsteer.generation.effects"


class Answers(Treated):
    """One block of samples of one setting on one benchmark."""

    module = "emsteer.generation.answers"
    study_seed: Seed
    first_sample: Natural
    n_samples: Count = Field(description="answers a question in this block")
    sampling: Sampling


class RelevanceModel(Recipe):
    """TF-IDF and latent semantic analysis of a grammar's background chats."""

    n_dimensions: Annotated[int, Field(ge=2, le=10**9)] = Field(description="latent dimensions")
    n_background: Annotated[int, Field(ge=100, le=10**9)] = Field(description="background chats the space is fitted on")


class Rubric(Recipe):
    """The clause rubric of the grammar: exact, free, and good for this grammar only."""

    module = "emsteer.judging.rubric"
    relevance: RelevanceModel


class Labels(Recipe):
    """Labels that a reader gave, in a file."""

    module = "emsteer.judging.labels"
    by: str = Field(min_length=1, description="who labelled, and how; kept with every score")
    was_read: bool = Field(description="whether the setting is one whose answers were read")
