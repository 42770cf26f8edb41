"""What planning knows of JSONL files of pairs and questions: how many there are, and of which categories. Read leniently."""

import functools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from emsteer.study.cards import card_of


@dataclass(frozen=True)
class Facts:
    """Of one file.

    Attributes:
        n: Lines with something in them.
        categories: Category → questions.
        n_references: Category → test questions with both reference answers.
        n_chars: Mean length of a prompt and of a reference answer; None: not known. [characters]
    """

    n: int
    categories: Mapping[str, int]
    n_references: Mapping[str, int]
    n_chars: tuple[float, float] | None = None


def facts_of(path: object) -> Facts | None:
    """Of a file, or as its card has it; None where neither is at hand or it is broken: whoever reads it will say so."""
    if not isinstance(path, str):
        return None
    file = Path(path)
    if file.is_file():
        return _facts(file, file.stat().st_mtime_ns)
    try:
        card = card_of(path)
    except ValueError:
        return None
    return Facts(card.n, card.categories, card.n_references) if card else None


@functools.lru_cache(maxsize=64)
def _facts(file: Path, _version: int) -> Facts | None:
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        categories = Counter(str(row.get("category")) for row in rows)
        both = [row for row in rows if row.get("split") == "test" and row.get("safe") and row.get("unsafe")]
        prompts = [len(row.get("prompt") or "") for row in rows]
        references = [len(row[side]) for row in rows for side in ("safe", "unsafe") if row.get(side)]
        means = tuple(fmean(lengths) if lengths else 0.0 for lengths in (prompts, references))
        return Facts(len(rows), categories, Counter(str(row.get("category")) for row in both), (means[0], means[1]))
    except (UnicodeDecodeError, ValueError, AttributeError, TypeError):
        return None
