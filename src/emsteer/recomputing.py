"""Computing artifacts again on purpose: does this machine give the bytes again that it gave before, or that another one gave?

An artifact that exists is never computed, whatever Snakemake is told. So it moves away, with every other copy that would be taken
for it, and comes back if computing fails. Where the new bytes are others, the old ones rest in `results/.others/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from emsteer import packs, records, stages, storage, workspace
from emsteer.errors import StudyError, listing
from emsteer.mistakes import meant
from emsteer.plan import KINDS, Cell, Plan
from emsteer.records import digits

AWAY = packs.RESULTS / ".away"  # empty unless one of these was killed


@dataclass(frozen=True)
class Recomputed:
    """Addresses of what was computed again: with the same bytes, and with others."""

    same: list[str]
    others: list[str]


def cells_of(plan: Plan, asked: Sequence[str]) -> list[Cell]:
    """The cells of kinds and addresses that are here.

    Raises:
        StudyError: Something asked for is no kind and no address of the plan, or none of it is here.
    """
    by_digits = {digits(cell.address): cell for cell in plan.all()}
    unknown = [name for name in asked if name not in KINDS and digits(name) not in by_digits]
    if unknown:
        names = [*KINDS, *(cell.address for cell in by_digits.values())]
        told = [f"{name}: no kind and no address of the plan{meant(name, names)}" for name in unknown]
        raise StudyError(f"recompute: {len(unknown)} of {len(asked)} are not known.\n{listing(told)}")
    wanted = [cell for name in asked for cell in (plan.of(name) if name in KINDS else [by_digits[digits(name)]])]
    here = [cell for cell in {cell.path: cell for cell in wanted}.values() if cell.exists()]
    if not here:
        raise StudyError("recompute: none of these is here, so nothing is computed again.\n  `snakemake` computes what is missing.")
    return here


def recompute(cells: Sequence[Cell], reason: str) -> Recomputed:
    """Computes cells again with Snakemake; those that read them stay, and are misfits where the bytes are others.

    Args:
        cells: From `cells_of`.
        reason: Kept in the run record of each.

    Raises:
        BusyError: A Snakemake is computing in this folder.
        StudyError: Not every cell was computed; those that were not are as they were before.
    """
    with workspace.alone():
        _bring_back()
        before = {cell.path: _digest(Path(cell.path)) for cell in cells}
        for cell in cells:
            _away(Path(cell.path))
    stages.compute(*before)
    with workspace.alone():
        missing = [cell.address for cell in cells if not cell.exists()]
        found = Recomputed([], [])
        for cell in cells:
            if cell.exists():
                (found.same if _noted(Path(cell.path), before[cell.path], reason) else found.others).append(cell.address)
        _bring_back()
    if missing:
        raise StudyError(
            f"recompute: {len(missing)} of {len(cells)} cells were not computed, and are as they were before.\n{listing(missing)}\n"
            "  Snakemake's messages above say why."
        )
    return found


def _digest(path: Path) -> str:
    return str(storage.read_json(records.record_of(path))["sha256"])


def _away(path: Path) -> None:
    """Every copy that `packs.fill` would take for the cell."""
    for copy in (path, packs.second_name(path, packs.STAGING), packs.second_name(path, packs.RETIRED), *packs.other_bytes(path)):
        if records.record_of(copy).exists():
            workspace.move(copy, AWAY / path.relative_to(packs.RESULTS) / _digest(copy)[: workspace.DIGITS])


def _noted(path: Path, before: str, reason: str) -> bool:
    """Writes down that and why it was computed again, and what it was before; whether it is the same."""
    record = storage.read_json(records.record_of(path))
    again = {"reason": reason, "sha256_before": before}
    storage.write_atomically(records.record_of(path), partial(storage.write_json, {**record, "recomputed": again}))
    return bool(record["sha256"] == before)


def _bring_back() -> None:
    """What is away and has no other in its place; the rest, where it has other bytes, to where such versions rest."""
    for version in sorted(path for path in AWAY.glob("*/*/*") if records.record_of(path).exists()):
        path = packs.RESULTS / version.parent.relative_to(AWAY)
        is_here = path.exists() and _digest(path)[: workspace.DIGITS] == version.name
        if is_here:
            storage.remove(version)
            storage.remove(records.record_of(version))
        else:
            workspace.move(version, packs.OTHERS / version.relative_to(AWAY) if path.exists() else path)
    storage.remove(AWAY)
