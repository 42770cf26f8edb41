"""A study as a research object: an RO-Crate of the profile Provenance Run Crate 0.5, for catalogues and other people's tools.

The workflow, a step for each kind of artifact, a run for each artifact that has a run record, and what it read and made, with
sha256. In the zip lie input files, `params.yaml`, the recorded plan, what was published, and a card of every table; artifacts
themselves are named and stay where they are.

Source: https://w3id.org/ro/wfrun/provenance/0.5
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from emsteer import storage
from emsteer.errors import DataError
from emsteer.lineage.graph import INPUT, Graph, Node
from emsteer.lineage.show import runtime_of
from emsteer.plan import KINDS
from emsteer.publishing import INDEX, REPORTS
from emsteer.workspace import PLAN_DIR

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
LICENSE = "https://spdx.org/licenses/MIT"
DONE = "http://schema.org/CompletedActionStatus"


def published(graph: Graph) -> list[Node]:
    """The artifacts that `reports/` shows.

    Raises:
        DataError: Nothing is published.
    """
    if not INDEX.exists():
        raise DataError(f"{INDEX}: not there.\n  A crate is of what was published: run `snakemake` first.")
    return [graph.node(address) for address in dict.fromkeys(entry["from"] for entry in storage.read_json(INDEX).values())]


def write(target: Path, closure: Mapping[str, Node], cards: Iterable[tuple[str, str]], scratch: Path) -> int:
    """Writes the zip.

    Args:
        target: The file; one that is there is replaced.
        closure: Address → node, everything that is told of.
        cards: (name of a table, its card).
        scratch: Folder for what is written on the way.

    Returns:
        How many runs it tells of.

    Raises:
        DataError: No artifact has a run record.
    """
    made = [node for node in closure.values() if node.run]
    if not made:
        raise DataError(
            "a crate tells of runs, and no artifact of these has a run record here.\n  Run `snakemake`, or `emsteer rebuild`."
        )
    building = _Building(closure)
    building.describe(made)
    for name, card in cards:
        storage.write_text(scratch / f"{name}.md", card)
        building.file(scratch / f"{name}.md", f"cards/{name}.md", name=f"What the columns of {name}.csv mean")
    target.parent.mkdir(parents=True, exist_ok=True)
    storage.write_atomically(target, building.crate.write_zip)
    return len(made)


class _Building:
    """A crate in the making."""

    def __init__(self, closure: Mapping[str, Node]) -> None:
        self.crate = ROCrate(version="1.1")
        self.closure = closure
        self.index: Mapping[str, Mapping[str, str]] = storage.read_json(INDEX) if INDEX.exists() else {}

    def describe(self, made: Sequence[Node]) -> None:
        self._root(made)
        about = {"@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"], "name": "emsteer"}
        engine_version = version("snakemake")
        workflow = self.crate.add_workflow(
            "Snakefile", "Snakefile", main=True, lang="snakemake", lang_version=engine_version, properties=about
        )
        inputs = [self.file(Path("params.yaml"), name="The study"), *(self.file(path) for path in sorted(PLAN_DIR.glob("*.json")))]
        inputs += [self._artifact(node) for node in self.closure.values() if node.kind == INPUT]
        steps = self._steps(workflow, made)
        controls = [self._run(node, *steps[node.kind]) for node in made]
        results = [self._published(name, entry) for name, entry in self.index.items() if entry["from"] in self.closure]
        whole = self._action("#run", "The study", workflow, inputs, [one for one in results if one], _times(made))
        self.crate.root_dataset.append_to("mentions", whole)
        engine = self.thing("#snakemake", "SoftwareApplication", name="Snakemake", version=engine_version)
        self.thing("#organize", "OrganizeAction", name="Snakemake's run", instrument=engine, object=controls, result=whole)

    def _root(self, made: Sequence[Node]) -> None:
        root = self.crate.root_dataset
        self.crate.name = "emsteer: emergent misalignment under steering and finetuning"
        self.crate.description = (
            "A study by params.yaml: which artifact was made from which, when, where and by which code. Answers in it were written "
            "by language models that were made careless or worse on purpose."
        )
        self.crate.license = self.thing(LICENSE, "CreativeWork", name="MIT License", identifier=LICENSE)
        self.crate.datePublished = datetime.fromisoformat(max(node.run["finished"] for node in made))
        kinds = [self.thing(uri, "CreativeWork", name=name, version=number) for uri, (name, number) in PROFILES.items()]
        root["conformsTo"] = kinds

    def _steps(self, workflow: Any, made: Sequence[Node]) -> dict[str, tuple[Any, Any]]:
        """Kind → (rule, step) of kinds with a run."""
        found: dict[str, tuple[Any, Any]] = {}
        for kind in [kind for kind in KINDS if any(node.kind == kind for node in made)]:
            rule = self.file(Path(f"workflow/rules/{kind}.smk"), types=("File", "SoftwareSourceCode"), name=f"Makes {kind}")
            step = self.thing(f"#step-{kind}", "HowToStep", name=kind, position=str(len(found)), workExample=rule)
            workflow.append_to("hasPart", rule)
            workflow.append_to("step", step)
            found[kind] = (rule, step)
        return found

    def _run(self, node: Node, rule: Any, step: Any) -> Any:
        """The run of an artifact; returns the step's control of it."""
        inputs = {address: self._artifact(self.closure[address]) for group in node.inputs.values() for address in group}
        ended = datetime.fromisoformat(node.run["finished"])
        times = (ended - timedelta(seconds=node.run["seconds"]), ended)
        action = self._action(f"#run-{node.address}", node.address, rule, [*inputs.values()], [self._artifact(node)], times)
        commit = (node.run.get("code") or {}).get("commit", "unknown")
        action["description"] = f"Code {node.code} of commit {commit}. {runtime_of(node)}"
        self.crate.root_dataset.append_to("mentions", action)
        return self.thing(f"#control-{node.address}", "ControlAction", name=node.address, instrument=step, object=action)

    def _action(self, name: str, title: str, by: Any, read: list[Any], made: list[Any], times: tuple[datetime, datetime]) -> Any:
        started, ended = (time.isoformat(timespec="seconds") for time in times)
        about = {"name": title, "instrument": by, "object": read, "result": made, "startTime": started, "endTime": ended}
        return self.thing(name, "CreateAction", **about, actionStatus=DONE)

    def _artifact(self, node: Node) -> Any:
        if node.kind == INPUT:
            return self.file(node.path)
        known = self.crate.get(f"#{node.address}")
        about = {"sha256": node.run["sha256"], "contentSize": str(node.run["size"])} if node.run else {}
        recipe = storage.canonical_json(node.recipe or {})
        return known or self.thing(f"#{node.address}", "CreativeWork", name=node.address, description=recipe, **about)

    def _published(self, name: str, entry: Mapping[str, str]) -> Any:
        file = self.file(REPORTS / name, sha256=entry["sha256"])
        if file:
            file["isBasedOn"] = self._artifact(self.closure[entry["from"]])
        return file

    def file(self, path: Path, inside: str | None = None, types: Sequence[str] = ("File",), **about: Any) -> Any:
        """A file in the zip; None where it is not here."""
        name = inside or path.as_posix()
        if not path.exists():
            return None
        about = {"@type": list(types), "name": path.name, "contentSize": str(storage.size(path)), **about}
        return self.crate.get(name) or self.crate.add_file(str(path), name, properties=about)

    def thing(self, known_as: str, kind: str, **about: Any) -> Any:
        """Something that is no file, with what is known of it."""
        found = self.crate.add(ContextEntity(self.crate, known_as, properties={"@type": kind}))
        for key, value in about.items():
            found[key] = value
        return found


def _times(made: Sequence[Node]) -> tuple[datetime, datetime]:
    ends = [(datetime.fromisoformat(node.run["finished"]), node.run["seconds"]) for node in made]
    return min(end - timedelta(seconds=seconds) for end, seconds in ends), max(end for end, _ in ends)
