"""The lines of params.yaml that a recipe's values come from."""

from pathlib import Path
from typing import Any

import pytest
from places import REPOSITORY
from study_folders import planned

from emsteer import workspace
from emsteer.lineage import Graph, screen, target_of
from emsteer.lineage.graph import Node
from emsteer.lineage.origins import Origins, leaves

DERIVED = {"first_sample", "n_held_back", "draw", "kind", "treatments", "everywhere"}  # by the plan, from other values


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> list[Node]:
    """The planned artifacts of the committed study."""
    monkeypatch.chdir(REPOSITORY)
    return list(Graph().planned())


@pytest.mark.parametrize("kind", ["models", "tasks", "benchmarks", "vectors", "adapters", "answers", "margins", "scores"])
def test_every_value_has_a_line_that_says_it(shipped: list[Node], kind: str) -> None:
    text = Path("params.yaml").read_text().splitlines()
    origins = Origins()
    for node in [node for node in shipped if node.kind == kind][::7]:
        lines = origins.of(node)
        for leaf, value in leaves(node.recipe or {}).items():
            name = leaf.rpartition(".")[2]
            if name in DERIVED:
                continue
            assert lines.get(leaf), (node.address, leaf)
            said = [spelled(one) for one in (value if isinstance(value, list) else [value])]
            assert all(any(word in text[line - 1] for line in lines[leaf]) for word in said), (node.address, leaf, value)


def spelled(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "null" if value is None else str(value)


def test_entries_are_told_apart_by_what_they_say_and_not_by_their_names(shipped: list[Node]) -> None:
    """Two organisms that differ in their linkage: the line of each linkage is its own."""
    text = Path("params.yaml").read_text().splitlines()
    origins = Origins()
    lines = {node.name: origins.of(node) for node in shipped if node.kind == "models"}
    (of_blocks,) = lines["blocks"]["linkage.blocks.home"]
    assert "home: [" in text[of_blocks - 1] and "linkage.blocks.home" not in lines["shared"]


def test_a_value_that_stands_in_its_own_section_is_not_looked_for_elsewhere(shipped: list[Node]) -> None:
    text = Path("params.yaml").read_text().splitlines()
    origins = Origins()
    anchors, answers, *_ = (node for node in shipped if node.kind == "answers")
    (line,) = origins.of(anchors)["seed"]
    assert text[line - 4].startswith("anchors: "), "not the seed that answers are sampled with"
    (line,) = origins.of(answers)["study_seed"]
    assert text[line - 1].startswith("seed: ")
    table = next(node for node in shipped if node.name == "contrasts")
    (line,) = origins.of(table)["bootstrap.seed"]
    assert "bootstrap" in "".join(text[line - 4 : line])


def test_the_screen_shows_them_and_a_file_that_cannot_be_read_has_none(folder: Path) -> None:
    study_plan = planned(0, 1)
    workspace.write_plan(study_plan)
    (vector, *_) = [cell for cell in study_plan.of("vectors") if "trained" in cell.address]
    graph = Graph()

    def said() -> str:
        return " ".join(screen(vector.address, target_of(vector.address, graph), graph, ()).split())

    assert "n_examples 16 (line" in said()
    Path("params.yaml").write_text("seed: [\n")
    assert "n_examples 16," in said()
