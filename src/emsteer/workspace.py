"""The folder of a study: bringing cells back, setting them aside, and recording the plan.

`results/<kind>/` is what DVC versions. `restore` and `prune` make it hold exactly the planned cells; a cell that the plan
no longer names moves to `results/.retired/`, because DVC may never have seen it; one that was made from other bytes of its inputs
than those that are here, to `results/.others/`, and comes back when they do. Only `gc` deletes.
"""

import hashlib
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from emsteer import consistency, locks, packs, records, storage
from emsteer.errors import BusyError, StudyError, refusals
from emsteer.plan import Cell, Plan

PLAN_DIR = Path("plan")
DIGITS = 10  # of a digest, in a name
PLAN_LINE = 400  # characters: a whole cell of answers, and each setting of a table, on one line
log = logging.getLogger("emsteer")


def restore(plan: Plan, kind: str) -> int:
    """Brings back the missing cells of a kind that are still at hand: set aside, in DVC's cache, or in its remote.

    Returns:
        How many came back. What is nowhere is left for Snakemake to compute.
    """
    with alone():
        missing, here = [cell for cell in plan.of(kind) if not cell.exists()], records.Here()
        n_missing = len(missing)
        for cell in missing:
            _from_aside(cell, here)
        missing = _from_cache([cell for cell in missing if not cell.exists()], kind)
        return n_missing - len(missing)


@contextmanager
def alone() -> Iterator[None]:
    """Holds the lock of the study: cells must not move under a running Snakemake."""
    with locks.hold("snakemake", "a Snakemake is computing in this folder; wait for it."):
        yield


def quarantine(plan: Plan) -> int:
    """Sets aside the cells of every kind that were made from other bytes of their inputs than those that are here; how many."""
    with alone():
        found = consistency.misfits(plan)
        for cell, _ in found:
            path = Path(cell.path)
            digest = storage.read_json(records.record_of(path))["sha256"]
            move(path, packs.OTHERS / path.relative_to(packs.RESULTS) / digest[:DIGITS])
    return len(found)


def _from_aside(cell: Cell, here: records.Here) -> None:
    path = Path(cell.path)
    for source in (packs.second_name(path, packs.RETIRED), *packs.other_bytes(path)):
        if not path.exists() and source.exists() and packs.fits(source, cell.sources, here):
            move(source, path)


def move(source: Path, target: Path) -> None:
    """The record first: an artifact that exists has one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for old, new in ((records.record_of(source), records.record_of(target)), (source, target)):
        if old.exists() and not new.exists():
            storage.move(old, new)
        else:
            storage.remove(old)


def _from_cache(missing: list[Cell], kind: str) -> list[Cell]:
    """Copies cells that DVC has some version of: in its cache, or else in its remote. Returns those that it has none of."""
    if not missing or not Path(".dvc").is_dir():
        return missing
    answer = _dvc("cache", "dir")
    cache = Path(answer.stdout.strip()) / "files" / "md5"
    missing = _copied(missing, cache) if answer.returncode == 0 else missing
    if missing and _may_be_fetched(missing, kind, cache):
        _fetch(kind)
        missing = _copied(missing, cache)
    return missing


def _copied(missing: list[Cell], cache: Path) -> list[Cell]:
    """Looks through every version of `results/<kind>` that the cache knows; returns the cells that are still missing.

    A cell and its run record come from one version: sound, and made from the bytes of its inputs that are here.
    """
    here = records.Here()
    wanted = {record: cell for cell in missing for record in (Path(cell.path).name, records.record_of(Path(cell.path)).name)}
    for listing in sorted(cache.glob("*/*.dir")):
        found: dict[str, dict[str, Path]] = {}
        for relpath, md5 in _listed(listing):
            name, _, inside = relpath.partition("/")
            if name in wanted:
                found.setdefault(name, {})[inside] = cache / md5[:2] / md5[2:]
        for cell in {wanted[name].path: wanted[name] for name in found if not wanted[name].exists()}.values():
            _take(cell, found, here)
    return [cell for cell in missing if not cell.exists()]


def _take(cell: Cell, found: dict[str, dict[str, Path]], here: records.Here) -> None:
    """Puts one version of a cell in place, the record first."""
    path, record_path = Path(cell.path), records.record_of(Path(cell.path))
    files, of_record = found.get(path.name, {}), found.get(record_path.name, {})
    sound = [_is_sound(source) for source in (*of_record.values(), *files.values())]  # each that is not is named
    if not files or not all(sound):
        return
    record = storage.read_json(of_record[""]) if of_record else {}
    if not here.others(record, cell.sources):
        for target, sources in ((record_path, of_record), (path, files)):
            storage.remove(target)
            if sources:
                storage.write_atomically(target, partial(_copy, sources))


def _is_sound(source: Path) -> bool:
    """Whether the cache has an object, with the bytes that its name stands for; one with others is dropped."""
    if not source.exists():
        return False
    if hashlib.md5(source.read_bytes(), usedforsecurity=False).hexdigest() == source.parent.name + source.stem:
        return True
    log.warning("%s: not the bytes of its name (cut off?); dropped from DVC's cache. A remote that has it gives it again.", source)
    source.unlink()
    return False


def _listed(listing: Path) -> Iterator[tuple[str, str]]:
    """(path, md5) of every file of a folder that DVC has cached; nothing of a broken listing."""
    if _is_sound(listing):
        for entry in json.loads(listing.read_text(encoding="utf-8")):
            yield entry["relpath"], entry["md5"]


def _copy(files: dict[str, Path], target: Path) -> None:
    for inside, source in files.items():
        path = target / inside if inside else target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)


def _may_be_fetched(missing: list[Cell], kind: str, cache: Path) -> bool:
    """Whether the version in dvc.lock names a missing cell. If its listing is not at hand, that cannot be ruled out."""
    lock = Path("dvc.lock")
    try:
        stages = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}) if lock.exists() else {}
    except yaml.YAMLError:
        return True  # a merge left it unreadable: DVC says so itself
    digests = [out["md5"] for stage in stages.values() for out in stage.get("outs", ()) if out["path"] == f"results/{kind}"]
    names = {Path(cell.path).name for cell in missing}
    for digest in digests:
        listing = cache / digest[:2] / digest[2:]
        if not listing.exists() or any(path.partition("/")[0] in names for path, _ in _listed(listing)):
            return True
    return False


def _fetch(kind: str) -> None:
    """DVC fetches the outputs of unchanged stages only; after a clone and an edit, every old cell would be computed again."""
    answer = _dvc("fetch", "-q", f"results/{kind}")
    if answer.returncode:
        log.warning("%s: not everything came from the DVC remote (%s)", kind, " ".join(answer.stderr.split()) or "no reason given")


def _dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)


def prune(plan: Plan, kind: str) -> int:
    """Sets aside the cells that the plan does not name. Returns how many. What is no artifact is named, and left."""
    folder = packs.RESULTS / kind
    folder.mkdir(parents=True, exist_ok=True)
    keep = {Path(path).name for path in plan.paths(kind)}
    with alone():
        strangers = [path for path in _artifacts(folder.iterdir()) if path.name not in keep]
        for path in strangers:
            move(path, packs.second_name(path, packs.RETIRED))
    return len(strangers)


def gc() -> int:
    """Deletes the cells that were set aside, and nothing else. Returns how many. What DVC has cached or pushed can be restored."""
    with alone():
        cells = _artifacts([*packs.RETIRED.glob("*/*"), *packs.OTHERS.glob("*/*/*")])
        for cell in cells:
            storage.remove(cell)
            storage.remove(records.record_of(cell))
        for shelf in (packs.RETIRED, packs.OTHERS):
            for folder in sorted(shelf.rglob("*/"), reverse=True):
                if not any(folder.iterdir()):
                    folder.rmdir()
    return len(cells)


def _artifacts(paths: Iterable[Path]) -> list[Path]:
    """Those that have a run record beside them. What has none is somebody's own: it is named, and never moved or deleted."""
    found = []
    for path in sorted(path for path in paths if not path.name.endswith(records.RECORD)):
        if records.record_of(path).exists():
            found.append(path)
        else:
            log.warning("%s: not an artifact (it has no run record beside it); left where it is", path)
    return found


def retired(cell: Cell) -> bool:
    """Whether a cell that does not exist was set aside and needs no computing."""
    path = Path(cell.path)
    return packs.second_name(path, packs.RETIRED).exists() or packs.second_name(path, packs.STAGING).exists()


# -- the recorded plan -----------------------------------------------------------------------------------------------


def write_plan(plan: Plan) -> list[Path]:
    """Records the plan in `plan/<kind>.json`, for `git diff` and for DVC; nothing is computed from it. Returns what changed."""
    changed = []
    for path, text in plan_files(plan):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            storage.write_text(path, text)
            changed.append(path)
    return changed


def plan_files(plan: Plan) -> Iterator[tuple[Path, str]]:
    """(path, content) of the recorded plan."""
    for kind in plan.cells:
        records = {cell.address: cell.record() for cell in sorted(plan.of(kind), key=lambda cell: cell.address)}
        yield PLAN_DIR / f"{kind}.json", _spelled(records) + "\n"


def _spelled(value: Any, depth: int = 0) -> str:
    """JSON in which whatever fits into a line stands on one: `git diff` shows what moved, and little else."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(line) <= PLAN_LINE or not isinstance(value, dict | list):
        return line
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    items = [f"{json.dumps(key)}: " for key in sorted(value)] if isinstance(value, dict) else [""] * len(value)
    values = [value[key] for key in sorted(value)] if isinstance(value, dict) else value
    space = "\n" + " " * depth
    lines = [f"{space} {name}{_spelled(one, depth + 1)}" for name, one in zip(items, values, strict=True)]
    return opening + ",".join(lines) + space + closing


def is_busy() -> bool:
    """Whether a Snakemake is computing in this folder; in one where nobody can write, none is."""
    try:
        with refusals():
            locks.hold("snakemake", "").close()
    except BusyError:
        return True
    except StudyError:
        return False
    return False
