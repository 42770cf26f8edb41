"""The graph of artifacts, from what git holds and what is at hand.

`plan/*.json` says what each planned artifact is made from; the passport says it of artifacts that are not planned any more.
Run records say how an artifact was made. A clone that has pulled nothing has the plan alone, and can walk all of it.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emsteer import packs, records, storage
from emsteer.errors import DataError
from emsteer.plan import KINDS
from emsteer.records import digits
from emsteer.workspace import PLAN_DIR

INPUT = "input"  # kind of a file that nothing makes


@dataclass(frozen=True)
class Node:
    """An artifact or an input file.

    Attributes:
        address: Of the artifact; of an input file its path and digest.
        kind: One of `KINDS`, or `input`.
        path: Where it lies, or would lie.
        inputs: Role → addresses.
        recipe: Its parameters; None for input files.
        code: Digest of the code that makes it, as its address knows it.
        planned: Whether the recorded plan names it.
    """

    address: str
    kind: str
    path: Path
    inputs: Mapping[str, tuple[str, ...]]
    recipe: Mapping[str, Any] | None = None
    code: str | None = None
    planned: bool = True

    @property
    def name(self) -> str:
        """Its address without the digits: for people."""
        return self.address.partition("--")[0]

    @functools.cached_property
    def is_here(self) -> bool:
        """Whether its bytes are at hand."""
        return self.path.exists()

    @functools.cached_property
    def size(self) -> int | None:
        """Of all its files [bytes]; None where it is not at hand."""
        return storage.size(self.path) if self.is_here else None

    @functools.cached_property
    def run(self) -> Mapping[str, Any]:
        """Its run record; empty where it is not at hand."""
        record = records.record_of(self.path)
        return storage.read_json(record) if self.kind != INPUT and record.exists() else {}


class Graph:
    """Nodes by address. Identity is the digits: a name that changed finds the artifact that kept them."""

    def __init__(self) -> None:
        """Reads `plan/*.json` of the folder of the study."""
        self._nodes: dict[str, Node] = {}
        for kind, suffix in ((kind.name, kind.suffix) for kind in KINDS.values()):
            path = PLAN_DIR / f"{kind}.json"
            for address, record in (storage.read_json(path) if path.exists() else {}).items():
                inputs = {role: tuple(names) for role, names in record["inputs"].items()}
                at = packs.RESULTS / kind / f"{address}{suffix}"
                self._nodes[digits(address)] = Node(address, kind, at, inputs, record["recipe"], record["code"])

    def planned(self) -> Iterator[Node]:
        """What the recorded plan names."""
        yield from (node for node in self._nodes.values() if node.planned)

    def node(self, address: str) -> Node:
        """The node of an address or of its digits.

        Raises:
            DataError: Neither the plan nor the folder of results knows it.
        """
        found = self._nodes.get(digits(address)) or _input(address) or _unplanned(digits(address))
        if found is None:
            raise DataError(
                f"{address}: neither in {PLAN_DIR}/*.json nor in {packs.RESULTS}/.\n"
                "  Expected a planned artifact or one that is at hand. `emsteer plan` records the plan of params.yaml."
            )
        return self._nodes.setdefault(digits(address), found)

    def inputs(self, node: Node, focus: frozenset[str] | None = None) -> Iterator[tuple[str, Node]]:
        """(role, node) of what it is made from; of a table of many settings only those of `focus`, addresses."""
        narrowed = focus is not None and "rows" in (node.recipe or {})
        for role, addresses in node.inputs.items():
            for address in addresses:
                found = self.node(address)
                if not narrowed or found.kind in ("tables", "figures") or address in (focus or ()):
                    yield role, found

    def closure(self, node: Node, focus: frozenset[str] | None = None, depth: int | None = None) -> dict[str, Node]:
        """The node and all that it is made from, nearest first. `depth`: how many steps up; None: all."""
        found = {node.address: node}
        edge = [node]
        while edge and (depth is None or depth > 0):
            above = {up.address: up for one in edge for _, up in self.inputs(one, focus) if up.address not in found}
            found |= above
            edge = list(above.values())
            depth = None if depth is None else depth - 1
        return found

    def upstream_first(self, roots: Iterable[Node]) -> list[Node]:
        """The roots and all that they are made from, what is read before what reads it."""
        found: dict[str, Node] = {}

        def visit(node: Node) -> None:
            if node.address not in found:
                for _, above in self.inputs(node):
                    visit(above)
                found[node.address] = node

        for root in roots:
            visit(root)
        return list(found.values())


def _input(address: str) -> Node | None:
    path, _, digest = address.rpartition("--")
    return Node(address, INPUT, Path(path), {}) if digest.startswith(("git-", "md5-")) else None


def _unplanned(name: str) -> Node | None:
    """An artifact of another plan that is still at hand, by its passport."""
    for shelf in (packs.RESULTS, packs.RETIRED):
        for kind in KINDS.values():
            for path in (shelf / kind.name).glob(f"*--{name}{kind.suffix}"):
                passport = storage.read_passport(path)
                inputs = {role: tuple(of) for role, of in passport["inputs"].items()}
                return Node(passport["address"], kind.name, path, inputs, passport["recipe"], passport["code"], planned=False)
    return None
