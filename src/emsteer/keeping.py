"""Keeping: what a study published, in a folder that outlives it, stamped with the commit that made it and with what it cost."""

import csv
import gzip
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from emsteer import shipping, storage
from emsteer.errors import StudyError
from emsteer.plan import KINDS, Plan
from emsteer.plan.bill import bill_of
from emsteer.plan.billing import Taken
from emsteer.plan.pace import device_of
from emsteer.publishing import REPORTS, is_published
from emsteer.records import Here, record_of
from emsteer.study import PARAMS

STAMP = "made_by.json"
BENCHMARKS = Path("benchmarks")  # of Snakemake's jobs
COST = REPORTS / "cost.csv"
COST_COLUMNS = ("stage", "cells", "estimated_core_s", "estimated_card_s", "taken_core_s")
LARGE = 2**20  # a larger table is kept compressed [bytes]


def keep(plan: Plan, target: Path) -> dict[str, Any]:
    """Puts `reports/`, params.yaml and a stamp into `target`, in place of what an earlier `keep` put there; returns the stamp.

    Raises:
        StudyError: `reports/` is not what the plan says, files differ from the commit, or `target` holds something else.
    """
    if not is_published(plan):
        raise StudyError(f"{REPORTS}/: not what {PARAMS} plans. Nothing was kept.\n  Run `snakemake` first.")
    if shipping.SHIPPED.exists() and not shipping.is_of(plan, shipping.SHIPPED):
        raise StudyError(
            f"{shipping.SHIPPED}/: the answers and scores of another plan or run. Nothing was kept.\n  Run `emsteer export` first."
        )
    if target.exists() and any(target.iterdir()) and not (target / STAMP).exists():
        raise StudyError(f"{target}: expected no such folder, or one that `emsteer keep` wrote.\n  Choose another name.")
    stamp = stamped(plan)
    storage.remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    storage.write_atomically(target, lambda folder: fill(folder, stamp))
    return stamp


def fill(folder: Path, stamp: dict[str, Any]) -> None:
    """Copies what was published, and compresses tables that are `LARGE`: git keeps them for ever."""
    shutil.copytree(REPORTS, folder)
    for path in sorted(folder.glob("*/*.csv")):
        if path.stat().st_size > LARGE:
            _compress(path)
    shutil.copyfile(PARAMS, folder / PARAMS)
    storage.write_json(stamp, folder / STAMP)


def _compress(path: Path) -> None:
    """`rates.csv` becomes `rates.csv.gz`; the same bytes give the same file."""
    packed = gzip.compress(path.read_bytes(), compresslevel=9, mtime=0)
    path.with_name(f"{path.name}.gz").write_bytes(packed)
    path.unlink()


def stamped(plan: Plan) -> dict[str, Any]:
    """Commit, the study's first commit (which says what it was started from), cells of each kind, and costs."""
    if _git("status", "--porcelain", "--", "src", "workflow", "data", str(PARAMS)):
        raise StudyError(
            "src, workflow, data or params.yaml differ from the commit: a stamp would not name what was run.\n  Commit."
        )
    return {
        "commit": _git("rev-parse", "HEAD"),
        "started_as": _git("log", "--format=%s", "--max-parents=0").splitlines()[-1],
        "cells": {kind: len(cells) for kind, cells in plan.cells.items() if cells},
        "wall_s": _wall_s(plan),
        "jobs": dict(_jobs()),
    }


def _wall_s(plan: Plan) -> int | None:
    """From the start of the first cell to the end of the last one; None where a run record is not at hand. [s]"""
    paths = [record_of(Path(cell.path)) for cell in plan.all()]
    if not all(path.exists() for path in paths):
        return None
    found = [storage.read_json(path) for path in paths]
    ends = [datetime.fromisoformat(record["finished"]).timestamp() for record in found]
    return round(max(ends) - min(end - record["seconds"] for end, record in zip(ends, found, strict=True)))


def taken(plan: Plan) -> dict[str, Taken]:
    """Kind → what its cells have taken of processors, as far as their run records are at hand and say so."""
    here, found = Here(), {}
    for kind in KINDS:
        known = [record["cpu_s"] for path in plan.paths(kind) if "cpu_s" in (record := here.record(Path(path)))]
        found[kind] = Taken(len(known), sum(known))
    return found


def note_cost(plan: Plan) -> list[Path]:
    """Writes what each stage was estimated to cost and what it took, once every cell is here and says so; returns what changed."""
    took = taken(plan)
    if any(took[kind].n < len(plan.of(kind)) for kind in KINDS):
        return []
    bill = bill_of(plan, device_of(plan.execution, None))
    rows = [(kind, plan.of(kind), bill.by_stage[kind], took[kind]) for kind in KINDS if plan.of(kind)]
    lines = [",".join(COST_COLUMNS)]
    lines += [f"{kind},{len(cells)},{item.core_s:.1f},{item.card_s:.1f},{of.cpu_s:.1f}" for kind, cells, item, of in rows]
    text = "\n".join([*lines, ""])
    if COST.exists() and COST.read_text(encoding="utf-8") == text:
        return []
    storage.write_text(COST, text)
    return [COST]


def _jobs() -> Iterator[tuple[str, dict[str, float]]]:
    """Rule → processes, CPU seconds and peak memory, as Snakemake measured the last run of each."""
    for folder in sorted(path for path in BENCHMARKS.glob("*") if path.is_dir()):
        rows = [next(csv.DictReader(path.open(encoding="utf-8"), delimiter="\t")) for path in sorted(folder.rglob("*.tsv"))]
        cpu, peak = ([float(row[name]) for row in rows if row[name] not in ("-", "NA")] for name in ("cpu_time", "max_rss"))
        yield folder.name, {"processes": len(rows), "cpu_s": round(sum(cpu), 1), "peak_mb": round(max(peak, default=0.0))}


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise StudyError(f"git {arguments[0]}: {' '.join(answer.stderr.split())}\n  A stamp needs the study in a git repository.")
    return answer.stdout.strip()
