"""What directions do at equal doses, and how they lie to one another."""

from pydantic import Field

from emsteer.recipes.base import Recipe, Share
from emsteer.recipes.report import Figure
from emsteer.recipes.settings import ArmName, Direction
from emsteer.recipes.tables import BasePoint


class PlacedDirection(Recipe):
    """A direction of the study, and the one that its cosine is taken to (addresses of vectors)."""

    arm: ArmName
    model: str
    task: str
    direction: Direction
    made: str
    reference: str | None = Field(description="counterparts: what they stand for; others: the vector of the base point")


class Directions(Recipe):
    """Every construction, control and counterpart at equal norm and at equal KL."""

    module = "emsteer.analysis.directions"
    level: Share
    base_point: BasePoint
    placed: tuple[PlacedDirection, ...]


class DirectionsFigure(Figure):
    """EM and coherence of constructions, controls and counterparts at equal norm and at equal KL."""

    module = "emsteer.figures.directions"


class DirectionGroup(Recipe):
    """Directions of one model and construction at the base point's layer (addresses of vectors)."""

    model: str
    vector: str
    name: str = Field(description="a target task, for its seeds; `tasks`: every task at the base point's seed")
    made: tuple[str, ...]


class Subspaces(Recipe):
    """How directions of several seeds and of several tasks lie to one another."""

    module = "emsteer.analysis.subspaces"
    layer: int | dict[str, int] = Field(description="0-based block; or of each model")
    groups: tuple[DirectionGroup, ...]
