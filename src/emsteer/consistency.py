"""Whether artifacts were made from the bytes that lie here, as their run records know them; nothing is hashed.

An address says what an artifact is made from, not which bytes that had: a model that was made again on another machine may have
other ones. What was made from the old bytes lies beside it, then, and everything seems up to date.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emsteer import records, storage
from emsteer.errors import DataError
from emsteer.plan import Cell, Plan
from emsteer.plan.addresses import digits

Inputs = Mapping[str, Iterable[tuple[str, str]]]  # role → (address, path) of artifacts and input files, as `Cell.sources` has them


@dataclass
class Here:
    """The artifacts that are here. Each run record is read once.

    Attributes:
        found: Path of an artifact → its run record; empty where there is none, or none that can be read.
    """

    found: dict[Path, Mapping[str, Any]] = field(default_factory=dict)

    def record(self, path: Path) -> Mapping[str, Any]:
        """Of an artifact."""
        if path not in self.found:
            self.found[path] = _read(records.record_of(path)) if path.exists() else {}
        return self.found[path]

    def others(self, record: Mapping[str, Any], inputs: Inputs) -> list[str]:
        """Addresses of the inputs that have other bytes here than those that an artifact was made from.

        Args:
            record: Of the artifact's run.
            inputs: Of the cell. Input files have no run record: their bytes are in their addresses.
        """
        made_from = {digits(name): digest for group in record.get("inputs", {}).values() for name, digest in group.items()}
        found = []
        for address, path in (pair for group in inputs.values() for pair in group):
            before, now = made_from.get(digits(address)), self.record(Path(path)).get("sha256")
            if before and now and before != now:
                found.append(address)
        return found


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = storage.read_json(path) if path.exists() else {}
    except DataError:
        return {}  # `emsteer verify` names it
    return found if isinstance(found, dict) else {}


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
