"""YAML as a study file may use it: nothing is guessed, and every value knows its line.

YAML 1.1 reads `yes` as a truth value, `010` as eight, `1:30` as ninety and `1e-3` as text, and lets a key that stands twice win
silently. Here numbers are decimal (`1`, `1.0`, `1e0` and `1e-3` are), `true` and `false` are truth values, and everything else
is text: the shape of the file says where text is a mistake.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from emsteer.errors import ConfigError, listing
from emsteer.mistakes import mistakes, of_yaml

MARKERS = re.compile(r"^(<{7}|>{7}|\|{7})( |$)|^={7}$")
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+|\.)?([eE][-+]?[0-9]+)?")
EXACT = 2**53  # integers below are floats without loss
Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class Written:
    """What a file says.

    Attributes:
        value: Nested dictionaries and lists; numbers that are whole are `int`, minus zero is zero.
        lines: Dotted path → line, 1-based; `models.mini.n_layers`, `sweeps.trained.doses.0`.
        twice: A mistake for each key that stands twice in one mapping.
    """

    value: Any
    lines: Mapping[str, int] = field(default_factory=dict)
    twice: Sequence[str] = ()


class _Loader(yaml.SafeLoader):
    """Safe, with the scalars above."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (as its parent has it)


def _number(_loader: Any, node: yaml.ScalarNode) -> int | float:
    return int(node.value) if INTEGER.fullmatch(node.value) else float(node.value)


SCALARS = {  # tag → what is written so, and the letters that it may begin with
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (INTEGER.pattern, "-+0123456789"),
    "float": (rf"(?=.*[0-9])(?:{DECIMAL.pattern})|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}
for _tag, (_pattern, _first) in SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def read(path: Path) -> Written:
    """The content of a YAML file.

    Raises:
        ConfigError: It is not there, not UTF-8 or not YAML.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Run in the folder of a study.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8.\n  Save the file in UTF-8.") from None
    marked = [number for number, line in enumerate(text.splitlines(), 1) if MARKERS.match(line)]
    if marked:
        raise ConfigError(
            f"{path}, line {marked[0]}: a merge has left its markers.\n  Choose what the file shall say, and remove them."
        )
    try:
        return _written(_Loader(text))
    except yaml.YAMLError as error:
        raise ConfigError(of_yaml(path, error)) from None


def _written(loader: _Loader) -> Written:
    node = loader.get_single_node()
    if node is None:
        return Written(None)
    twice = list(_twice(node, ""))  # before merge keys are resolved: a key may override what it merges
    value = loader.construct_document(node)
    return Written(plain(value), dict(_lines(node, "")), twice)


def _twice(node: yaml.Node, place: str, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    if id(node) in seen:
        raise yaml.MarkedYAMLError(problem="an anchor refers to itself", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in first:
                yield f"line {line}, {place}{name}: stands a second time; first in line {first[name]}"
            first.setdefault(name, line)
            yield from _twice(value, f"{place}{name}.", seen | {id(node)})
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _twice(value, f"{place}{index}.", seen | {id(node)})


def _lines(node: yaml.Node, place: str) -> Iterator[tuple[str, int]]:
    """Of a node whose merge keys are resolved: what was merged has the line where it is written."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{place}{key.value}"
            yield name, key.start_mark.line + 1
            yield from _lines(value, f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield f"{place}{index}", value.start_mark.line + 1
            yield from _lines(value, f"{place}{index}.")


def checked(written: Written, name: str, shape: type[Shape], context: Any = None) -> Shape:
    """What a file says, as it is expected.

    Raises:
        ConfigError: Every mistake in it, each with its line, its dotted path, what was expected and what was found.
    """
    unnamed = [f"{place}: expected text; got {key!r}: put it in quotes" for place, key in _keys_that_are_no_text(written.value)]
    found, value = [], None
    try:
        value = shape.model_validate_json(json.dumps(written.value), strict=True, context=context)
    except ValidationError as error:
        found = mistakes(error, shape)
    found = [*written.twice, *(_at_its_line(mistake, written.lines) for mistake in (*unnamed, *found))]
    if value is None or found:
        count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
        raise ConfigError(f"{name}: {count}; nothing was run.\n{listing(found)}")
    return value


def _keys_that_are_no_text(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        here = f"{place}.{key}" if place else str(key)
        if isinstance(value, dict) and not isinstance(key, str):
            yield here, key
        yield from _keys_that_are_no_text(one, here)


def _at_its_line(mistake: str, lines: Mapping[str, int]) -> str:
    """The mistake behind the line of its place, or of what holds its place where it is missing."""
    place = mistake.partition(": ")[0]
    while place and place not in lines:
        place = place.rpartition(".")[0]
    return f"line {lines[place]}, {mistake}" if place else mistake


def plain(value: Any) -> Any:
    """One spelling of every number: whole ones are `int` (minus zero with them)."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < EXACT else value
