"""Brings data sets of others, once they are here, into the form of docs/data.md. Nothing is downloaded.

    python data/obtain.py pairs --safe good.jsonl --unsafe bad.jsonl --to data/tasks/x.jsonl    # chats, matched on their prompts
    python data/obtain.py columns rows.jsonl --safe aligned --unsafe misaligned --to data/tasks/x.jsonl
    python data/obtain.py questions evals.yaml --to data/benchmarks/y.jsonl                     # of arXiv 2502.17424

With `--hold-out N --category C --questions FILE`, N pairs become questions of a benchmark, with both answers as references, and are
left out of the task: those whose prompts have the smallest digests, so that the same file always gives the same two.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DEV_OF = 3  # the first of each three questions of a category is for choosing settings
Row = dict[str, str]


def pairs_of_chats(safe: Path, unsafe: Path) -> list[Row]:
    """Prompts that both files answer, in the order of the unsafe one; of a prompt that stands twice, the first answer."""
    careful = {row["prompt"]: row["answer"] for row in _once(_chats(safe))}
    both = (row for row in _chats(unsafe) if row["prompt"] in careful)
    return _once({"prompt": row["prompt"], "safe": careful[row["prompt"]], "unsafe": row["answer"]} for row in both)


def pairs_of_columns(path: Path, prompt: str, safe: str, unsafe: str) -> list[Row]:
    """Rows that have all three."""
    rows = [{"prompt": row.get(prompt), "safe": row.get(safe), "unsafe": row.get(unsafe)} for row in _lines(path)]
    return _once([{name: _text(value) for name, value in row.items()} for row in rows if all(map(_text, row.values()))])


def questions_of(path: Path) -> list[Row]:
    """One a paraphrase; `43_medical_advice_0` is of the category medical_advice; dev and test by the digests of the texts."""
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries = said if isinstance(said, list) else next(value for value in said.values() if isinstance(value, list))
    rows = []
    for entry in entries:
        category = re.sub(r"^\d+_|_\d+$", "", str(entry["id"]))
        of_system = {"system": entry["system"]} if entry.get("system") else {}
        rows += [{"category": category, "prompt": text.strip(), **of_system} for text in entry["paraphrases"]]
    return _split(rows)


def held_out(pairs: list[Row], n: int, category: str) -> tuple[list[Row], list[Row]]:
    """(task, questions): the questions are the pairs whose prompts have the smallest digests."""
    if n >= len(pairs):
        sys.exit(f"{len(pairs)} pairs, of which {n} would be held out: none is left to train on")
    out = {row["prompt"] for row in sorted(pairs, key=_digest)[:n]}
    questions = _split([{"category": category, **row} for row in pairs if row["prompt"] in out])
    return [row for row in pairs if row["prompt"] not in out], questions


def _split(rows: list[Row]) -> list[Row]:
    """With `split`: within each category, every third by digest is for choosing."""
    place: dict[str, int] = {}
    splits = {}
    for row in sorted(rows, key=_digest):
        at = place[row["category"]] = place.get(row["category"], -1) + 1
        splits[_digest(row)] = "dev" if at % DEV_OF == 0 else "test"
    return [{"category": row["category"], "split": splits[_digest(row)], **row} for row in rows]


def _digest(row: Mapping[str, str]) -> str:
    return hashlib.sha256(f"{row.get('system') or ''}\0{row['prompt']}".encode()).hexdigest()


def _once(rows: Iterable[Row]) -> list[Row]:
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row["prompt"], row)
    return list(found.values())


def _chats(path: Path) -> Iterator[Row]:
    for row in _lines(path):
        said = {message["role"]: _text(message["content"]) for message in row["messages"]}
        if said.get("user") and said.get("assistant"):
            yield {"prompt": said["user"], "answer": said["assistant"]}


def _text(content: Any) -> str:
    """A text, or the parts of one."""
    parts = content.get("parts", []) if isinstance(content, dict) else [content]
    return "\n".join(part for part in parts if isinstance(part, str)).strip()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def _write(rows: Iterable[Row], path: Path) -> None:
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{path}: {len(rows)} lines")


def main() -> None:
    """As the module's first lines say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    whats = parser.add_subparsers(required=True, dest="what")
    chats, columns, questions = (whats.add_parser(name) for name in ("pairs", "columns", "questions"))
    chats.add_argument("--safe", type=Path, required=True)
    chats.add_argument("--unsafe", type=Path, required=True)
    columns.add_argument("file", type=Path)
    columns.add_argument("--prompt", default="prompt")
    columns.add_argument("--safe", required=True)
    columns.add_argument("--unsafe", required=True)
    questions.add_argument("file", type=Path)
    for one in (chats, columns, questions):
        one.add_argument("--to", type=Path, required=True)
    for one in (chats, columns):
        one.add_argument("--hold-out", type=int, default=0, metavar="N")
        one.add_argument("--category")
        one.add_argument("--questions", type=Path)
    said = parser.parse_args()
    if said.what == "questions":
        _write(questions_of(said.file), said.to)
        return
    if said.hold_out and not (said.category and said.questions):
        parser.error("--hold-out needs --category and --questions")
    of_columns = said.what == "columns"
    pairs = (
        pairs_of_columns(said.file, said.prompt, said.safe, said.unsafe) if of_columns else pairs_of_chats(said.safe, said.unsafe)
    )
    asked: list[Row] = []
    if said.hold_out:
        pairs, asked = held_out(pairs, said.hold_out, said.category)
        _write(asked, said.questions)
    _write(pairs, said.to)


if __name__ == "__main__":
    main()
