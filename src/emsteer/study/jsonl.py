"""What planning knows of JSONL files of pairs and questions: how many there are, and of which categories. Read leniently."""

import functools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Facts:
    """Of one file.

    Attributes:
        n: Lines with something in them.
        categories: Category → questions.
        n_references: Category → test questions with both reference answers.
    """

    n: int
    categories: Mapping[str, int]
    n_references: Mapping[str, int]


def facts_of(path: object) -> Facts | None:
    """Of a file; None where it is not at hand or broken: whoever reads it will say so."""
    file = Path(path) if isinstance(path, str) else Path()
    return _facts(file, file.stat().st_mtime_ns) if file.is_file() else None


@functools.lru_cache(maxsize=64)
def _facts(file: Path, _version: int) -> Facts | None:
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        categories = Counter(str(row.get("category")) for row in rows)
        both = [row for row in rows if row.get("split") == "test" and row.get("safe") and row.get("unsafe")]
        return Facts(len(rows), categories, Counter(str(row.get("category")) for row in both))
    except (UnicodeDecodeError, ValueError, AttributeError):
        return None
