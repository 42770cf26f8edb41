"""pydantic's complaints about a study file, in the words of the person who wrote it."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

Place = tuple[str | int, ...]
KEY = "[key]"  # what pydantic calls the place of a key that is wrong itself
NOUNS: dict[Any, str] = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false",
    tuple: "a list", list: "a list", dict: "a mapping",
}  # fmt: skip
WORDS = {
    "Input should be ": "expected ",
    "String should ": "expected a string that should ",
    **dict.fromkeys(("a valid tuple", "a valid list", "a valid array"), "a list"),
    **dict.fromkeys(("a valid dictionary", "an object"), "a mapping"),
    **dict.fromkeys((", unable to parse string as an integer", ", unable to parse string as a number"), ""),
    "a valid string": "text",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}


def mistakes(error: ValidationError, root: Any) -> list[str]:
    """One line per mistake: dotted path, what was expected, what was found. `root`: the model, or the union, that was expected."""
    details = error.errors()
    places = [detail["loc"] for detail in details]
    return [
        _line(detail, root) for detail in details if not (detail["type"] == "too_short" and _is_consequence(detail["loc"], places))
    ]


def meant(name: str, known: Iterable[Any]) -> str:
    """` Did you mean …?`, where some known name is close."""
    close = difflib.get_close_matches(name, [str(one) for one in known], 1)
    return f". Did you mean `{close[0]}`?" if close else ""


def _is_consequence(place: Place, places: list[Place]) -> bool:
    """Pydantic calls a list too short, too, when its only item is wrong."""
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _line(detail: Any, root: Any) -> str:
    where, shape = _follow(detail["loc"], root)
    over, parent = _follow(detail["loc"][:-1], root)
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        allowed = sorted(parent.model_fields) if _is_model(parent) else []
        return f"{where}: unknown key; allowed: {', '.join(allowed)}{meant(name, allowed)}"
    if detail["type"] == "missing":
        field = parent.model_fields[name] if _is_model(parent) else None
        about = f" ({field.description})" if field is not None and field.description else ""
        return f"{where}: missing; expected {_word(shape)}{about}"
    if detail["type"] == "union_tag_invalid":
        tag = detail["ctx"]["discriminator"].strip("'")
        return f"{where}.{tag}: expected one of {detail['ctx']['expected_tags']}; got {detail['ctx']['tag']!r}"
    if detail["type"] == "union_tag_not_found":
        tag = detail["ctx"]["discriminator"].strip("'")
        allowed = sorted(str(value) for option in get_args(shape) for value in _literals(option, tag))
        return f"{where}.{tag}: missing; expected one of {', '.join(map(repr, allowed))}"
    found = "nothing" if detail["input"] is None else repr(detail["input"])
    if name == KEY and detail["type"] == "string_pattern_mismatch":
        return f"{over}: expected letters and digits, in words joined by one - or _; got {found}"
    if name == KEY:
        return f"{over}: {_expected(detail)}; got {found}"
    return f"{where}{': ' if where else ''}{_expected(detail)}; got {found}"


def _expected(detail: Any) -> str:
    """The message of pydantic in the words of this project: `expected …`."""
    if detail["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return "expected a mapping"
    if detail["type"] == "too_short":
        n = detail["ctx"]["min_length"]
        return f"expected at least {n} {'entry' if n == 1 else 'entries'}"
    message = detail["msg"].removeprefix("Value error, ")
    for theirs, ours in WORDS.items():
        message = message.replace(theirs, ours)
    return f"{message[:1].lower()}{message[1:]}"


def _word(shape: Any) -> str:
    """What a type is called in a file."""
    if get_origin(shape) is Literal:
        return f"one of {', '.join(map(repr, get_args(shape)))}" if len(get_args(shape)) > 1 else repr(get_args(shape)[0])
    return "a mapping" if _is_model(shape) else NOUNS.get(get_origin(shape) or shape, "a value")


def of_yaml(path: Path, error: yaml.YAMLError) -> str:
    """What keeps a file from being YAML, and in which line."""
    if isinstance(error, yaml.reader.ReaderError):
        said = f"a character that YAML does not allow, {chr(error.character)!r}, after {error.position:,} others"
        return f"{path}: not YAML: {said}."
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
    return f"{path}{f', line {mark.line + 1}' if mark else ''}: not YAML: {said}."


def _follow(place: Place, root: Any) -> tuple[str, Any]:
    """The dotted path as the file has it (pydantic adds the tag of a union to its own), and the type that belongs there."""
    names: list[str] = []
    shape: Any = root
    for part in place:
        shape = _bare(shape)
        if get_origin(shape) in (Union, UnionType):
            options = get_args(shape)
            tagged = next((option for option in options if part in _tags(option)), None)
            shape = tagged or next((option for option in options if _is_model(option) and part in option.model_fields), None)
            if tagged:
                continue
        names.append(str(part))
        if _is_model(shape):
            shape = shape.model_fields[part].annotation if part in shape.model_fields else None
        else:
            arguments = [argument for argument in get_args(shape) if argument is not Ellipsis]
            shape = arguments[-1] if arguments else None
    return ".".join(names), _bare(shape)


def _bare(shape: Any) -> Any:
    """A type without its annotations, and without the `None` that it may be instead."""
    if get_origin(shape) is Annotated:
        return _bare(get_args(shape)[0])
    options = [option for option in get_args(shape) if option is not NoneType] if get_origin(shape) in (Union, UnionType) else []
    return _bare(options[0]) if len(options) == 1 else shape


def _tags(option: Any) -> set[Any]:
    """The values of every `Literal` field of a model."""
    return {value for field in option.model_fields for value in _literals(option, field)} if _is_model(option) else set()


def _literals(model: Any, field: str) -> tuple[Any, ...]:
    annotation = model.model_fields[field].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _is_model(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)
