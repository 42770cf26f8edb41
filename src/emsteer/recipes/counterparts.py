"""Directions that are made of a study's vectors, and that no section of `params.yaml` names.

A counterpart takes the place of a vector at its very setting, as long as it is: an arm of its own, and what else could explain
what the vector does.
"""

from typing import Annotated

from pydantic import Field

from emsteer.recipes.base import Count, Natural, Rate, Recipe, Seed
from emsteer.recipes.constructions import Construction
from emsteer.recipes.settings import ArmName

COUNTERPARTS: tuple[ArmName, ...] = ("random", "negated", "shuffled", "subspace")
OF_CONSTRUCTION = {"shuffled": "mean_difference", "subspace": "low_rank"}  # that it is a counterpart of; others: of any
LEAST_KL, LARGEST_KL = 1e-4, 100.0  # that a push may be asked to cost [nats per token]


class RandomDirection(Construction):
    """A Gaussian direction, scaled layer by layer to the norm of the vector that it stands for."""

    module = "emsteer.interventions.constructions.random_direction"
    reads = ()
    is_made_of_other = True
    draw: Natural


class Negated(Construction):
    """The other way."""

    module = "emsteer.interventions.constructions.negated"
    reads = ()
    is_made_of_other = True


class Shuffled(Construction):
    """The mean difference of the same pairs with sides at random, scaled to the norm of the vector that it stands for."""

    module = "emsteer.interventions.constructions.shuffled"
    is_made_of_other = True
    n_examples: Count = Field(description="pairs of the vector")
    seed: Seed = Field(description="draws the pairs")
    draw: Natural = Field(description="draws which answer of each pair is called unsafe")

    @property
    def n_read(self) -> int:
        """Both answers of every pair."""
        return 2 * self.n_examples


class RandomSubspace(Construction):
    """A direction projected on a random subspace, scaled to the norm of the low-rank vector that it stands for."""

    module = "emsteer.interventions.constructions.random_subspace"
    reads = ()
    is_made_of_other = True
    layer: Natural = Field(description="0-based block whose output is steered")
    rank: Count = Field(description="its dimensions")
    draw: Natural


class DosesInKl(Recipe):
    """How a dose in KL is met."""

    max_new_tokens: Count = Field(description="of base's answers to the passages of the neutral text")
    tolerance: Annotated[float, Field(gt=0, lt=1)] = Field(description="of the KL that is reached [share of what was asked]")
    at_most: Rate = Field(description="the longest push [median residual norms of its layer]")


class EqualKl(DosesInKl, Construction):
    """A direction scaled until it costs a given KL(base ‖ steered) per token of what base answers; what doses in `kl` are."""

    module = "emsteer.interventions.constructions.equal_kl"
    reads = ("model", "calibration", "neutral_text")
    is_made_of_other = True
    layer: Natural = Field(description="0-based block whose output is steered")
    kl: Annotated[float, Field(ge=LEAST_KL, le=LARGEST_KL)] = Field(description="[nats per token]")

    @property
    def n_read(self) -> int:
        """The neutral text, as often as the search for the scale may take."""
        return 2000
