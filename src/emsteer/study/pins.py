"""Pin files: what planning knows of a model that it does not read."""

import functools
import json
from pathlib import Path
from typing import Any

from pydantic import AfterValidator, ValidationError, ValidationInfo

from emsteer.mistakes import mistakes
from emsteer.recipes import ModelShape, Pin, Source


def read(path: str) -> Pin:
    """The pin in a file.

    Raises:
        ValueError: There is no file, or it is not what `emsteer model pin` writes.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError("expected a pin file; there is none. `emsteer model pin NAME`, with the model's name, writes it")
    return _read(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _read(file: Path, _version: int) -> Pin:
    try:
        return Pin.model_validate_json(file.read_bytes(), strict=True)
    except ValidationError as error:
        raise ValueError(f"expected what `emsteer model pin` writes; {mistakes(error, Pin)[0]}") from None


def shape_of(entry: object) -> ModelShape | None:
    """Of a model that a study file names, read leniently: None where its pin cannot be read; that is reported where it stands."""
    try:
        return read(str(entry["pin"])).shape if isinstance(entry, dict) else None
    except (KeyError, ValueError):
        return None


def _of_this_model(path: str, info: ValidationInfo) -> str:
    """The pin is of the model that the entry names; nothing is looked at where the pin is about to be written."""
    if (info.context or {}).get("pin"):
        return path
    pin = read(path)
    said = {name: Path(value).name if name == "file" else value for name, value in info.data.items() if name in Source.model_fields}
    others = [f"{name} {getattr(pin, name)!r}" for name, value in said.items() if getattr(pin, name) != value]
    if others:
        raise ValueError(f"expected the pin of this model; it has {', '.join(others)}. `emsteer model pin` writes it anew")
    return path


PinFile = AfterValidator(_of_this_model)


def written(pin: Pin) -> str:
    """The content of a pin file."""
    said: dict[str, Any] = {name: value for name, value in pin.model_dump(mode="json").items() if value is not None}
    return json.dumps({"licence": None, **said}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
