"""Embedders in the plan."""

from emsteer import recipes
from emsteer.plan.cells import Cell
from emsteer.plan.packing import Plan
from emsteer.study import Study, pins
from emsteer.study.models import LatentEmbedder


def embedder(plan: Plan, name: str, study: Study) -> Cell:
    """The cell of an embedder of the study."""
    said = study.embedders[name]
    if isinstance(said, LatentEmbedder):
        space = recipes.LatentSpace(**said.model_dump(exclude={"kind", "grammar"}))
        return plan.add("models", name, space, {"grammar": [plan.raw(said.grammar)]}, f"embedder-{name}")
    recipe = recipes.PinnedEmbedder(pin=pins.read(said.pin), pooling=said.pooling, max_tokens=said.max_tokens)
    return plan.add("models", name, recipe, {}, f"embedder-{name}", place=said.place)
