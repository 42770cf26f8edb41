"""Directions in the plan: the table of what they do at equal doses."""

from collections.abc import Iterable, Iterator

from emsteer import recipes
from emsteer.plan.cells import Cell
from emsteer.plan.packing import Plan
from emsteer.recipes import BasePoint, Direction, DirectionGroup, EqualKl, PlacedDirection, SettingRow, SteeringValues


def directions_table(plan: Plan, rows: Iterable[SettingRow], counts: Cell, base_point: BasePoint, level: float) -> dict[str, Cell]:
    """The table, where a sweep steers by anything at a dose that is not in multiples of the vector."""
    placed = sorted(set(_placed(plan, rows, base_point)), key=lambda one: one.model_dump_json())
    if not placed:
        return {}
    vectors = plan.cells["vectors"]
    read = dict.fromkeys(name for one in placed for name in (one.made, one.reference) if name)
    recipe = recipes.Directions(level=level, base_point=base_point, placed=tuple(placed))
    inputs = {"counts": [counts], "vectors": [vectors[name] for name in read]}
    return {"directions": plan.add("tables", "directions", recipe, inputs, "statistics")}


def _placed(plan: Plan, rows: Iterable[SettingRow], base_point: BasePoint) -> Iterator[PlacedDirection]:
    steered = [(row.setting, values, _unscaled(plan.cells["vectors"][row.made[0]])) for row, values in _alone(rows)]
    of_base = {
        (setting.model, values.layer): cell.address
        for setting, values, cell in steered
        if (setting.arm, setting.task) == ("steered", base_point.task) and _is_of_base(values, base_point)
    }
    for setting, values, cell in steered:
        if values.dose_unit in ("residual_norm", "kl"):
            stands_for = setting.arm in recipes.COUNTERPARTS
            yield PlacedDirection(
                arm=setting.arm,
                model=setting.model,
                task=setting.task,
                direction=Direction.model_validate(values.model_dump(include=set(Direction.model_fields))),
                made=cell.address,
                reference=cell.inputs["like"][0].address if stands_for else of_base.get((setting.model, values.layer)),
            )


def subspaces_table(plan: Plan, rows: Iterable[SettingRow], base_point: BasePoint) -> dict[str, Cell]:
    """The table of directions of several seeds or tasks, where there are any."""
    seeds: dict[tuple[str, str, str], set[str]] = {}
    tasks: dict[tuple[str, str], set[str]] = {}
    for row, values in _alone(rows):
        setting = row.setting
        at = values.layer, values.epochs or base_point.epochs, values.rank
        if setting.arm == "steered" and at == (base_point.layer_of(setting.model), base_point.epochs, None):
            made = _unscaled(plan.cells["vectors"][row.made[0]]).address
            seeds.setdefault((setting.model, values.vector, setting.task), set()).add(made)
            if values.seed == base_point.seed:
                tasks.setdefault((setting.model, values.vector), set()).add(made)
    named = [(model, vector, task, made) for (model, vector, task), made in seeds.items()]
    named += [(model, vector, "tasks", made) for (model, vector), made in tasks.items() if len(made) > 1]
    several = {(model, vector) for model, vector, _, made in named if len(made) > 1}
    groups = [
        DirectionGroup(model=model, vector=vector, name=name, made=tuple(sorted(made)))
        for model, vector, name, made in sorted(named, key=lambda group: group[:3])
        if (model, vector) in several
    ]
    if not groups:
        return {}
    read = dict.fromkeys(name for group in groups for name in group.made)
    recipe = recipes.Subspaces(layer=base_point.layer, groups=tuple(groups))
    inputs = {"vectors": [plan.cells["vectors"][name] for name in read]}
    return {"subspaces": plan.add("tables", "subspaces", recipe, inputs, "statistics")}


def _alone(rows: Iterable[SettingRow]) -> Iterator[tuple[SettingRow, SteeringValues]]:
    """Settings of one direction and nothing beneath."""
    for row in rows:
        if len(row.made) == 1 and isinstance(row.setting.treatments[0], SteeringValues):
            yield row, row.setting.treatments[0]


def _is_of_base(values: SteeringValues, base_point: BasePoint) -> bool:
    said = values.vector, values.epochs, values.rank
    return said == (base_point.vector, base_point.epochs, None) and values.seed in (None, base_point.seed)


def _unscaled(cell: Cell) -> Cell:
    """A vector, or what it is a multiple of."""
    return next(of for of in cell.upstream() if of.kind == "vectors") if isinstance(cell.recipe, EqualKl) else cell
