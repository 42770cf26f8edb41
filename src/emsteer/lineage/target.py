"""What a lineage is asked of: a file, an address, a number in `metrics.json`, the rows of a setting in a table."""

import csv
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emsteer import storage
from emsteer.errors import DataError
from emsteer.lineage.graph import Graph, Node
from emsteer.publishing import INDEX, REPORTS

DIGITS = re.compile(r"[0-9a-f]{10}")
INPUT_ADDRESS = re.compile(r"--(git|md5)-[0-9a-f]+$")
SETTING_COLUMNS = ("setting", "reference_setting")


@dataclass(frozen=True)
class Target:
    """What was asked for.

    Attributes:
        node: The artifact that holds it.
        about: What is there, in words.
        focus: Addresses of the artifacts of its settings; None where it is about all of them.
    """

    node: Node
    about: list[str] = field(default_factory=list)
    focus: frozenset[str] | None = None


def target_of(asked: str, graph: Graph) -> Target:
    """The artifact of a path or an address; what follows a `#` picks a number or a setting in it.

    Raises:
        DataError: There is no such thing, and what there is instead.
    """
    name, _, fragment = asked.partition("#")
    node, about = _node(name, graph)
    if not fragment:
        return Target(node, about)
    if name.endswith(".json"):
        value, settings = _number(Path(name), fragment)
        about.append(f"{fragment} = {value}")
    elif name.endswith(".csv"):
        about.append(f"{_rows(Path(name), fragment)} rows of {fragment}")
        settings = [fragment]
    else:
        raise DataError(
            f"{asked}: only numbers of a .json and settings of a .csv file can be picked, got {Path(name).suffix or name}."
        )
    return Target(node, about, _artifacts_of(settings, node, graph) if settings else None)


def _node(name: str, graph: Graph) -> tuple[Node, list[str]]:
    index: Mapping[str, Any] = storage.read_json(INDEX) if INDEX.exists() else {}
    path = Path(name)
    entry = index.get(path.relative_to(REPORTS).as_posix()) if path.is_relative_to(REPORTS) else None
    if entry:
        as_published = path.exists() and storage.sha256(path) == entry["sha256"]
        said = f"published from {entry['from']}, sha256 {entry['source_sha256']}"
        return graph.node(entry["from"]), [said if as_published else f"{said}; this file has other bytes: edited by hand?"]
    if INPUT_ADDRESS.search(name) or DIGITS.fullmatch(name):
        return graph.node(name), []
    for part in path.parts:
        if "--" in part:  # a file beside an artifact, in it, or itself
            slug, _, rest = part.rpartition("--")
            return graph.node(f"{slug}--{rest.partition('.')[0]}"), []
    inputs = [node for node in _input_files(graph) if node.path == path]
    if inputs:
        return inputs[0], []
    near = difflib.get_close_matches(name, [str(REPORTS / one) for one in index], n=3, cutoff=0.5)
    raise DataError(
        f"{name}: not an artifact of this study.\n  Expected a file under {REPORTS}/ or results/, an input file, or an address."
        + (f"\n  Did you mean {' or '.join(near)}?" if near else "")
    )


def _input_files(graph: Graph) -> Iterator[Node]:
    for address in {address for node in graph.planned() for group in node.inputs.values() for address in group}:
        if INPUT_ADDRESS.search(address):
            yield graph.node(address)


def _number(path: Path, key: str) -> tuple[str, list[str]]:
    """What stands under a dotted key, and the setting that it is about."""
    place: Any = storage.read_json(path)
    setting = None
    for step, part in enumerate(key.split(".")):
        if not isinstance(place, Mapping) or part not in place:
            there = ", ".join(place) if isinstance(place, Mapping) else "nothing: it is a number"
            raise DataError(f"{path}#{key}: no `{part}` under `{'.'.join(key.split('.')[:step]) or path}`.\n  There is {there}.")
        setting = place.get("setting", setting)
        place = place[part]
    if isinstance(place, Mapping):
        setting = place.get("setting", setting)
    text = storage.canonical_json(place)
    return (text if len(text) <= 100 else f"{text[:97]}…"), [setting] if setting else []


def _rows(path: Path, setting: str) -> int:
    with path.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    columns = [name for name in SETTING_COLUMNS if found and name in found[0]]
    names = {row[name] for row in found for name in columns}
    if setting not in names:
        near = difflib.get_close_matches(setting, names, n=3, cutoff=0.4)
        raise DataError(
            f"{path}: no row of the setting {setting}.\n  " + (f"Did you mean {' or '.join(near)}?" if near else "It names none.")
        )
    return sum(setting in (row[name] for name in columns) for row in found)


def _artifacts_of(settings: list[str], node: Node, graph: Graph) -> frozenset[str]:
    """Addresses that the rows of these settings name; a name without its seed is of all seeds."""
    from pydantic import TypeAdapter

    from emsteer.analysis.settings import name_of, setting_columns  # pandas: a second that most lineages do without
    from emsteer.recipes import LikenedRow, SettingRow, WitnessedRow

    kinds: TypeAdapter[Any] = TypeAdapter(SettingRow | WitnessedRow | LikenedRow)
    wanted = {name for setting in settings for name in setting.split(" + ")}
    found: set[str] = set()
    for table in graph.closure(node).values():
        for values in (table.recipe or {}).get("rows", ()):
            row = kinds.validate_python(values)  # each forbids what only another has
            columns = setting_columns(row.setting)
            if wanted & {name_of(columns), name_of(columns, seeded=False)}:
                found |= row.addresses
    return frozenset(found)
