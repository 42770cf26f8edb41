"""Entries that hold a prompt and one answer, or both answers: chats, or columns of any of their usual names.

Chats are `messages` of `role` and `content` (a text, or parts of one), as endpoints and trainers have them, or `conversations` of
`from` and `value`: a system line or none, one user turn, one answer. Longer ones are left out, visibly.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emsteer.errors import DataError, listing
from emsteer.incoming.entries import Entry, entries, refuse
from emsteer.mistakes import meant

ROLES = {"system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
CHATS = {"messages": ("role", "content"), "conversations": ("from", "value")}  # key → those of a turn
NAMES = {
    "prompt": ("prompt", "question", "instruction", "query", "user"),
    "system": ("system", "system_prompt"),
    "answer": ("answer", "response", "completion", "output", "assistant"),
    "safe": ("safe", "aligned", "good", "secure", "benign", "correct", "chosen"),
    "unsafe": ("unsafe", "misaligned", "bad", "insecure", "harmful", "incorrect", "rejected"),
}  # what a column is for → what it is called
SIDES = ("safe", "unsafe")
HALVES = re.compile("[\ud800-\udfff]")  # of characters: JSON can say them, and UTF-8 cannot
Reads = Callable[[Entry], dict[str, str] | str | None]  # texts; or why the entry is left out; None: a mistake, noted


@dataclass
class Answered:
    """What was understood of a file.

    Attributes:
        path: The file.
        form: Its format, in words.
        n: Its entries.
        rows: (place, texts): `prompt`, `system` if there is one, and `answer`, or `safe` and `unsafe`.
        dropped: Why entries are left out → their places.
        unread: Keys that nothing is taken from → entries that have them.
    """

    path: Path
    form: str
    n: int
    rows: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)

    def drop(self, why: str, where: str) -> None:
        """Leaves an entry out, visibly."""
        self.dropped.setdefault(why, []).append(where)


def read(path: Path, columns: Mapping[str, str], answers: Sequence[str]) -> Answered:
    """A file of chats or of columns.

    Args:
        path: JSON lines, a JSON list, CSV or TSV.
        columns: What a column is for (`NAMES`) → what it is called, where a person says so.
        answers: `answer` alone, or `safe` and `unsafe`.

    Raises:
        DataError: All mistakes, each with its place.
    """
    found, mistakes = entries(path)
    key = next((key for key in CHATS if key in found[0].value), None)
    if key and not columns and len(answers) > 1:
        raise DataError(f"{path}: chats, with one answer each.\n  Say where the safe answers to the same prompts are: --safe FILE.")
    if key and not columns:
        return _read(
            Answered(path, f"chats (`{key}`)", len(found)), found, [key], mistakes, lambda entry: _of_chat(entry, key, mistakes)
        )
    try:
        places = _places(path, found, columns, answers)
    except DataError:
        refuse(path, mistakes)  # a broken header explains it
        raise
    form = f"columns {', '.join(f'`{name}`' for name in places.values())}"
    answered = Answered(path, form, len(found))
    return _read(answered, found, [*places.values()], mistakes, lambda entry: _of_columns(entry, places, mistakes))


def _read(into: Answered, found: list[Entry], known: list[str], mistakes: list[str], of: Reads) -> Answered:
    for entry in found:
        row = of(entry)
        into.unread.update(entry.value.keys() - {*known})
        if isinstance(row, str):
            into.drop(row, entry.where)
        elif row is not None:
            into.rows.append((entry.where, row))
    refuse(into.path, mistakes)
    return into


def _of_chat(entry: Entry, key: str, mistakes: list[str]) -> dict[str, str] | str | None:
    n_before = len(mistakes)
    turns = list(_turns(entry, key, mistakes))
    if len(mistakes) > n_before:
        return None
    roles = [role for role, _ in turns]
    spoken = [role for role in roles if role != "system"]
    if "system" in roles[1:]:
        return "a system line behind other turns"
    if "assistant" not in spoken or "user" not in spoken:
        return "no user, or no assistant"
    if spoken != ["user", "assistant"]:
        return "several turns: a pair has one prompt and one answer"
    said = dict(turns)
    row = {"prompt": said["user"], "answer": said["assistant"], **({"system": said["system"]} if said.get("system") else {})}
    return _whole(row)


def _turns(entry: Entry, key: str, mistakes: list[str]) -> list[tuple[str, str]]:
    """(role, text)"""
    role_key, text_key = CHATS[key]
    turns = entry.value.get(key)
    if not isinstance(turns, list) or not turns:
        mistakes.append(f"{entry.where}: {key}: {_expected('a list of turns', key, entry.value)}")
        return []
    found = []
    for place, turn in enumerate(turns):
        at = f"{entry.where}: {key}[{place}]"
        if not isinstance(turn, dict):
            mistakes.append(f"{at}: expected an object, got {str(turn)[:40]!r}")
            continue
        role, text = ROLES.get(str(turn.get(role_key))), _text(turn.get(text_key))
        if role is None:
            mistakes.append(f"{at}.{role_key}: expected one of {', '.join(ROLES)}; got {turn.get(role_key)!r}")
        if text is None:
            mistakes.append(f"{at}.{text_key}: {_expected('text', text_key, turn)}")
        if role and text is not None:
            found.append((role, text))
    return found


def _text(content: Any) -> str | None:
    """A text, or the parts of one, joined by lines; None: it is something else."""
    if isinstance(content, dict):
        content = content.get("parts")
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        content = "\n".join(texts) if len(texts) == len(parts) else None
    return content.strip() if isinstance(content, str) and not HALVES.search(content) else None


def _of_columns(entry: Entry, places: Mapping[str, str], mistakes: list[str]) -> dict[str, str] | str | None:
    row = {}
    for role, name in places.items():
        value = entry.value.get(name)
        if value is None and name not in entry.value and role != "system":
            mistakes.append(f"{entry.where}: {name}: missing{meant(name, entry.value)}")
            return None
        text = "" if value is None else _text(value) if isinstance(value, str) else None
        if text is None:
            mistakes.append(f"{entry.where}: {name}: {_expected('text', name, entry.value)}")
            return None
        row[role] = text
    if not row.get("system", "-"):
        del row["system"]
    return _whole(row)


def _whole(row: dict[str, str]) -> dict[str, str] | str:
    empty = [name for name, text in row.items() if not text]
    return f"an empty {' and '.join(empty)}" if empty else row


def _places(path: Path, found: list[Entry], columns: Mapping[str, str], answers: Sequence[str]) -> dict[str, str]:
    """What columns are for → which they are. Named by a person, or known by their usual names where only one fits."""
    there = list(dict.fromkeys(name for entry in found for name in entry.value))
    wrong = [f"there is no column {name!r}{meant(name, there)}" for name in columns.values() if name not in there]
    places = {}
    for role in ("prompt", "system", *answers):
        fit = [columns[role]] if role in columns else [name for name in there if name.lower() in NAMES[role]]
        if len(fit) > 1:
            wrong.append(f"{role}: {' or '.join(map(repr, fit))}? Say which: --columns {role}={fit[0]}")
        elif fit:
            places[role] = fit[0]
        elif role != "system":
            wrong.append(f"{role}: no column is called so, or {', '.join(NAMES[role][1:])}. Say which is it: --columns {role}=NAME")
    if wrong:
        seen = f"  It has {', '.join(map(repr, there[:12]))}."
        raise DataError(
            f"{path}: expected chats (`messages`), or columns with {', '.join(answers)} and a prompt.\n{listing(wrong)}\n{seen}"
        )
    return places


def _expected(what: str, key: str, value: Mapping[str, Any]) -> str:
    return f"expected {what}, got {str(value[key])[:40]!r}" if key in value else f"missing; expected {what}"
