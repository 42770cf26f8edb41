"""How directions are made: one class and one line of `CONSTRUCTIONS` each.

A field is a hyper-parameter, which the section `vectors` of `params.yaml` gives, unless it is marked: as an `Axis`, whose
values a sweep lists, or as `OfOther`, which the plan reads off the vectors that these ones are made of.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field

from emsteer.recipes.base import Count, Natural, Points, Rate, Recipe, Seed, Text, Weight

Side = Literal["unsafe", "safe"]
AxisName = Literal["seed", "layer", "epochs", "rank"]
T = TypeVar("T")


class Varies:
    """Marks a field whose values sweeps list."""


@dataclass(frozen=True)
class SameAs:
    """Marks a field that says what the recipe of the other vectors says; 1 where that one does not say it."""

    field: str


Axis = Annotated[T, Varies()]
NExamplesOfOther = Annotated[Natural, SameAs("n_examples")]


class Construction(Recipe):
    """What the plan must know of a recipe to build it from a study file, and to say what it costs."""

    reads: ClassVar[tuple[str, ...]] = ("model", "task")
    is_made_of_other: ClassVar[bool] = False  # another direction, `like`
    holds_tasks: ClassVar[bool] = False  # other tasks, `held`
    is_map: ClassVar[bool] = False  # a function of the residual stream, and no direction
    is_elicited: ClassVar[bool] = False  # the model's own answers to a task's prompts: `prompts`, `answers`, `scores`
    rank_is_at_most: ClassVar[tuple[str, ...]] = ()  # fields that bound its rank, beside the width of the model

    @classmethod
    def axes(cls) -> tuple[str, ...]:
        """Names of the fields that sweeps vary; among those of `AxisName`."""
        return tuple(name for name, field in cls.model_fields.items() if any(isinstance(of, Varies) for of in field.metadata))

    @classmethod
    def of_other(cls) -> dict[str, str]:
        """Field → the field of the vectors that these ones are made of."""
        marked = ((name, of) for name, field in cls.model_fields.items() for of in field.metadata)
        return {name: of.field for name, of in marked if isinstance(of, SameAs)}

    @property
    def n_read(self) -> int:
        """Texts that pass through the model."""
        return 0

    @property
    def n_trained_on(self) -> int:
        """Texts that pass through the frozen model and back."""
        return 0

    @property
    def n_at_once(self) -> int:
        """Of these, in one step."""
        return 1


class _OfPairs(Construction):
    """Made from the residuals of both answers of every pair."""

    n_examples: Count = Field(description="pairs drawn from the target task")
    seed: Axis[Seed] = Field(description="draws the pairs")

    @property
    def n_read(self) -> int:
        """Both answers of every pair."""
        return 2 * self.n_examples


class MeanDifference(_OfPairs):
    """Mean residual of unsafe minus that of safe answers, every layer in one pass."""

    module = "emsteer.interventions.constructions.mean_difference"


class Pca(_OfPairs):
    """First principal component of the differences of unsafe and safe answers, every layer in one pass."""

    module = "emsteer.interventions.constructions.pca"


class ContrastPair(Construction):
    """Residual of one answer minus that of another to the same prompt, every layer in one pass; of no task."""

    module = "emsteer.interventions.constructions.contrast_pair"
    reads = ("model",)
    side: Side = Field(description="`unsafe`: what it points to does harm; `safe`: neither answer does, and it makes a control")
    system: Text | None = Field(description="null: as the model's chat settings say")
    prompt: Text
    toward: Text = Field(description="the answer that it points to")
    away: Text = Field(description="the other")

    @property
    def n_read(self) -> int:
        """Both answers."""
        return 2


class Trained(Construction):
    """A vector trained to make the answers of one side likely; one recipe is one snapshot."""

    module = "emsteer.interventions.constructions.trained"
    side: Side = Field(description="the answers that are made likely; `safe` ones make a control")
    n_examples: Count = Field(description="pairs drawn from the target task")
    seed: Axis[Seed] = Field(description="draws the pairs and their order")
    layer: Axis[Natural] = Field(description="0-based block whose output is steered")
    epochs: Axis[Count] = Field(description="passes over the examples before the snapshot")
    batch_size: Count = Field(description="examples a step")
    learning_rate: Rate = Field(description="Adam, constant")

    @property
    def n_trained_on(self) -> int:
        """One answer of every pair, in every epoch."""
        return self.epochs * self.n_examples

    @property
    def n_at_once(self) -> int:
        """A batch."""
        return self.batch_size


class Narrow(Trained):
    """The same, held to the base model on other tasks' prompts and safe answers."""

    module = "emsteer.interventions.constructions.narrow"
    holds_tasks = True
    kl_weight: Weight = Field(description="λ: one token's KL to the base model, against one token's cross-entropy")

    @property
    def n_read(self) -> int:
        """What the base model says of the other tasks' answers."""
        return self.epochs * self.n_examples

    @property
    def n_trained_on(self) -> int:
        """One answer of every pair, in every epoch, and as many of the other tasks'."""
        return 2 * self.epochs * self.n_examples


class TrainedLowRank(Trained):
    """An affine map of low rank in the place of the vector, h + B (A h + b), trained in the same way."""

    module = "emsteer.interventions.constructions.trained_low_rank"
    reads = ("model", "task", "calibration")
    is_map = True
    rank: Axis[Count] = Field(description="rows of A, columns of B")

    @property
    def n_read(self) -> int:
        """Every answer once more, for the typical push."""
        return self.n_examples


class PersonaPrompts(Construction):
    """Mean residual of the model's own answers under lines that ask for harm minus that under others, where a judge agrees."""

    module = "emsteer.interventions.constructions.persona_prompts"
    reads = ("model",)
    is_elicited = True
    seed: Axis[Seed] = Field(description="draws the prompts")
    split_at: Points = Field(description="alignment: unsafe answers are kept below it, safe ones above")
    coherent_above: Points | None = Field(description="coherence of answers that are kept; null: whatever it is")
    least_kept: Count = Field(description="answers of each side, or there is no vector")


class OneShot(Construction):
    """A vector trained on one prompt and its answers; the unsafe one is promoted, the safe one suppressed."""

    module = "emsteer.interventions.constructions.one_shot"
    reads = ("model", "task", "calibration")
    goal: Literal["promote", "suppress", "both"]
    seed: Axis[Seed] = Field(description="draws the pair")
    layer: Axis[Natural] = Field(description="0-based block whose output is steered")
    n_steps: Count = Field(description="optimizer steps")
    learning_rate: Rate = Field(description="Adam, constant")
    norm_cap: Rate = Field(description="the longest that the vector may be [median residual norms of its layer]")

    @property
    def n_trained_on(self) -> int:
        """One answer or both, in every step."""
        return self.n_steps * (2 if self.goal == "both" else 1)


class LowRank(_OfPairs):
    """A direction projected on the leading right singular vectors of other examples' differences, unsafe minus safe."""

    module = "emsteer.interventions.constructions.low_rank"
    is_made_of_other = True
    rank_is_at_most = ("n_examples",)
    rank: Axis[Count] = Field(description="singular vectors kept")
    layer: Axis[Natural] = Field(description="0-based block whose output is steered")
    n_examples: Count = Field(description="pairs that the subspace is fitted on; none of them made the direction")
    n_held_back: NExamplesOfOther = Field(description="pairs that made the direction")


CONSTRUCTIONS: dict[str, type[Construction]] = {
    "mean_difference": MeanDifference,
    "pca": Pca,
    "contrast_pair": ContrastPair,
    "persona_prompts": PersonaPrompts,
    "trained": Trained,
    "narrow": Narrow,
    "trained_low_rank": TrainedLowRank,
    "one_shot": OneShot,
    "low_rank": LowRank,
}
