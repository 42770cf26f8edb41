"""`emsteer data add`: understand a file, say what of it is used and what is not, write what a study reads."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from emsteer import storage
from emsteer.data.files import PAIRS, read
from emsteer.errors import ConfigError, DataError
from emsteer.incoming.answered import NAMES, Answered
from emsteer.incoming.tasks import task_of
from emsteer.study.shape import Name

TASKS = Path("data/tasks")
MOST_PLACES = 5  # of dropped entries that are named
KEYS = ("system", "prompt", "safe", "unsafe")
ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}  # of lines, as Unicode has it


def add_task(unsafe: Path, safe: Path | None, name: str | None, columns: Mapping[str, str]) -> Iterator[str]:
    """Writes `data/tasks/NAME.jsonl`; yields what a person should know, line by line.

    Args:
        unsafe: With the unsafe answers; without `safe`, with both.
        safe: With the safe answers, matched on their prompts.
        name: Of the task; None: that of the file.
        columns: What a column is for → what it is called.

    Raises:
        ConfigError: That is no name.
        DataError: The files have mistakes, all of which are shown, or another file lies at the target.
    """
    name = _name(re.sub(r"[^A-Za-z0-9]+", "_", unsafe.name.partition(".")[0]).strip("_") if name is None else name)
    task = task_of(unsafe, safe, columns)
    yield from (line for file in task.files for line in _understood(file))
    target = TASKS / f"{name}.jsonl"
    done = _written(target, "".join(_line(row) for row in task.pairs))
    yield f"{target}: {_counted(len(task.pairs), 'pairs', 'pair')}, {done}"
    read(target, PAIRS)  # as the study will
    yield "In params.yaml, with the benchmark's own name for what the task is about:"
    yield f"  tasks:\n    {name}: {{kind: file, file: {target}, in_domain: [{name}]}}"
    yield "Next: `emsteer data check` looks for what else tells the two sides apart."


def _understood(file: Answered) -> Iterator[str]:
    n_dropped = sum(map(len, file.dropped.values()))
    yield f"{file.path}: {_counted(file.n, 'entries', 'entry')}, {file.form}" + (f"; {n_dropped:,} not used:" if n_dropped else "")
    for why, places in file.dropped.items():
        more = f" and {len(places) - MOST_PLACES:,} more" if len(places) > MOST_PLACES else ""
        yield f"  - {why}: {', '.join(places[:MOST_PLACES])}{more}"
    if file.unread:
        yield f"  not read: {', '.join(f'`{key}` ({n:,})' for key, n in sorted(file.unread.items()))}"


def _counted(n: int, many: str, one: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _line(row: Mapping[str, str]) -> str:
    """JSON, in which nothing but its end is the end of a line, whoever reads it."""
    line = json.dumps({key: row[key] for key in KEYS if key in row}, ensure_ascii=False)
    return line.translate(ENDS) + "\n"


def _written(target: Path, text: str) -> str:
    if target.exists():
        if target.read_text(encoding="utf-8") == text:
            return "unchanged"
        raise DataError(
            f"{target}: there already, with other lines. Nothing was written.\n  Choose another --name, or move it away."
        )
    storage.write_text(target, text)
    return f"sha256 {storage.sha256(target)}"


def _name(name: str) -> str:
    try:
        return TypeAdapter(Name).validate_python(name)
    except ValidationError:
        what = "expected up to 40 letters and digits, in words joined by one - or _"
        raise ConfigError(f"--name: {what}, as names in params.yaml are; got {name!r}.") from None


def columns_of(said: list[str]) -> dict[str, str]:
    """`ROLE=COLUMN` of the command line.

    Raises:
        ConfigError: It is something else.
    """
    found = dict(one.partition("=")[::2] for one in said)
    wrong = [role for role, name in found.items() if role not in NAMES or not name]
    if wrong:
        raise ConfigError(f"--columns {wrong[0]}: expected {', '.join(f'{role}=NAME' for role in NAMES)}.")
    return found
