"""Addresses: a readable slug and ten hex digits that stand for everything an artifact's bytes can depend on."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from emsteer.errors import DataError
from emsteer.records import digits
from emsteer.storage import canonical_json
from emsteer.study.cards import is_awaited
from emsteer.study.shape import card_file

DIGITS = 10


def address(kind: str, slug: str, recipe: object, inputs: Mapping[str, Sequence[str]], code: str) -> str:
    """`slug--digits`; the slug is for people, the digits hash kind, recipe, input digits and code digest."""
    parts = {role: [digits(name) for name in names] for role, names in inputs.items()}
    text = canonical_json({"kind": kind, "recipe": recipe, "inputs": parts, "code": code})
    return f"{slug}--{hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"


def raw_address(path: str) -> str:
    """`path--digest` of an input file: the md5 in its .dvc pointer (a clone plans before it pulls), or else its git blob.

    Of a file that is not here yet, that of its card: nothing can be computed under such an address.
    """
    pointer = Path(f"{path}.dvc")
    if pointer.is_file():
        try:
            md5 = yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"]
        except (yaml.YAMLError, KeyError, IndexError, TypeError) as error:
            raise DataError(f"{pointer}: not a .dvc pointer ({error!r}).\n  Run `dvc add {path}` again.") from None
        if Path(path).is_file() and hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest() != md5:
            raise DataError(f"{path}: its bytes are not those of {pointer}.\n  Run `dvc add {path}`, or `dvc checkout {pointer}`.")
        return f"{path}--md5-{md5}"
    data = (card_file(path) if is_awaited(path) else Path(path)).read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return f"{path}--{'card' if is_awaited(path) else 'git'}-{blob}"
