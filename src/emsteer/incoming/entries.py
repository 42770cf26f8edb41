"""Files as entries, whatever they are written in: JSON lines, a JSON list, CSV or TSV, compressed or not.

A byte order mark, CRLF, a missing last newline, empty lines, newlines inside of CSV fields and characters that only Unicode calls
the end of a line are ordinary. Whatever is broken is a mistake with its place, and all of them are shown at once.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emsteer.errors import DataError, listing

MOST_SHOWN = 20
GZIP = b"\x1f\x8b"
LONGEST_FIELD = 2**30  # of CSV [characters]


@dataclass(frozen=True)
class Entry:
    """One of a file.

    Attributes:
        where: As a person finds it: `line 3`, `item 3`.
        value: Key or column → what stands there.
    """

    where: str
    value: dict[str, Any]


def entries(path: Path) -> tuple[list[Entry], list[str]]:
    """Every entry of a file, in its order; and what is wrong with others, each with its place.

    Raises:
        DataError: It cannot be read, or holds nothing.
    """
    text = text_of(path)
    mistakes: list[str] = []
    found = list(_parser_of(path, text)(text, mistakes))
    if not found:
        refuse(path, mistakes or ["nothing in it"])
    return found, mistakes


def refuse(path: Path, mistakes: list[str]) -> None:
    """Raises a DataError, if there are any mistakes."""
    if mistakes:
        more = f"\n  and {len(mistakes) - MOST_SHOWN:,} more." if len(mistakes) > MOST_SHOWN else ""
        n = f"{len(mistakes):,} mistake{'s' if len(mistakes) > 1 else ''}"
        raise DataError(f"{path}: {n}; nothing was written.\n{listing(mistakes[:MOST_SHOWN])}{more}")


def text_of(path: Path) -> str:
    """The text of a file, unpacked, without a byte order mark.

    Raises:
        DataError: It is not there, broken, or not UTF-8.
    """
    try:
        content = path.read_bytes()
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8.\n  Save the file in UTF-8.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: a broken gzip file ({error}).\n  Fetch it again.") from None
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"{path}: {str(error.strerror).lower()}; expected a file.") from None


def _parser_of(path: Path, text: str) -> Callable[[str, list[str]], Iterator[Entry]]:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    begins = text.lstrip()[:1]
    if begins == "[" or (begins == "{" and suffix == ".json" and not _is_lines(text)):
        return _json_list
    if begins == "{" or suffix in (".jsonl", ".json", ".ndjson"):
        return _json_lines
    return _tab_separated if suffix == ".tsv" else _comma_separated


def _is_lines(text: str) -> bool:
    """Many files that are called .json hold JSON lines: several, of which the first is whole by itself."""
    first, *others = text.strip().split("\n")
    try:
        json.loads(first)
    except json.JSONDecodeError:
        return False
    return bool(others)


def _json_lines(text: str, mistakes: list[str]) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield from _entry(f"line {number}", _parsed(line), mistakes)
            except ValueError as error:
                mistakes.append(f"line {number}: {error}")


def _json_list(text: str, mistakes: list[str]) -> Iterator[Entry]:
    """A list of objects, or the only list in an object."""
    try:
        whole = _parsed(text)
    except ValueError as error:
        mistakes.append(str(error))
        return
    lists = [value for value in whole.values() if isinstance(value, list)] if isinstance(whole, dict) else [whole]
    if len(lists) != 1:
        mistakes.append(f"expected a list of objects, or an object with one list in it; it has {len(lists)}")
        return
    for number, value in enumerate(lists[0], 1):
        yield from _entry(f"item {number}", value, mistakes)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = _twice([key for key, _ in pairs])
    if twice:
        raise ValueError(f"the key {twice[0]!r} stands there twice")
    return dict(pairs)


def _entry(where: str, value: Any, mistakes: list[str]) -> Iterator[Entry]:
    if isinstance(value, dict):
        yield Entry(where, value)
    else:
        mistakes.append(f"{where}: expected an object, got {str(value)[:40]!r}")


def _comma_separated(text: str, mistakes: list[str]) -> Iterator[Entry]:
    return _separated(text, mistakes, ",")


def _tab_separated(text: str, mistakes: list[str]) -> Iterator[Entry]:
    return _separated(text, mistakes, "\t")


def _separated(text: str, mistakes: list[str], by: str) -> Iterator[Entry]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=by, strict=True)
    header: list[str] = []
    begins = 1
    try:
        for cells in reader:
            where, begins = f"line {begins}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                mistakes += [f"{where}: two columns are called {name!r}" for name in _twice(header)]
            elif len(cells) != len(header):
                mistakes.append(f"{where}: expected {len(header)} fields, as in the first line; got {len(cells)}")
            else:
                yield Entry(where, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        mistakes.append(f"line {begins}: not CSV: {error}")


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
