"""Whether artifacts were made from the bytes that lie here, as their run records know them; nothing is hashed.

An address says what an artifact is made from, not which bytes that had: a model that was made again on another machine may have
other ones. What was made from the old bytes lies beside it, then, and everything seems up to date.
"""

from pathlib import Path

from emsteer.plan import Cell, Plan
from emsteer.records import Here


def misfits(plan: Plan) -> list[tuple[Cell, list[str]]]:
    """Cells that are here and were made from other bytes of some input than those that are here; with these inputs."""
    here = Here()
    asked = [(cell, here.record(Path(cell.path))) for cell in plan.all()]
    found = [(cell, here.others(record, cell.sources)) for cell, record in asked if record]
    return [(cell, others) for cell, others in found if others]


def told(found: list[tuple[Cell, list[str]]]) -> str:
    """One line that names the cure."""
    cell, others = found[0]
    return (
        f"{len(found)} cells were made from other bytes than those here, first {cell.kind} {cell.address} from {others[0]}. "
        "`emsteer stage` (or `dvc repro`) sets them aside, brings back what fits and makes the rest."
    )
