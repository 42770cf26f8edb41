"""Target tasks and benchmarks from JSONL files: one JSON object a line, every mistake named with its line."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from emsteer import schemas
from emsteer.errors import DataError, listing
from emsteer.mistakes import meant
from emsteer.packs import Job
from emsteer.recipes import FileTask
from emsteer.schemas.data import SPLITS, Table

MOST_SHOWN = 20
ID_DIGITS = 12


@dataclass(frozen=True)
class Format:
    """What a line may say.

    Attributes:
        id: The column that names a row. Left out of a line, it is a digest of system line and prompt: lines may be reordered.
        required: Texts that every line has.
        optional: Texts that a line may have; null means the same as leaving them out.
        schema: Of the table.
    """

    id: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    schema: type[Table]

    @property
    def known(self) -> tuple[str, ...]:
        """Every key that a line may have."""
        return self.id, *self.required, *self.optional


PAIRS = Format("pair_id", ("prompt", "safe", "unsafe"), ("system",), schemas.Pairs)
QUESTIONS = Format("question_id", ("category", "split", "prompt"), ("system", "safe", "unsafe"), schemas.Questions)


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Pairs` or `schemas.Questions`."""
    for job in jobs:
        of = PAIRS if isinstance(job.recipe, FileTask) else QUESTIONS
        schemas.write(read(job.input("file"), of), of.schema, job.out, job.passport)
        yield job


def read(path: Path, of: Format) -> pd.DataFrame:
    """The rows of a file, in its order.

    Raises:
        DataError: All mistakes, each with its line.
    """
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    first: dict[str, int] = {}
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            row, mistakes = _row(line, of)
            name = row.get(of.id)
            if not mistakes and name in first:
                mistakes = [f"{of.id} {name!r} stands in line {first[name]} already"]
            first.setdefault(str(name), number)
            wrong += [f"line {number}: {mistake}" for mistake in mistakes]
            rows.append(row)
    if not rows and not wrong:
        wrong = [f"no line in it; expected one JSON object a line, with {', '.join(of.required)}"]
    if wrong:
        more = f"\n  and {len(wrong) - MOST_SHOWN} more." if len(wrong) > MOST_SHOWN else ""
        raise DataError(f"{path}: {len(wrong)} mistakes.\n{listing(wrong[:MOST_SHOWN])}{more}\n  docs/data.md shows the format.")
    columns = list(of.schema.to_schema().columns)
    return pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=columns)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8.\n  Save the file in UTF-8.") from None


def _row(line: str, of: Format) -> tuple[dict[str, Any], list[str]]:
    try:
        row = json.loads(line)
    except ValueError as error:
        return {}, [f"not JSON: {error}"]
    if not isinstance(row, dict):
        return {}, [f"expected an object, got {line[:40]!r}"]
    unknown = sorted(row.keys() - set(of.known))
    wrong = [f"unknown key {name!r}; allowed: {', '.join(of.known)}{meant(name, of.known)}" for name in unknown]
    wrong += [f"{name}: missing" for name in of.required if row.get(name) is None]
    for name, value in row.items():
        if name in of.known and value is not None and not (isinstance(value, str) and value.strip()):
            wrong.append(f"{name}: expected text, got {value!r}")
    if not wrong and row.get("split", "test") not in SPLITS:
        wrong.append(f"split: expected one of {', '.join(SPLITS)}, got {row['split']!r}")
    if not wrong and row.get(of.id) is None:
        row[of.id] = hashlib.sha256(f"{row.get('system') or ''}\0{row['prompt']}".encode()).hexdigest()[:ID_DIGITS]
    return row, wrong
