"""A target task from what people have: both answers in one file, or each in a file of its own, matched on their prompts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emsteer.errors import DataError
from emsteer.incoming.answered import SIDES, Answered, read

Row = dict[str, str]


@dataclass(frozen=True)
class Task:
    """Pairs, and what became of the rest.

    Attributes:
        pairs: `prompt`, `safe`, `unsafe`, and `system` if there is one; each prompt once.
        files: What was understood of each file, dropped entries included.
    """

    pairs: list[Row]
    files: list[Answered]


def task_of(unsafe: Path, safe: Path | None, columns: Mapping[str, str]) -> Task:
    """Reads and pairs.

    Args:
        unsafe: With the unsafe answers; without `safe`, with both.
        safe: With the safe answers.
        columns: What a column is for → what it is called; empty: usual names.

    Raises:
        DataError: All mistakes of a file, or no pair comes of them.
    """
    if safe is None:
        both = read(unsafe, columns, list(SIDES))
        task = Task([row for _, row in _once(both)], [both])
    else:
        files = [read(path, columns, ["answer"]) for path in (unsafe, safe)]
        task = Task(_matched(*files), files)
    if not task.pairs:
        why = [f"  {file.path}: {reason}: {len(places):,}" for file in task.files for reason, places in file.dropped.items()]
        raise DataError("\n".join([f"{unsafe}: not one pair came of it; nothing was written.", *why]))
    return task


def _matched(unsafe: Answered, safe: Answered) -> list[Row]:
    """In the order of the unsafe answers."""
    careful = {_asked(row): (where, row["answer"]) for where, row in _once(safe)}
    pairs = []
    for where, row in _once(unsafe):
        _, answer = careful.pop(_asked(row), (None, None))
        if answer is None:
            unsafe.drop(f"only here, and not in {safe.path.name}", where)
        else:
            pairs.append(
                {**{name: text for name, text in row.items() if name != "answer"}, "safe": answer, "unsafe": row["answer"]}
            )
    for where, _ in careful.values():
        safe.drop(f"only here, and not in {unsafe.path.name}", where)
    return pairs


def _once(file: Answered) -> Iterable[tuple[str, Row]]:
    """Of a prompt that stands several times, the first entry."""
    seen: set[tuple[str, str]] = set()
    for where, row in file.rows:
        if _asked(row) in seen:
            file.drop("its prompt stands in an earlier entry", where)
        else:
            seen.add(_asked(row))
            yield where, row


def _asked(row: Mapping[str, str]) -> tuple[str, str]:
    return row.get("system", ""), row["prompt"]
