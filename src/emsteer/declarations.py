"""Which declarations of claims were published, and which of them when there were results to look at already.

`reports/declarations.json` keeps one entry for each declaration that was ever published here, in order: a claim whose declaration
changes gets another one, and one that is withdrawn keeps its own. What is late is said on the page and in the README.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emsteer import storage
from emsteer.errors import DataError

PLACE = "<!-- declarations -->"  # in the page
Entries = list[dict[str, Any]]


def known(path: Path) -> Entries:
    """What was published so far.

    Raises:
        DataError: A merge, or a hand, left something else there.
    """
    found = storage.read_json(path) if path.exists() else []
    names = {"claim", "digest", "declared", "after_results", "published"}
    if not (isinstance(found, list) and all(isinstance(entry, dict) and entry.keys() == names for entry in found)):
        raise DataError(
            f"{path}: expected a list of entries with {', '.join(sorted(names))}.\n"
            "  It says which claims were declared when there were results already: take it from git, with entries of both sides."
        )
    return found


def noted(before: Sequence[Mapping[str, Any]], table: bytes, *, after_results: bool) -> Entries:
    """The entries with those of a table of claims (CSV of `schemas.Claims`); `after_results`: something was published before."""
    now = {(row["claim"], row["digest"]): row["declared"] for row in csv.DictReader(table.decode("utf-8").splitlines())}
    entries = [{**entry, "published": (entry["claim"], entry["digest"]) in now} for entry in before]
    there = {(entry["claim"], entry["digest"]) for entry in entries}
    for (claim, digest), declared in sorted(now.items()):
        if (claim, digest) not in there:
            late = {"after_results": after_results, "published": True}
            entries.append({"claim": claim, "digest": digest, "declared": declared, **late})
    return entries


def text(entries: Sequence[Mapping[str, Any]]) -> str:
    """As the file has it: an entry a line."""
    return "[\n" + ",\n".join(f" {json.dumps(entry)}" for entry in entries) + "\n]\n" if entries else "[]\n"


def said(entries: Sequence[Mapping[str, Any]]) -> str:
    """What readers must know of them; nothing where every claim was declared before there were results."""
    now = [entry for entry in entries if entry["published"]]
    late = [entry["claim"] for entry in now if entry["after_results"]]
    gone = sorted({entry["claim"] for entry in entries} - {entry["claim"] for entry in now})
    changed = [claim for claim in late if sum(entry["claim"] == claim for entry in entries) > 1]
    parts = []
    if late:
        which = "All" if len(late) == len(now) else f"{len(late)} of {len(now)}"
        parts.append(f"{which} claims were declared when results of this study had been published already")
    parts += [f"changed since: {', '.join(changed)}"] if changed else []
    parts += [f"withdrawn: {', '.join(gone)}"] if gone else []
    return f"{'; '.join(parts)} (`reports/declarations.json`)." if parts else ""


def on_page(page: bytes, entries: Sequence[Mapping[str, Any]]) -> bytes:
    """The page with what is said of the declarations at its place."""
    told = said(entries).replace("`reports/declarations.json`", "<code>reports/declarations.json</code>")
    return page.replace(PLACE.encode(), f"<p><strong>{told}</strong></p>".encode()) if told else page
