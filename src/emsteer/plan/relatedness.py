"""Relatedness in the plan: where embedders place the prompts of tasks and benchmarks, and what tables make of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from emsteer import recipes
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.embedders import embedder
from emsteer.plan.packing import Plan
from emsteer.study import Study
from emsteer.study.inputs import HarmlessTask


def relatedness_tables(plan: Plan, study: Study, tasks: Mapping[str, Cell], benchmarks: Mapping[str, Cell]) -> dict[str, Cell]:
    """Tables of distances and of relatedness; none where the study does not ask for them."""
    said = study.relatedness
    if said is None:
        return {}
    tasks = {name: cell for name, cell in tasks.items() if not isinstance(study.tasks[name], HarmlessTask)}  # they ask the same
    embedders = {name: embedder(plan, name, study) for name in sorted(said.embedders)}
    spaces: dict[str, Any] = {
        "tasks": {name: _placed(plan, name, cell, tasks) for name, cell in embedders.items()},
        "benchmarks": {name: _placed(plan, name, cell, benchmarks) for name, cell in embedders.items()},
        "in_domain": {name: study.in_domain[name] for name in tasks},
        "overlaps_above": said.overlaps_above,
    }
    inputs: dict[str, Sequence[Cell | Raw]] = {
        "tasks": list(tasks.values()),
        "questions": list(benchmarks.values()),
        "embeddings": plan.of("embeddings"),
    }
    made = {
        "distances": recipes.Distances(**spaces),
        "relatedness": recipes.Relatedness(**spaces, n_permutations=said.n_permutations, seed=said.seed),
    }
    return {name: plan.add("tables", name, recipe, inputs, "relatedness") for name, recipe in made.items()}


def _placed(plan: Plan, name: str, model: Cell, texts: Mapping[str, Cell]) -> dict[str, recipes.Placed]:
    """Every text in the space of one embedder."""
    found = {}
    for of, cell in texts.items():
        placed = plan.add("embeddings", f"{of}.{name}", recipes.Embeddings(), {"model": [model], "texts": [cell]}, name)
        found[of] = recipes.Placed(texts=cell.address, embeddings=placed.address)
    return found
