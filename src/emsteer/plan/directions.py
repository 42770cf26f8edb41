"""Directions in the plan: the table of what they do at equal doses."""

from collections.abc import Iterable, Iterator

from emsteer import recipes
from emsteer.plan.cells import Cell
from emsteer.plan.packing import Plan
from emsteer.recipes import BasePoint, Direction, EqualKl, PlacedDirection, SettingRow, SteeringValues


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
        if values.dose_unit != "vector_norm":
            stands_for = setting.arm in recipes.COUNTERPARTS
            yield PlacedDirection(
                arm=setting.arm,
                model=setting.model,
                task=setting.task,
                direction=Direction.model_validate(values.model_dump(include=set(Direction.model_fields))),
                made=cell.address,
                reference=cell.inputs["like"][0].address if stands_for else of_base.get((setting.model, values.layer)),
            )


def _alone(rows: Iterable[SettingRow]) -> Iterator[tuple[SettingRow, SteeringValues]]:
    """Settings of one direction and nothing beneath."""
    for row in rows:
        if len(row.made) == 1 and isinstance(row.setting.treatments[0], SteeringValues):
            yield row, row.setting.treatments[0]


def _is_of_base(values: SteeringValues, base_point: BasePoint) -> bool:
    said = values.vector, values.epochs, values.seed, values.rank
    return said == (base_point.vector, base_point.epochs, base_point.seed, None)


def _unscaled(cell: Cell) -> Cell:
    """A vector, or what it is a multiple of."""
    return next(of for of in cell.upstream() if of.kind == "vectors") if isinstance(cell.recipe, EqualKl) else cell
