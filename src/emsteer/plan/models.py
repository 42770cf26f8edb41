"""Models in the plan: organisms that are pretrained, and models that are there."""

from emsteer import recipes
from emsteer.plan.cells import Cell
from emsteer.plan.packing import Plan
from emsteer.study import Study, pins
from emsteer.study.models import OrganismModel


def model_cell(plan: Plan, name: str, study: Study) -> Cell:
    """A model of the study; planned once, however many ask for it."""
    model = study.models[name]
    if not isinstance(model, OrganismModel):
        existing = recipes.PinnedModel(pin=pins.read(model.pin), dtype=model.dtype, chat=model.chat)
        return plan.add("models", name, existing, {}, name, place=model.place)
    recipe = recipes.Organism(**model.model_dump(exclude={"kind", "grammar"}))
    return plan.add("models", name, recipe, {"grammar": [plan.raw(model.grammar)]}, name)
