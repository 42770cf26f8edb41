"""A lineage on one screen, as JSON, and as a graph."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emsteer.errors import DataError
from emsteer.lineage.graph import INPUT, Graph, Node
from emsteer.lineage.origins import Origins, leaves
from emsteer.lineage.target import Target
from emsteer.packs import RESULTS
from emsteer.plan.accepted import Acceptance
from emsteer.plan.digests import PACKAGE
from emsteer.publishing import RUNTIME_CLASS

TOGETHER = ("tables", "figures")  # kinds whose artifacts are told apart by name; others are counted
LOCK = Path("dvc.lock")
UNITS = ("B", "KB", "MB", "GB", "TB")
WIDTH = 118


@dataclass(frozen=True)
class Group:
    """Artifacts that stand in one line: of one role and kind, read by those of the line that they hang on.

    Attributes:
        role: Theirs, as inputs.
        nodes: The artifacts.
        inputs: The lines of what they are made from.
        is_above: Whether all of them stood in lines before, with what they are made from.
    """

    role: str
    nodes: Sequence[Node]
    inputs: Sequence["Group"]
    is_above: bool = False


def grouped(target: Target, graph: Graph, depth: int | None = None) -> Group:
    """The tree of lines. `depth`: of how many steps up; None: all. What stood in a line before is not drawn again."""
    drawn: set[str] = set()

    def group(role: str, nodes: Sequence[Node], left: int | None) -> Group:
        names = {node.address for node in nodes}
        if names <= drawn or left == 0:
            return Group(role, nodes, (), is_above=names <= drawn)
        drawn.update(names)
        sides: dict[tuple[str, str, str], dict[str, Node]] = {}
        for node in nodes:
            for above, up in graph.inputs(node, target.focus):
                sides.setdefault((above, up.kind, up.name if up.kind in TOGETHER else ""), {})[up.address] = up
        below = None if left is None else left - 1
        return Group(role, nodes, [group(key[0], list(of.values()), below) for key, of in sides.items()])

    return group("", [target.node], depth)


# -- the screen ------------------------------------------------------------------------------------------------------


def screen(asked: str, target: Target, graph: Graph, accepted: Sequence[Acceptance], depth: int | None = None) -> str:
    """What it is, and one line for every group of artifacts that it is made from."""
    tree = grouped(target, graph, depth)
    lines = [asked, *(f"  {line}" for line in (*target.about, *_described(target.node))), ""]
    lines.append(f"{'made from':<62}{'size':>9}  {'code':<10}{'commit':<10}{'seconds':>8}  at hand")
    lines += list(_lines(tree, "", ""))
    closure = list(graph.closure(target.node, target.focus, depth).values())
    notes = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in _notes(closure, accepted)]
    return "\n".join([*lines, "", *notes]).rstrip()


def _described(node: Node) -> Iterator[str]:
    """The artifact that was asked for, in full."""
    if node.kind == INPUT:
        yield f"an input file, {node.address.rpartition('--')[2]}, {'at hand' if node.is_here else 'not at hand'}"
        return
    yield f"{node.kind}  {node.address}" + ("" if node.planned else "  (the recorded plan does not name it)")
    yield from textwrap.wrap(f"recipe  {_recipe(node)}", WIDTH, subsequent_indent=" " * 8)
    if node.run:
        yield f"bytes   sha256 {node.run['sha256']}"
        code = node.run.get("code") or {}
        held = f"commit {code['commit']}{' with edits that it does not hold' if code['dirty'] else ''}" if code else "no commit"
        yield f"made    {node.run['finished']} in {node.run['seconds']:.1f} s by code {node.code} of {held}"
        yield f"on      {runtime_of(node)}"
    else:
        yield f"made    by code {node.code}; its run record is not at hand"


def _recipe(node: Node) -> str:
    """Every value with the lines of params.yaml that say it."""
    lines = Origins().of(node)

    def said(leaf: str) -> str:
        return f" (line{'s' if len(lines[leaf]) > 1 else ''} {', '.join(map(str, lines[leaf]))})" if leaf in lines else ""

    values = ", ".join(
        f"{leaf} {json.dumps(value, ensure_ascii=False)}{said(leaf)}" for leaf, value in leaves(node.recipe or {}).items()
    )
    return values or "no parameters"


def runtime_of(node: Node) -> str:
    """Machine, device and versions of its run, in words."""
    runtime = node.run["runtime"]
    parts = [runtime["machine"], f"python {runtime['python']}"]
    if "device" in runtime:
        parts += [f"{runtime['device']} {runtime['dtype']}, {runtime['threads']} threads, kernels {runtime['cpu']}"]
    return ", ".join([*parts, *(f"{name} {version}" for name, version in runtime["versions"].items())])


def _lines(group: Group, before: str, indent: str) -> Iterator[str]:
    nodes, label = group.nodes, f"{before}{_named(group)}"
    size = _size(nodes)
    gap = max(2, 71 - len(label) - len(size))  # a long name takes what a short number leaves
    yield f"{label}{' ' * gap}{size}  {_codes(nodes):<10}{_commits(nodes):<10}{_seconds(nodes):>8}  {_at_hand(nodes)}".rstrip()
    new, above = [[side for side in group.inputs if side.is_above is shown] for shown in (False, True)]
    for index, side in enumerate(new):
        is_last = index == len(new) - 1 and not above
        yield from _lines(side, f"{indent}{'└─' if is_last else '├─'} ", f"{indent}{'   ' if is_last else '│  '}")
    if above:
        named = ", ".join(_named(side, digits=False) for side in above)
        said = textwrap.wrap(f"above: {named}", WIDTH - len(indent) - 3, break_on_hyphens=False)
        yield from (f"{indent}{'└─' if index == 0 else '  '} {line}" for index, line in enumerate(said))


def _named(group: Group, *, digits: bool = True) -> str:
    """Its role, and what plays it; `digits`: with those of its address."""
    nodes = group.nodes
    address = nodes[0].address if digits else nodes[0].address.partition("--")[0]
    what = address if len(nodes) == 1 else f"{len(nodes)} {nodes[0].kind}"
    if nodes[0].kind == INPUT:
        what = " ".join(str(node.path) for node in nodes)
    role = f"{group.role}  " if group.role and group.role != what.split(" ")[-1] else ""
    return f"{role}{what}"


def _size(nodes: Sequence[Node]) -> str:
    sizes = [node.size for node in nodes if node.size is not None]
    return human(sum(sizes)) if sizes else "–"


def human(size: float) -> str:
    """`1.2 MB`."""
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {UNITS[unit]}"


def _codes(nodes: Sequence[Node]) -> str:
    return _one_of({node.code[:8] for node in nodes if node.code}, "codes")


def _commits(nodes: Sequence[Node]) -> str:
    made = {(code["commit"], code["dirty"]) for node in nodes if (code := node.run.get("code"))}
    return _one_of({commit[:7] + ("*" if dirty else "") for commit, dirty in made}, "commits")


def _one_of(found: set[str], several: str) -> str:
    return f"{len(found)} {several}" if len(found) > 1 else "".join(found)


def _seconds(nodes: Sequence[Node]) -> str:
    found = [node.run["seconds"] for node in nodes if node.run]
    return f"{sum(found):.1f}" if found else ""


def _at_hand(nodes: Sequence[Node]) -> str:
    n = sum(node.is_here for node in nodes)
    if n == len(nodes):
        return "yes" if n == 1 else "all"
    return "no" if n == 0 else f"{n} of {len(nodes)}"


def _notes(closure: Sequence[Node], accepted: Sequence[Acceptance]) -> Iterator[str]:
    """What a line of the tree has no room for: edits, acceptances, machines, and how to get what is not at hand."""
    made = [node for node in closure if node.run]
    dirty = sum(bool((node.run.get("code") or {}).get("dirty")) for node in made)
    if dirty:
        yield f"* made by code with edits that the commit does not hold ({dirty} of {len(made)}); `code` is the digest of what ran"
    yield from _acceptances(accepted_for({node.code for node in closure if node.code}, accepted))
    machines = Counter(machine_of(node.run["runtime"]) for node in made if "device" in node.run["runtime"])
    yield from (f"made on {name} ({n} artifacts)" for name, n in machines.items())
    outs = dvc_outs()
    missing = Counter(node.kind for node in closure if not node.is_here and node.kind != INPUT)
    if missing:
        known = [f"{n} {kind}{_in_dvc(outs.get(f'{RESULTS}/{kind}'))}" for kind, n in missing.items()]
        yield f"not at hand: {', '.join(known)}"
        yield f"`dvc pull {' '.join(missing)}` brings what a remote has, `snakemake` computes it"


def _in_dvc(out: Mapping[str, Any] | None) -> str:
    return f" (of {human(out['size'])} in dvc.lock, md5 {out['md5'][:8]})" if out else ""


def _acceptances(accepted: Sequence[Acceptance]) -> Iterator[str]:
    """A line for each reason."""
    modules: dict[tuple[bool, str], list[str]] = {}
    for one in accepted:
        modules.setdefault((one.checked, one.reason), []).append(one.module.removeprefix(f"{PACKAGE}."))
    for (checked, reason), names in modules.items():
        yield f"accepted, {'same bytes in the miniature' if checked else 'NOT CHECKED'}: {', '.join(names)}: {reason}"


def dvc_outs() -> dict[str, dict[str, Any]]:
    """Path → what `dvc.lock` says of it: md5, size [bytes], nfiles. Empty without the file."""
    if not LOCK.exists():
        return {}
    try:
        stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"]
        return {out["path"]: out for stage in stages.values() for out in stage.get("outs", ())}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{LOCK}: not what DVC writes ({type(error).__name__}).\n  Restore it with git, or run `dvc repro`."
        ) from None


def machine_of(runtime: Mapping[str, Any]) -> str:
    """The runtime class of what torch made, in words."""
    kernels = " ".join(f"{name}={value}" for name, value in runtime["kernels"].items())
    named = {name: runtime[name] for name in RUNTIME_CLASS if name != "kernels"}
    return f"{named['machine']} {named['device']} {named['dtype']} {named['cpu']}, torch {runtime['versions']['torch']}, {kernels}"


def accepted_for(codes: set[str], accepted: Sequence[Acceptance]) -> list[Acceptance]:
    """The refactors after which these digests still stand, unchecked ones first."""
    return sorted((one for one in accepted if one.stands_for in codes), key=lambda one: one.checked)


# -- for programs ----------------------------------------------------------------------------------------------------


def as_json(target: Target, graph: Graph, accepted: Sequence[Acceptance], depth: int | None = None) -> str:
    """Every artifact with all that is known of it."""
    origins = Origins()
    nodes = {
        node.address: {
            "kind": node.kind,
            "path": str(node.path),
            "at_hand": node.is_here,
            "size": node.size,
            "planned": node.planned,
            "recipe": node.recipe,
            "lines": origins.of(node),
            "code": node.code,
            "accepted": [one.model_dump() for one in accepted_for({node.code or ""}, accepted)],
            "inputs": node.inputs,
            "run": node.run or None,
        }
        for node in graph.closure(target.node, target.focus, depth).values()
    }
    found = {"target": target.node.address, "about": target.about, "focus": sorted(target.focus or ()) or None, "artifacts": nodes}
    return json.dumps(found, indent=1, ensure_ascii=False)


def as_dot(target: Target, graph: Graph, depth: int | None = None) -> str:
    """Boxes of artifacts, as on the screen, in the language of Graphviz: `… --dot | dot -Tsvg > lineage.svg`."""
    boxes: dict[frozenset[str], str] = {}
    edges: list[str] = []

    def draw(group: Group) -> str:
        key = frozenset(node.address for node in group.nodes)
        name = boxes.setdefault(key, f"n{len(boxes)}")
        for side in group.inputs:
            edges.append(f'  {draw(side)} -> {name} [label="{side.role}"];')
        return name

    def label(key: frozenset[str]) -> str:
        one = graph.node(min(key))
        what = str(one.path) if one.kind == INPUT else one.address
        return what if len(key) == 1 else f"{len(key)} {one.kind}"

    draw(grouped(target, graph, depth))
    nodes = [f"  {name} [label={json.dumps(label(key))}];" for key, name in boxes.items()]
    return "\n".join(["digraph lineage {", "  rankdir=LR; node [shape=box];", *nodes, *dict.fromkeys(edges), "}"])
