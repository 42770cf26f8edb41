"""Filling in the missing cells of a pack: one process, many cells, nothing finished is lost.

`fill` owns the missing-check, the staging of finished cells, their locks and the rename; a workflow script is one call of
it. A finished cell keeps a second name under `results/.staging` until a run ends well, because Snakemake without
`keep-incomplete` deletes every output of a failed job.
"""

import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

from emsteer import devices, locks, mixing, progress, records, storage
from emsteer.errors import GO_ON, STOPPED, DataError, StudyError, listing, refusals
from emsteer.records import Here, Inputs, record_of

RESULTS = Path("results")
STAGING = RESULTS / ".staging"
RETIRED = RESULTS / ".retired"
OTHERS = RESULTS / ".others"
UNFINISHED = ".making"
log = logging.getLogger("emsteer")


@dataclass(frozen=True)
class Job:
    """One cell, as the science sees it.

    Attributes:
        recipe: The typed recipe.
        inputs: Role → paths of the input artifacts, in the plan's order.
        addresses: Role → their addresses, in the same order.
        address: Of the cell.
        out: Where to write: a temporary path that `fill` renames once the cell is yielded.
        passport: To be stored in the artifact.
        weights: Where the files of the model lie on this machine, if the study says so.
        service: Where its judge is asked.
        places: Role → where the files of the model in it lie, if the study says so.
    """

    recipe: Any
    inputs: dict[str, tuple[Path, ...]]
    addresses: dict[str, tuple[str, ...]]
    address: str
    out: Path
    passport: storage.Passport
    weights: Path | None = None
    service: Any = None
    places: Mapping[str, Path] = field(default_factory=dict)

    def input(self, role: str) -> Path:
        """The only input in a role."""
        (path,) = self.inputs[role]
        return path

    def reading(self, role: str) -> "Job":
        """The same, for what reads a model: the one in another role."""
        return replace(self, inputs={**self.inputs, "model": self.inputs[role]}, weights=self.places.get(role))

    def by_address(self, role: str) -> dict[str, Path]:
        """Address → path of the inputs in a role."""
        return dict(zip(self.addresses[role], self.inputs[role], strict=True))


Make = Callable[[Sequence[Job]], Iterator[Job]]


def second_name(path: Path, shelf: Path) -> Path:
    """Where a cell's bytes rest besides `results/<kind>/`."""
    return shelf / path.relative_to(RESULTS)


def other_bytes(path: Path) -> list[Path]:
    """Where versions of a cell rest that were made from other bytes of its inputs than those that were here then."""
    return [found for found in sorted((OTHERS / path.relative_to(RESULTS)).glob("*")) if record_of(found).exists()]


def make_by_recipe(jobs: Sequence[Job]) -> Iterator[Job]:
    """Hands each job to the module that its recipe names; jobs of one module together, so that they can share work."""
    for module, group in groupby(sorted(jobs, key=lambda job: job.recipe.module), key=lambda job: job.recipe.module):
        yield from import_module(module).make(list(group))


def fill(name: str, cells: Sequence[dict[str, Any]], log_file: str, make: Make = make_by_recipe, n_gpus: int = 0) -> None:
    """Makes the cells of a pack that do not exist and puts them in place; a mistake of the user's exits with its message.

    Args:
        name: Of the pack, for people.
        cells: `Cell.job()` of every cell of the pack.
        log_file: Gets what the screen gets, without progress bars.
        make: The science: takes jobs, writes each `job.out`, and yields the job when it is complete.
        n_gpus: Cards that this process may use; the others are hidden from it.
    """
    _log_to(log_file)
    if (n_claimed := len(devices.claim(n_gpus))) < n_gpus:
        log.warning("%s: asks for %d cards; %d are here", name, n_gpus, n_claimed)
        if any(cell.get("device") == "cuda" for cell in cells):
            log.error("%s: nothing was computed, because `execution.device` is cuda. `auto` goes on on what is here.", name)
            sys.exit(1)
    started = time.monotonic()
    try:
        with refusals(), locks.making(cell["address"] for cell in cells if not Path(cell["path"]).exists()):
            n_made = _fill(cells, make)
    except StudyError as error:
        log.error("%s: %s", type(error).__name__, error)
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("%s: stopped. %s", name, GO_ON)
        sys.exit(STOPPED)
    log.info("%s: %d of %d cells computed in %.0f s", name, n_made, len(cells), time.monotonic() - started)


def _fill(cells: Sequence[dict[str, Any]], make: Make) -> int:
    here = Here()
    for cell in cells:
        path = Path(cell["path"])
        if path.exists():
            _link_with_record(path, second_name(path, STAGING))
        else:
            _stage_what_is_done(path, cell["inputs"], here)
    paths = [Path(cell["path"]) for cell in cells]
    missing = [cell for cell, path in zip(cells, paths, strict=True) if not second_name(path, STAGING).exists()]
    mixing.check(missing, here)
    n_made = sum(1 for _ in _made(missing, make, here)) if missing else 0
    for path in paths:
        _link_with_record(second_name(path, STAGING), path)
    return n_made


def _stage_what_is_done(path: Path, inputs: Inputs, here: Here) -> None:
    """A second name of a cell that is missing counts, and what was set aside, if it is whole and fits its inputs."""
    staged = second_name(path, STAGING)
    if staged.exists() and not _is_done(staged, inputs, here):
        storage.remove(staged)
    for shelf in (second_name(path, RETIRED), *other_bytes(path)):
        if not staged.exists() and shelf.exists() and _is_done(shelf, inputs, here):
            _link_with_record(shelf, staged)


def _is_done(path: Path, inputs: Inputs, here: Here) -> bool:
    if not _is_whole(path):
        log.warning("%s: not the bytes that were written; dropped", path)
        storage.remove(path)
        return False
    return fits(path, inputs, here)


def fits(path: Path, inputs: Inputs, here: Here) -> bool:
    """Whether a second name of a cell was made from the bytes of its inputs that are here."""
    return not here.others(here.record(path), inputs)


def _is_whole(path: Path) -> bool:
    """Whether an artifact holds the bytes that its run record knows."""
    record = record_of(path)
    return record.exists() and storage.read_json(record)["sha256"] == storage.sha256(path)


def _made(missing: Sequence[dict[str, Any]], make: Make, here: Here) -> Iterator[Path]:
    digests = _digests([pair for cell in missing for pairs in cell["inputs"].values() for pair in pairs], here)
    jobs = [_job(cell, digests) for cell in missing]
    targets = {job.address: second_name(Path(cell["path"]), STAGING) for job, cell in zip(jobs, missing, strict=True)}
    started, cpu_before = time.monotonic(), 0.0  # what starting took of the processor is the first cell's
    for job in make(jobs):
        target = targets.pop(job.address)
        cpu = sum(os.times()[:4])
        _write_record(job, target, time.monotonic() - started, cpu - cpu_before)
        storage.remove(target)
        job.out.rename(target)
        yield target
        started, cpu_before = time.monotonic(), cpu
    if targets:
        raise RuntimeError(f"the science left out {sorted(targets)}")


def _digests(inputs: Sequence[Sequence[str]], here: Here) -> dict[str, str]:
    """Address → sha256 of what cells read; raises DataError for all that are not here as their runs wrote them."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    for address, path in dict.fromkeys((address, path) for address, path in inputs):
        there = Path(path)
        if not there.exists():
            wrong.append(f"{path}: not there.\n     If it is registered with DVC, run `dvc pull {path}`; else run `snakemake`.")
            continue
        found[address] = storage.sha256(there)
        record = here.record(there)
        if record.get("sha256", found[address]) != found[address]:
            differences = ", ".join(records.differences(there, record))
            wrong.append(f"{path}: not the bytes that its run wrote ({differences}).\n     {storage.REPAIR}")
    if wrong:
        raise DataError(f"what is to be read is not all here.\n{listing(wrong)}")
    return found


def _job(cell: dict[str, Any], digests: dict[str, str]) -> Job:
    staged = second_name(Path(cell["path"]), STAGING)
    staged.parent.mkdir(parents=True, exist_ok=True)
    out = staged.with_name(f".{staged.name}.{platform.node()}.{os.getpid()}{UNFINISHED}")
    storage.remove(out)
    addresses = {role: tuple(address for address, _ in pairs) for role, pairs in cell["inputs"].items()}
    made_from = {role: {address: digests[address] for address in group} for role, group in addresses.items()}
    passport = passport_of(cell["kind"], cell["address"], cell["recipe"], cell["code"], made_from)
    inputs = {role: tuple(Path(path) for _, path in pairs) for role, pairs in cell["inputs"].items()}
    weights = Path(cell["weights"]) if cell.get("weights") else None
    places = {role: Path(place) for role, place in cell.get("places", {}).items()}
    return Job(cell["recipe"], inputs, addresses, cell["address"], out, passport, weights, cell.get("service"), places)


def passport_of(kind: str, address: str, recipe: Any, code: str, inputs: Mapping[str, Mapping[str, str]]) -> storage.Passport:
    """What an artifact says of itself. `inputs`: role → address → sha256 of the bytes that were read."""
    return {"kind": kind, "address": address, "recipe": recipe.model_dump(mode="json"), "code": code, "inputs": inputs}


def _write_record(job: Job, target: Path, seconds: float, cpu_s: float) -> None:
    record = records.run_record(job.address, job.out, job.passport["inputs"], seconds, cpu_s)
    storage.write_atomically(record_of(target), lambda temporary: storage.write_json(record, temporary))


def _link_with_record(source: Path, target: Path) -> None:
    """The record first: an artifact that exists has one, and it is the one of these bytes."""
    if not target.exists():
        storage.remove(record_of(target))
        if record_of(source).exists():
            storage.link(record_of(source), record_of(target))
        storage.link(source, target)


def _log_to(log_file: str) -> None:
    log.setLevel(logging.INFO)
    for former in list(log.handlers):  # of a pack that this process filled before: its messages are not this one's
        log.removeHandler(former)
        former.close()
    screen, file = logging.StreamHandler(sys.stderr), logging.FileHandler(log_file, mode="w")
    screen.addFilter(progress.off_the_screen)
    for handler in (screen, file):
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)


def sweep(paths: Iterable[str]) -> None:
    """After a run that ended well: drops what killed jobs left half-made, and the second names of cells that are in place."""
    for path in STAGING.glob(f"*/.*{UNFINISHED}"):
        storage.remove(path)
    for path in map(Path, paths):
        if path.exists():
            storage.remove(second_name(path, STAGING))
            storage.remove(record_of(second_name(path, STAGING)))
