"""The vectors that counterparts are, made of the vectors that they stand for."""

from collections.abc import Mapping, Sequence

from emsteer import recipes
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.packing import Plan
from emsteer.recipes import ArmName, Direction

Inputs = dict[str, Sequence[Cell | Raw]]


def counterpart(plan: Plan, arm: ArmName, vector: Cell, direction: Direction, there: Mapping[str, Cell]) -> Cell:
    """The cell of a counterpart.

    Args:
        plan: To which it is added.
        arm: One of `recipes.COUNTERPARTS`.
        vector: That it stands for.
        direction: With its draw.
        there: Model and task of the vector.
    """
    draw = direction.draw
    inputs: Inputs = {"like": [vector]}
    recipe: recipes.Construction
    if draw is None:
        recipe = recipes.Negated()
    elif arm == "shuffled":
        recipe = recipes.Shuffled(n_examples=vector.recipe.model_dump()["n_examples"], seed=direction.seed, draw=draw)
        inputs |= {"model": [there["model"]], "task": [there["task"]]}
    elif arm == "subspace" and direction.rank is not None:
        recipe = recipes.RandomSubspace(layer=direction.layer, rank=direction.rank, draw=draw)
        inputs["whole"] = vector.inputs["like"]
    else:
        recipe = recipes.RandomDirection(draw=draw)
    slug = f"{vector.address.partition('--')[0]}.{named(arm, direction)}"
    model = there["model"].address.partition("--")[0]
    return plan.add("vectors", slug, recipe, inputs, f"{model}.{arm}" if "model" in inputs else pack_of_counterparts(model))


def pack_of_counterparts(model: str) -> str:
    """The pack of those that are made of vectors alone, without a model: together, for each of them is little work."""
    return f"{model}.counterparts"


def named(arm: ArmName, direction: Direction) -> str:
    """As slugs name it: `random3`, `negated`."""
    return f"{arm}{'' if direction.draw is None else direction.draw}"
