"""Stable names: tables, figures and the report mirrored into `reports/`, with the address that each came from.

Stable names cannot use "existing means fresh", so publishing compares bytes.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from emsteer import consistency, declarations, records, storage, workspace
from emsteer.errors import DataError
from emsteer.plan import KINDS, Cell, Plan

REPORTS = Path("reports")
INDEX = REPORTS / "index.json"
MADE_ON = REPORTS / "made_on.json"
DECLARATIONS = REPORTS / "declarations.json"
PAGE = "index.html"
NUMBERS = ("headline.json", "metrics.json")
PUBLISHED = ("tables", "figures", "report")
RUNTIME_CLASS = ("machine", "device", "dtype", "threads", "cpu", "kernels")
SAME_CLASS = ("processor", "torch_build")  # should move no byte on one class of machine; once they did (docs/LOG.md)
log = logging.getLogger("emsteer")


def is_published(plan: Plan) -> bool:
    """Whether `reports/` mirrors the planned tables, figures and report, byte for byte."""
    cells = published_cells(plan)
    if not all(path.exists() for path in (INDEX, MADE_ON, DECLARATIONS)) or not all(cell.exists() for cell in cells):
        return False
    try:
        index = storage.read_json(INDEX)
        published = {entry["from"]: entry["source_sha256"] for entry in index.values()}
    except (DataError, AttributeError, KeyError, TypeError):
        return False  # a merge left it unreadable: publishing writes it anew
    if published != {cell.address: storage.sha256(Path(cell.path)) for cell in cells if any(True for _ in _files(cell))}:
        return False
    return all((REPORTS / name).exists() and storage.sha256(REPORTS / name) == entry["sha256"] for name, entry in index.items())


def publish(cells: Sequence[Cell]) -> list[Path]:
    """Mirrors tables (as CSV), figures and the report into `reports/`, with an index of the address that each came from.

    Args:
        cells: From `published_cells`, all of them existing.

    Returns:
        The files that changed.
    """
    changed = _note_declarations(cells)
    entries = declarations.known(DECLARATIONS)
    index: dict[str, dict[str, str]] = {}
    for cell in cells:
        for name, content in _files(cell):
            content = declarations.on_page(content, entries) if name == PAGE else content
            path = REPORTS / name
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                storage.write_atomically(path, partial(_write_bytes, content))
                changed.append(path)
            index[name] = {"from": cell.address, "source_sha256": storage.sha256(Path(cell.path)), "sha256": storage.sha256(path)}
    for path in [path for folder in ("tables", "figures") for path in (REPORTS / folder).glob("*")]:
        if path.relative_to(REPORTS).as_posix() not in index:
            path.unlink()
            changed.append(path)
    text = json.dumps(index, indent=1, sort_keys=True) + "\n"
    if not INDEX.exists() or INDEX.read_text(encoding="utf-8") != text:
        storage.write_text(INDEX, text)
        changed.append(INDEX)
    return changed + _note_machines(cells)


def _note_declarations(cells: Sequence[Cell]) -> list[Path]:
    """Keeps which declarations of claims were published, and says which of them are late."""
    before = declarations.known(DECLARATIONS)
    tables = [content for cell in cells for name, content in _files(cell) if name == "tables/claims.csv"]
    entries = declarations.noted(before, tables[0], after_results=INDEX.exists()) if tables else before
    for entry in entries[len(before) :]:
        if entry["after_results"]:
            log.warning("publish: the claim %s is declared now that there are results; page and README say so", entry["claim"])
    text = declarations.text(entries)
    if DECLARATIONS.exists() and DECLARATIONS.read_text(encoding="utf-8") == text:
        return []
    storage.write_text(DECLARATIONS, text)
    return [DECLARATIONS]


def _note_machines(cells: Sequence[Cell]) -> list[Path]:
    """Keeps the runtime classes that computed what is published, and says when they are others than before.

    Where the run record of a cell upstream is not at hand (a clone that pulled tables only), what was noted before stays.
    """
    classes: Counter[str] = Counter()
    for cell in _closure(cells):
        record = records.record_of(Path(cell.path))
        if not record.exists():
            return _write_machines([]) if not MADE_ON.exists() else []
        found = storage.read_json(record).get("runtime") or {}
        if "device" in found:
            named = {name: found[name] for name in RUNTIME_CLASS} | {"torch": found["versions"]["torch"]}
            named |= {name: found[name] for name in SAME_CLASS if name in found}  # older records know nothing of these
            classes[storage.canonical_json(named)] += 1
    noted = [{"class": json.loads(text), "cells": n} for text, n in sorted(classes.items())]
    before = _noted_before()
    if before == noted:
        return []
    if before and [entry["class"] for entry in before] != [entry["class"] for entry in noted]:
        log.warning("publish: made on another class of machine than before; numbers may differ (see `git diff %s`)", MADE_ON)
    return _write_machines(noted)


def _write_machines(noted: list[dict[str, Any]]) -> list[Path]:
    storage.write_atomically(MADE_ON, partial(storage.write_json, noted))
    return [MADE_ON]


def _noted_before() -> list[dict[str, Any]] | None:
    try:
        return storage.read_json(MADE_ON) if MADE_ON.exists() else None
    except DataError:
        return None  # a merge left it unreadable


def _closure(cells: Iterable[Cell]) -> list[Cell]:
    """The cells and all that they are made from."""
    found: dict[str, Cell] = {}
    queue = list(cells)
    while queue:
        cell = queue.pop()
        if cell.path not in found:
            found[cell.path] = cell
            queue += cell.upstream()
    return list(found.values())


def published_cells(plan: Plan) -> list[Cell]:
    """The cells that `reports/` mirrors."""
    return [cell for kind in PUBLISHED for cell in plan.of(kind)]


def _files(cell: Cell) -> Iterator[tuple[str, bytes]]:
    """(name under `reports/`, bytes) of everything that a cell publishes."""
    path, name = Path(cell.path), cell.address.partition("--")[0]
    if cell.kind == "tables":
        for file in sorted(path.glob("*.csv")):
            yield f"tables/{file.name}", file.read_bytes()
        for file in (path / name for name in NUMBERS if (path / name).exists()):
            yield file.name, file.read_bytes()
    elif cell.kind == "figures":
        for file in sorted(path.glob(f"{name}.*")):
            yield f"figures/{file.name}", file.read_bytes()
    else:
        yield PAGE, (path / PAGE).read_bytes()


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def status(plan: Plan) -> str:
    """Cell by cell: `=` exists, `+` would be computed, `<` was set aside and may come back, `!` was made from other bytes."""
    lines = []
    n_to_compute, misfits = 0, {cell.path for cell, _ in consistency.misfits(plan)}
    for kind in KINDS:
        marks = [("!" if cell.path in misfits else _mark(cell), cell.address) for cell in plan.of(kind)]
        counts = {mark: sum(1 for other, _ in marks if other == mark) for mark in "=+<!"}
        n_to_compute += counts["+"]
        back = f", {counts['<']} set aside" if counts["<"] else ""
        back += f", {counts['!']} made from other bytes than those here" if counts["!"] else ""
        lines.append(f"{kind}: {counts['=']} exist, {counts['+']} to compute{back}")
        lines += [f"  {mark} {address}" for mark, address in marks]
    lines.append(f"reports: {'up to date' if is_published(plan) else 'to publish'}")
    lines.append(f"{n_to_compute} cells to compute" if n_to_compute else "nothing to compute")
    lines += [f"`emsteer stage` sees to {len(misfits)} that were made from other bytes"] if misfits else []
    return "\n".join(lines)


def _mark(cell: Cell) -> str:
    if cell.exists():
        return "="
    return "<" if workspace.retired(cell) else "+"
