"""A study for people without its models: what its tables are made from, in a few files, and back again as artifacts.

Answers, scores and whatever else is a table in parquet become one file a kind, a column `cell` in front; the rest (vectors, norms,
run records, and the tables that need weights to be made) one archive. Weights are not shipped. Unpacking writes each cell with
the passport that its recipe, code and inputs give it, and takes only what has the sha256 of its run record.
"""

import io
import json
import lzma
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emsteer import packs, publishing, records, storage, workspace
from emsteer.errors import DataError, StudyError, listing
from emsteer.plan import KINDS, Cell, Plan
from emsteer.records import Here, digits

if TYPE_CHECKING:
    import pandas as pd

SHIPPED = publishing.REPORTS / "data"
WEIGHTS = ("models", "adapters")
WHAT_WAS_SAID = ("answers", "scores")
ARCHIVE, RECORDS, CARD = "cells.tar.xz", "records.json", "README.md"
WRITTEN = {ARCHIVE, CARD} | {f"{kind.name}.parquet" for kind in KINDS.values() if kind.suffix == ".parquet"}
CELL = "cell"


@dataclass(frozen=True)
class Unpacked:
    """What came out, counted in cells of the plan.

    Attributes:
        n_made: That are here now, and were not.
        n_here: That were here before.
        n_unfit: That were made from other bytes than some that are here; left where they are.
    """

    n_made: int
    n_here: int
    n_unfit: int


def shipped(plan: Plan) -> list[Cell]:
    """Every answer and score, and what else tables, figures and report are made from, but weights: tables of these as they are."""
    found = {cell.path: cell for kind in WHAT_WAS_SAID for cell in plan.of(kind)}
    for cell in publishing.published_cells(plan):
        above = [one for one in cell.upstream() if one.kind not in publishing.PUBLISHED]
        needs_weights = any(one.kind in WEIGHTS for one in above)
        found |= {one.path: one for one in ([cell] if needs_weights else above)}
    return sorted(found.values(), key=lambda cell: cell.path)


# -- out -------------------------------------------------------------------------------------------------------------


def export(plan: Plan, folder: Path) -> list[Cell]:
    """Writes the files of a study into `folder`, in place of what an earlier export put there; returns the cells in them.

    Raises:
        StudyError: A cell is not here, or the folder holds something else.
    """
    cells = shipped(plan)
    if missing := [cell.address for cell in cells if not cell.exists()]:
        raise StudyError(f"cannot export: {len(missing)} cells are missing.\n{listing(missing)}\n  Run `snakemake` first.")
    strangers = sorted({path.name for path in folder.iterdir()} - WRITTEN) if folder.exists() else []
    if strangers:
        raise StudyError(
            f"{folder}: holds {', '.join(strangers)}, which `emsteer export` did not write. Nothing was written.\n"
            "  Choose another folder, or move them: an export takes the place of the one before."
        )
    storage.write_atomically(folder, partial(_replace, folder, cells))
    return cells


def _replace(before: Path, cells: Sequence[Cell], folder: Path) -> None:
    _write_all(cells, folder)
    storage.remove(before)


def _write_all(cells: Sequence[Cell], folder: Path) -> None:
    folder.mkdir()
    rows: dict[str, int] = {}
    as_they_are = [cell for cell in cells if KINDS[cell.kind].suffix != ".parquet"]
    for kind in (kind for kind in KINDS.values() if kind.suffix == ".parquet"):
        if mergeable := [cell for cell in cells if cell.kind == kind.name]:
            rows[kind.name], others = _merge(mergeable, folder / f"{kind.name}.parquet")
            as_they_are += others
    _archive(cells, as_they_are, folder / ARCHIVE)
    storage.write_text(folder / CARD, _card(cells, rows))


def _merge(cells: Sequence[Cell], target: Path) -> tuple[int, list[Cell]]:
    """Cells of a kind as one file: how many rows it has, and which of them would not come out of it with their bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = {cell.path: pq.read_table(cell.path).replace_schema_metadata(None) for cell in cells}
    schema, _ = Counter(table.schema for table in tables.values()).most_common(1)[0]
    merged = [cell for cell in cells if tables[cell.path].schema == schema and _is_written_the_same(cell)]
    parts = [
        tables[cell.path].add_column(0, CELL, pa.array([cell.address] * len(tables[cell.path]), pa.string())) for cell in merged
    ]
    if parts:
        pq.write_table(pa.concat_tables(parts), target, compression="zstd", compression_level=19)
    done = {cell.path for cell in merged}
    return sum(map(len, parts)), [cell for cell in cells if cell.path not in done]


def _is_written_the_same(cell: Cell) -> bool:
    """Whether its rows, written again, have its bytes."""
    record = _record(cell)
    with tempfile.TemporaryDirectory() as scratch:
        again = Path(scratch, "cell")
        storage.write_parquet(storage.read_parquet(Path(cell.path)), again, _passport(cell, record))
        return storage.sha256(again) == record["sha256"]


def _record(cell: Cell) -> Mapping[str, Any]:
    return storage.read_json(records.record_of(Path(cell.path)))


def _passport(cell: Cell, record: Mapping[str, Any]) -> storage.Passport:
    """What the artifact holds that its run record is of, under the names that it had then."""
    return packs.passport_of(cell.kind, record["address"], cell.recipe, cell.code, record["inputs"])


def _archive(cells: Sequence[Cell], as_they_are: Sequence[Cell], target: Path) -> None:
    """The same cells give the same bytes: no times, no owners, files in order."""
    known = {cell.path: _record(cell) for cell in cells}
    files = {RECORDS: json.dumps(known, ensure_ascii=False).encode()}
    files |= {file.as_posix(): file.read_bytes() for cell in as_they_are for file in storage.files_of(Path(cell.path))}
    with lzma.open(target, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _card(cells: Sequence[Cell], rows: Mapping[str, int]) -> str:
    counts = Counter(cell.kind for cell in cells)
    lines = [f"| `{kind}.parquet` | {rows[kind]:,} | {counts[kind]:,} |" for kind in rows]
    judges = sorted({f"`{cell.recipe.module.rpartition('.')[2]}`" for cell in cells if cell.kind == "scores"})
    return f"""\
# What the tables of this study are made from

**Model output.** Every answer in here was written by a language model, many by models that were made careless or worse on purpose.
Not advice, not facts, not training data. Scores: by {", ".join(judges)} of `emsteer.judging`; `plan/scores.json` says more.

| file | rows | cells |
|---|---|---|
{chr(10).join(lines)}
| `{ARCHIVE}` | | {sum(counts[kind] for kind in counts if kind not in rows):,} |

`{CELL}` is the address of the artifact that a row is of; `plan/<kind>.json` says what made it, `{RECORDS}` in the archive when,
where and from which bytes. Written by `emsteer export`; `emsteer rebuild` makes tables, figures and page of it, without a model.
"""


# -- and back --------------------------------------------------------------------------------------------------------


def unpack(plan: Plan, folder: Path) -> Unpacked:
    """Puts the cells of the plan that `folder` holds and `results/` lacks in place, each with its run record.

    Raises:
        StudyError: `folder` is no export, holds no cell of this plan, or holds one with other bytes than its run made.
    """
    if not (folder / ARCHIVE).exists():
        raise StudyError(f"{folder}: no export: it has no {ARCHIVE}.\n  Expected a folder that `emsteer export` wrote.")
    packs.STAGING.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=packs.STAGING) as scratch, workspace.alone():
        known = _extract(folder / ARCHIVE, Path(scratch))
        held = {digits(record["address"]): (path, record) for path, record in known.items()}
        planned = [cell for cell in plan.all() if digits(cell.address) in held]
        if not planned:
            made_by = Counter((record["code"] or {}).get("commit") for record in known.values()).most_common(1)[0][0]
            raise StudyError(
                f"{folder}: none of its {len(known)} cells is of this plan.\n"
                f"  They were made by commit {made_by} with the params.yaml of then: `git checkout` it, or export again."
            )
        missing, here = [cell for cell in planned if not cell.exists()], Here()
        fitting = [cell for cell in missing if not here.others(held[digits(cell.address)][1], cell.sources)]
        sources = {cell.path: (Path(scratch, held[digits(cell.address)][0]), held[digits(cell.address)][1]) for cell in fitting}
        _write_parquet_cells(fitting, sources, folder)
        _check(folder, sources)
        for path, (source, record) in sources.items():
            storage.write_json(record, records.record_of(source))
            workspace.move(source, Path(path))
    return Unpacked(len(fitting), len(planned) - len(missing), len(missing) - len(fitting))


def _extract(archive: Path, scratch: Path) -> Mapping[str, Mapping[str, Any]]:
    """Path → run record of every cell of an export."""
    try:
        with tarfile.open(archive, "r:xz") as members:
            members.extractall(scratch, filter="data")
        return json.loads((scratch / RECORDS).read_text(encoding="utf-8"))
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        raise DataError(f"{archive}: cannot be read ({error}).\n  Restore it with git, or export again.") from None


def _write_parquet_cells(cells: Sequence[Cell], sources: Mapping[str, tuple[Path, Mapping[str, Any]]], folder: Path) -> None:
    """Those that are rows of a file."""
    for kind in dict.fromkeys(cell.kind for cell in cells):
        file = folder / f"{kind}.parquet"
        parts = dict(_parts(file)) if file.exists() else {}
        for cell in [cell for cell in cells if cell.kind == kind]:
            source, record = sources[cell.path]
            if not source.exists() and record["address"] in parts:
                source.parent.mkdir(parents=True, exist_ok=True)
                storage.write_parquet(parts[record["address"]], source, _passport(cell, record))


def _parts(file: Path) -> Iterator[tuple[str, "pd.DataFrame"]]:
    merged = storage.read_parquet(file)
    if CELL not in merged:
        raise DataError(f"{file}: has no column `{CELL}`.\n  Restore it with git, or export again.")
    for address, part in merged.groupby(CELL, sort=False):
        yield str(address), part.drop(columns=CELL).reset_index(drop=True)


def _check(folder: Path, sources: Mapping[str, tuple[Path, Mapping[str, Any]]]) -> None:
    faults = [
        path for path, (source, record) in sources.items() if not source.exists() or storage.sha256(source) != record["sha256"]
    ]
    if faults:
        raise StudyError(
            f"{folder}: {len(faults)} of {len(sources)} cells are not there with the bytes that their runs made; nothing was put"
            f" in place.\n{listing(faults)}\n  Edited, or written by another pyarrow than that of requirements.lock?"
        )


def is_of(plan: Plan, folder: Path) -> bool:
    """Whether an export holds the cells that one of this plan would, with the bytes of those that are here."""
    with tempfile.TemporaryDirectory() as scratch:
        known = _extract(folder / ARCHIVE, Path(scratch))
    held, here = {digits(record["address"]): record["sha256"] for record in known.values()}, Here()
    wanted = {digits(cell.address): here.record(Path(cell.path)).get("sha256") for cell in shipped(plan)}
    return set(held) == set(wanted) and all(digest in (None, held[name]) for name, digest in wanted.items())


def lacking(plan: Plan) -> list[Cell]:
    """Cells of other kinds that missing tables, figures and report would be made from, and that are not here either."""
    missing = [cell for cell in publishing.published_cells(plan) if not cell.exists()]
    above = {one.path: one for cell in missing for one in cell.upstream() if one.kind not in publishing.PUBLISHED}
    return [cell for cell in above.values() if not cell.exists()]
