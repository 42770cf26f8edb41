"""Vectors and adapters: hyper-parameters by name; what varies is the business of sweeps.

The section of a construction follows from its recipe (`recipes.CONSTRUCTIONS`): every field that is no axis.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import AfterValidator, Field, ValidationInfo, create_model

from emsteer.recipes import CONSTRUCTIONS, Construction, Count, Natural, Rate, Side
from emsteer.study.shape import Distinct, Section, known, rest_of_the_file

REFERENCES = {"construction", "of", "like_base_on", "elicitation"}  # names, and no hyper-parameters


class AnyVectors(Section):
    """What the sections of all constructions share."""

    construction: str

    @property
    def recipe(self) -> type[Construction]:
        """The recipe that these are the hyper-parameters of."""
        return CONSTRUCTIONS[self.construction]

    @property
    def made_of(self) -> str | None:
        """Name of the vectors that these are made of; None: of none."""
        return getattr(self, "of", None)

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the tasks on which the model is held to what it was."""
        return getattr(self, "like_base_on", ())

    @property
    def elicited(self) -> str | None:
        """Name of the elicitation whose answers these are made of; None: of none."""
        return getattr(self, "elicitation", None)

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        """What goes into the recipe as it stands: no names of other entries."""
        return self.model_dump(exclude=REFERENCES)


def axes_of(name: str, constructions: Mapping[str, object], of: Mapping[str, object]) -> frozenset[str]:
    """What sweeps vary of vectors: the axes of their construction, and of the vectors that they are made of.

    Args:
        name: Of the vectors.
        constructions: Name of vectors → their construction; unknown ones have no axes.
        of: Name of vectors → the ones that they are made of.
    """
    recipe = CONSTRUCTIONS.get(str(constructions.get(name)))
    own: frozenset[str] = frozenset(recipe.axes() if recipe else ())
    other = of.get(name)
    return own | axes_of(other, constructions, {}) if recipe and recipe.is_made_of_other and isinstance(other, str) else own


def _is_no_derivate(of: str, info: ValidationInfo) -> str:
    made = CONSTRUCTIONS.get(str(rest_of_the_file(info, "vectors").get(of)))
    if made and made.is_made_of_other:
        raise ValueError("expected vectors that are not made of others")
    if made and made.is_map:
        raise ValueError("expected vectors of one direction: a map has none")
    if rest_of_the_file(info, "sides").get(of) == "safe":
        raise ValueError("expected vectors of unsafe answers: the subspace is of unsafe minus safe")
    return of


Tasks = Annotated[tuple[Annotated[str, known("tasks")], ...], Distinct]
Elicitation = Annotated[str, known("elicitations")]
Of = Annotated[str, known("vectors"), AfterValidator(_is_no_derivate)]


def section_of(name: str, recipe: type[Construction]) -> type[AnyVectors]:
    """Of one construction: its fields but for axes, and what follows from the vectors that it is made of."""
    left_out = {*recipe.axes(), *recipe.of_other()}
    fields: dict[str, Any] = {"construction": (Literal[name], ...)}
    if recipe.is_made_of_other:
        fields["of"] = (Of, Field(description="the vectors that these are made of"))
    if recipe.holds_tasks:
        fields["like_base_on"] = (Tasks, Field(min_length=1, description="tasks on which the model is held to what it was"))
    if recipe.is_elicited:
        fields["elicitation"] = (Elicitation, Field(description="whose answers these are made of"))
    for field, of in recipe.model_fields.items():
        if field not in left_out:
            fields[field] = (of.annotation, of)
    return create_model(f"{recipe.__name__}Vectors", __base__=AnyVectors, __doc__=f"Of `recipes.{recipe.__name__}`.", **fields)


if TYPE_CHECKING:
    Vectors = AnyVectors
else:
    Vectors = Annotated[Union[*(section_of(*entry) for entry in CONSTRUCTIONS.items())], Field(discriminator="construction")]


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
