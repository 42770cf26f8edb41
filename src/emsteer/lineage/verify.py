"""Verification: the bytes of every artifact against its run record, its passport against the plan, and both along the way."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emsteer import records, storage
from emsteer.errors import DataError
from emsteer.lineage.graph import INPUT, Graph, Node
from emsteer.lineage.target import target_of
from emsteer.plan.addresses import address, raw_address
from emsteer.publishing import INDEX, REPORTS
from emsteer.records import digits

AGAIN = "Delete it and run again: it is computed anew, or `dvc checkout` it"
PUBLISH = "Run `emsteer publish`"


@dataclass
class Verified:
    """What was looked at.

    Attributes:
        n_sound: Artifacts, input files and published files that are what they should be.
        absent: Names of artifacts that are not at hand; nothing is said about them.
        faults: Everything that is wrong, with what to do.
    """

    n_sound: int = 0
    absent: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def note(self, faults: Iterable[str]) -> None:
        """Counts one thing that was looked at."""
        found = list(faults)
        self.faults += found
        self.n_sound += not found


def verify(asked: Iterable[str], graph: Graph, *, quick: bool = False) -> Verified:
    """Everything that the plan names and everything that is published, or what is asked for and all that it is made from.

    Args:
        asked: Paths, addresses; empty: everything.
        graph: Of the study.
        quick: Presence and size only.

    Raises:
        DataError: What is asked for is not known, or an index cannot be read.
    """
    names = [name.partition("#")[0] for name in asked]
    roots = [target_of(name, graph).node for name in names] if names else list(graph.planned())
    found = Verified()
    _Shelf(graph, found, quick=quick).look(graph.upstream_first(roots))
    for name, entry in _index().items():
        if not names or str(REPORTS / name) in names:
            found.note(_of_published(name, entry, graph, quick=quick))
    return found


class _Shelf:
    """Artifacts, each hashed once."""

    def __init__(self, graph: Graph, found: Verified, *, quick: bool) -> None:
        self.graph = graph
        self.found = found
        self.quick = quick
        self.digests: dict[Path, str] = {}

    def look(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if not node.is_here:
                self.found.absent.append(node.address)
            elif node.kind == INPUT:
                self.found.note(self._of_input(node))
            else:
                self.found.note(self._of_artifact(node))

    def _digest(self, path: Path) -> str:
        if path not in self.digests:
            self.digests[path] = storage.sha256(path)
        return self.digests[path]

    def _of_input(self, node: Node) -> Iterator[str]:
        if not self.quick and raw_address(str(node.path)) != node.address:
            yield f"{node.path}: other bytes than the plan was made with. Run `emsteer plan`, or restore the file with git"

    def _of_artifact(self, node: Node) -> Iterator[str]:
        """A broken run record or passport is one fault and ends the look at this artifact."""
        record: Mapping[str, Any] = node.run
        if not record:
            yield f"{node.path}: has no run record beside it. {AGAIN}"
        elif digits(record["address"]) != digits(node.address):
            yield f"{records.record_of(node.path)}: is of {record['address']}. {AGAIN}"
        elif "size" in record and storage.size(node.path) != record["size"]:
            yield f"{node.path}: {storage.size(node.path):,} bytes where its run made {record['size']:,}. {AGAIN}"
        elif not self.quick and self._digest(node.path) != record["sha256"]:
            yield f"{node.path}: other bytes than its run made. {AGAIN}"
        elif not self.quick:
            try:
                passport = storage.read_passport(node.path)
                yield from self._of_passport(node, passport)
            except DataError as error:
                yield str(error)
            except (KeyError, TypeError, AttributeError) as error:
                yield f"{node.path}: its passport lacks {error}. {AGAIN}"

    def _of_passport(self, node: Node, passport: Mapping[str, Any]) -> Iterator[str]:
        """It is of this artifact, its address follows from it, and the inputs have the bytes that it names."""
        own = address(node.kind, node.name, passport["recipe"], _inputs(node, passport), passport["code"])
        if digits(passport["address"]) != digits(node.address):
            yield f"{node.path}: holds the passport of {passport['address']}. {AGAIN}"
        elif digits(own) != digits(node.address) and (node.planned or not _repeats(passport)):
            yield f"{node.path}: its passport was edited: recipe, inputs and code in it give the digits {digits(own)}. {AGAIN}"
        for group in passport["inputs"].values():
            for name, digest in group.items():
                source = self.graph.node(name)
                if source.is_here and self._digest(source.path) != digest:
                    yield f"{node.path}: was made from other bytes of {name} than those at hand. {AGAIN}"


def _inputs(node: Node, passport: Mapping[str, Any]) -> dict[str, list[str]]:
    """Role → addresses of the passport, in the order and as often as the plan has them: a vector may steer several layers."""
    found = {}
    for role, group in passport["inputs"].items():
        planned = node.inputs.get(role, ())
        found[role] = list(planned if {*map(digits, planned)} == {*map(digits, group)} else group)
    return found


def _repeats(passport: Mapping[str, Any]) -> bool:
    """Whether an input may play its role twice: a passport names it once, so the address does not follow from it alone."""
    return len(passport["recipe"].get("treatments", ())) > 1


def _index() -> Mapping[str, Mapping[str, str]]:
    index = storage.read_json(INDEX) if INDEX.exists() else {}
    if not all(isinstance(entry, dict) and {"from", "sha256", "source_sha256"} <= set(entry) for entry in index.values()):
        raise DataError(f"{INDEX}: not what `emsteer publish` writes. {PUBLISH}.")
    return index


def _of_published(name: str, entry: Mapping[str, str], graph: Graph, *, quick: bool) -> Iterator[str]:
    """A file under `reports/`: its bytes, and that it is of an artifact that the plan names."""
    path = REPORTS / name
    source = graph.node(entry["from"]) if _knows(graph, entry["from"]) else None
    if not path.exists():
        yield f"{path}: not there. {PUBLISH}"
    elif not quick and storage.sha256(path) != entry["sha256"]:
        yield f"{path}: other bytes than were published: edited by hand? {PUBLISH}, or restore it with git"
    elif source is None or not source.planned:
        yield f"{path}: published from {entry['from']}, which the plan does not name: it is older than what it shows. {PUBLISH}"
    elif not quick and source.is_here and storage.sha256(source.path) != entry["source_sha256"]:
        yield f"{path}: published from other bytes of {entry['from']} than those at hand. {PUBLISH}"


def _knows(graph: Graph, name: str) -> bool:
    try:
        graph.node(name)
    except DataError:
        return False
    return True
