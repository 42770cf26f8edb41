"""Accepted refactors: digests of code that stand for older ones, so that what moves no byte moves no address.

`accepted.json` lies in the package and is committed with the code that it speaks of: every clone plans with it.
"""

import contextlib
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from emsteer import storage
from emsteer.errors import StudyError
from emsteer.plan.digests import PACKAGE, ROOT, code_digest

FILE = f"{PACKAGE}/accepted.json"
KEPT = f"{PACKAGE}/plan/__pycache__/digests.json"


class Acceptance(BaseModel):
    """One digest of a module's code that stands for an older one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    module: str
    digest: str = Field(description="of the module's import closure as it is now")
    stands_for: str = Field(description="the digest that addresses are made with")
    reason: str = Field(min_length=1)
    commit: str = Field(description="that holds the code it was compared with")
    checked: bool = Field(description="whether a study gave the same bytes with both")


def read_accepted(root: Path = ROOT) -> list[Acceptance]:
    """What has been accepted for the source tree at `root`.

    Raises:
        StudyError: The file is not what `emsteer accept` writes.
    """
    path = root / FILE
    if not path.exists():
        return []
    try:
        return TypeAdapter(list[Acceptance]).validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StudyError(
            f"{path}: {where or 'the file'}: {first['msg']}.\n  Restore it with git; `emsteer accept` writes it."
        ) from None


class Digests(dict[str, str]):
    """Module → `standing_digest`, of sources with a `content`."""

    def __init__(self, content: str, known: dict[str, str]) -> None:
        super().__init__(known)
        self.content = content


def standing_digests(root: Path = ROOT) -> Digests:
    """Module → `standing_digest`, of those that anybody asked for since a file of the package changed; to be filled in.

    What another process kept for the same bytes is there already: to parse the sources takes longer than the rest of a plan.
    """
    return _known(root, tuple((str(path), stat.st_mtime_ns, stat.st_size) for path in _sources(root) for stat in [path.stat()]))


def keep_digests(known: Digests, root: Path = ROOT) -> None:
    """Keeps what `standing_digests` was filled with, where Python keeps bytecode, and as dispensable."""
    kept = {"sources": known.content, "digests": dict(sorted(known.items()))}
    if known and _kept(root) != kept and _content(root) == known.content:  # else somebody wrote while they were read
        with contextlib.suppress(OSError):  # the package may lie where nobody may write
            storage.write_text(root / KEPT, json.dumps(kept))


@functools.lru_cache(maxsize=2)
def _known(root: Path, _state: tuple[tuple[str, int, int], ...]) -> Digests:
    kept, content = _kept(root), _content(root)
    return Digests(content, kept["digests"] if kept.get("sources") == content else {})


def _kept(root: Path) -> dict[str, Any]:
    try:
        return json.loads((root / KEPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _content(root: Path) -> str:
    """Over the name and the bytes of every file of the package."""
    digest = hashlib.sha256()
    for path in _sources(root):
        digest.update(f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _sources(root: Path) -> list[Path]:
    return sorted(path for path in (root / PACKAGE).rglob("*") if path.parent.name != "__pycache__" and path.is_file())


def written(acceptances: list[Acceptance]) -> str:
    """The content of the file."""
    rows: list[dict[str, Any]] = [acceptance.model_dump() for acceptance in acceptances]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def standing_digest(module: str, accepted: list[Acceptance], root: Path = ROOT) -> str:
    """The digest that a module's addresses are made with: its own, or the older one that it stands for."""
    digest = code_digest(module, root=root)
    found = [one.stands_for for one in accepted if (one.module, one.digest) == (module, digest)]
    return found[-1] if found else digest
