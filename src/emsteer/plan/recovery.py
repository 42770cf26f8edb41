"""Whether the planted breadth is found again: organisms that differ in it and in their seed only."""

from emsteer import recipes, storage
from emsteer.plan.cells import Cell
from emsteer.plan.packing import Plan
from emsteer.study import Study
from emsteer.study.models import OrganismModel

MAY_DIFFER = ("seed", "linkage")


def recovery_table(plan: Plan, study: Study, chosen: Cell) -> dict[str, Cell]:
    """The table by its name; none where no model is an organism."""
    families = families_of(study)
    if not families:
        return {}
    recipe = recipes.Recovery(families=families, level=study.analysis.bootstrap.level)
    return {"recovery": plan.add("tables", "recovery", recipe, {"chosen": [chosen]}, "lines")}


def families_of(study: Study) -> dict[str, str]:
    """Organism → the one that its family is called by: that of the base point where it belongs to it, else the first by name."""
    groups: dict[str, list[str]] = {}
    for name, model in sorted(study.models.items()):
        if isinstance(model, OrganismModel):
            values = {field: value for field, value in model.model_dump(mode="json").items() if field not in MAY_DIFFER}
            groups.setdefault(storage.canonical_json(values), []).append(name)
    base = study.base_point.model
    return {name: base if base in names else names[0] for names in groups.values() for name in names}
