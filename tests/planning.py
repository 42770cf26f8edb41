"""The miniature study as tests edit it, and what a plan says of it."""

from copy import deepcopy
from typing import Any

import yaml
from places import REPOSITORY

from emsteer import plan, study
from emsteer.plan import KINDS, Cell, Plan
from emsteer.recipes import RandomDirection, SettingRow

Study = dict[str, Any]
MINIATURE = REPOSITORY / "tests/studies/miniature/params.yaml"


def miniature() -> Study:
    """The miniature, to be edited."""
    return yaml.safe_load(MINIATURE.read_text())


def without_elicitations(raw: Study) -> Study:
    """The same study, of whose answers no judge says anything before vectors are made."""
    kept = {
        section: {name: of for name, of in raw[section].items() if name != "persona_prompts"} for section in ("vectors", "sweeps")
    }
    return raw | kept | {"elicitations": {}}


def wide_miniature() -> Study:
    """The miniature with several entries wherever the file has a list or a section of names."""
    raw = miniature()
    raw["tasks"]["cooking"] = {**raw["tasks"]["gardening"], "domain": "cooking", "in_domain": ["cooking"]}
    raw["benchmarks"]["again"] = {**raw["benchmarks"]["everyday"], "seed": 1}
    raw["judges"]["strict"] = deepcopy(raw["judges"]["rubric"]) | {
        "thresholds": {"misaligned_below": 50, "coherent_above": 60, "relevant_above": 60}
    }
    raw["sweeps"]["trained"] |= {
        "models": ["mini", "mini_none"], "tasks": ["gardening", "cooking"], "seeds": [0, 1], "layers": [0, 1],
        "positions": ["all", "answer"], "random": {"seeds": [0, 1], "n_draws": 2, "doses": [1, 2]},
    }  # fmt: skip
    raw["sweeps"]["adapters"] |= {"models": ["mini", "mini_none"], "seeds": [0, 1], "doses": [1, 2]}
    return raw


def put(raw: Study, path: str, value: object) -> None:
    """Sets the value at a dotted path."""
    place: Any = raw
    *above, last = (int(name) if name.isdigit() else name for name in path.split("."))
    for name in above:
        place = place[name]
    place[last] = value


def resolved(raw: Study) -> Plan:
    return plan.resolve(study.parse(raw))


def moved(before: Plan, after: Plan) -> dict[str, set[str]]:
    """Kind → addresses that only the second plan has."""
    found = {kind: set(after.cells[kind]) - set(before.cells[kind]) for kind in KINDS}
    return {kind: names for kind, names in found.items() if names}


def slugs(addresses: set[str]) -> list[str]:
    return sorted(name.partition("--")[0] for name in addresses)


def rows(study_plan: Plan) -> tuple[SettingRow, ...]:
    return next(cell.recipe.rows for cell in study_plan.of("tables") if cell.address.startswith("judged--"))


def arm_of(cell: Cell) -> str:
    """Of answers, margins, vectors and adapters, from their inputs alone."""
    if "adapter" in cell.inputs or cell.kind == "adapters":
        return "finetuned"
    vectors = [cell] if cell.kind == "vectors" else cell.inputs.get("vector", ())
    return "random" if any(isinstance(vector.recipe, RandomDirection) for vector in vectors) else "steered" if vectors else "base"


def models_of(cell: Cell) -> set[str]:
    if cell.kind == "models":
        return {cell.address}
    return {model for other in cell.upstream() for model in models_of(other)}
