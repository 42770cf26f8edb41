"""Lineage: what the plan knows is walked without an artifact at hand; what is at hand says how it was made."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from places import REPOSITORY
from study_folders import computed, planned

from emsteer import lineage, publishing, records, storage, workspace
from emsteer.errors import DataError
from emsteer.lineage import Graph, Target, screen, target_of
from emsteer.plan import Plan
from emsteer.plan.accepted import Acceptance

METRICS = "reports/metrics.json"


@pytest.fixture
def recorded(folder: Path) -> Plan:
    """A folder that holds what git holds of a study that was never computed here."""
    study_plan = planned(0, 1)
    workspace.write_plan(study_plan)
    return study_plan


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Graph:
    """The committed results; the folder of results may be there or not."""
    monkeypatch.chdir(REPOSITORY)
    return Graph()


UNREAD = ("contrasts", "dose_fits", "metrics")  # tables that the report does not read


def walked(asked: str, accepted: tuple[Acceptance, ...] = (), depth: int | None = None) -> str:
    graph = Graph()
    return screen(asked, target_of(asked, graph), graph, accepted, depth)


def ran(cell: Any, *, dirty: bool = False) -> dict[str, Any]:
    """Writes a run record of this process beside where a cell would lie."""
    record = records.run_record(cell.address, Path("params.yaml"), {}, 1.5, 2.0) | {"code": {"commit": "ab" * 20, "dirty": dirty}}
    path = records.record_of(Path(cell.path))
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write_json(record, path)
    return record


def test_a_clone_that_has_pulled_nothing_walks_the_whole_plan_and_says_what_is_missing(recorded: Plan) -> None:
    (report,) = recorded.of("report")
    graph = Graph()
    closure = graph.closure(graph.node(report.address))
    unread = {cell.address for cell in recorded.of("tables") if cell.address.startswith(UNREAD)}
    assert {node.address for node in closure.values() if node.kind != "input"} == {cell.address for cell in recorded.all()} - unread
    assert {str(node.path) for node in closure.values() if node.kind == "input"} == {raw.path for raw in recorded.raws.values()}
    said = walked(report.address)
    n_answers = len(recorded.of("answers"))
    tree, _, notes = said.partition("not at hand: ")
    assert f"{n_answers - 1} answers" in tree and "anchors.everyday--" in tree
    assert f", {n_answers} answers" in " ".join(notes.split()) and "dvc pull" in notes


def test_recipes_inputs_and_codes_are_those_of_the_plan(recorded: Plan) -> None:
    found = json.loads(lineage.as_json(Target(Graph().node(recorded.of("report")[0].address)), Graph(), ()))["artifacts"]
    for cell in recorded.all():
        if cell.address in found:
            assert {name: found[cell.address][name] for name in ("recipe", "inputs", "code")} == cell.record()


def test_every_kind_leads_down_to_input_files(recorded: Plan) -> None:
    graph = Graph()
    for kind, cells in recorded.cells.items():
        for address in cells:
            assert "input" in {node.kind for node in graph.closure(graph.node(address)).values()}, kind


@pytest.mark.parametrize("name", sorted(path.name for path in (REPOSITORY / "reports/figures").glob("*.svg")))
def test_the_lineage_of_a_shipped_figure_fits_one_screen(shipped: Graph, name: str) -> None:
    lines = walked(f"reports/figures/{name}").splitlines()
    tree = lines[lines.index("") + 1 :]
    tree = tree[: tree.index("")]
    assert len(tree) < 50 and max(map(len, tree)) < 120
    assert "data/grammar/everyday.yaml" in "\n".join(tree)


def test_a_number_is_followed_through_the_artifacts_of_its_setting_alone(shipped: Graph) -> None:
    metrics = storage.read_json(Path(METRICS))
    model, of_model = next(iter(metrics["chosen"].items()))
    task, of_task = next(iter(of_model.items()))
    treatment = next(name for name in of_task if name != "none")
    point, numbers = next(iter(of_task[treatment].items()))
    group = next(name for name in numbers if name != "setting")
    metric, value = next(iter(numbers[group].items()))
    target = target_of(f"{METRICS}#chosen.{model}.{task}.{treatment}.{point}.{group}.{metric}", shipped)
    assert storage.canonical_json(value) in target.about[-1]
    closure = shipped.closure(target.node, target.focus)
    said = [node.address for node in closure.values() if node.kind == "answers"]
    answers = [name for name in said if not name.startswith("anchors.")]  # which stand beside the claims in the same file
    dose = numbers["setting"].rpartition(f".{treatment}.")[2].split(".")
    assert answers and all(name.startswith(f"{model}.{task}.{treatment}.s") for name in answers), "every seed of it"
    assert all(set(dose) <= set(name.partition("--")[0].split(".")) for name in answers)
    assert len(answers) < len([node for node in shipped.planned() if node.kind == "answers"]) / 10


def test_rows_of_a_table_are_followed_by_their_setting(shipped: Graph) -> None:
    target = target_of("reports/tables/contrasts.csv#shared.gardening.lora.s0.t32.x1", shipped)
    assert target.about[-1] == "6 rows of shared.gardening.lora.s0.t32.x1", "two of its own, four of what is steered upon it"
    adapters = [node.name for node in shipped.closure(target.node, target.focus).values() if node.kind == "adapters"]
    assert adapters == ["shared.gardening.lora.s0.t32"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (f"{METRICS}#chosen.sharde", "no `sharde` under `chosen`.\n  There is blocks, none, shared."),
        (f"{METRICS}#nothing", "There is base_point, chosen, claims."),
        ("reports/tables/rates.csv#shared.bose", "no row of the setting shared.bose.\n  Did you mean shared.base"),
        ("reports/index.html#top", "only numbers of a .json and settings of a .csv file can be picked, got .html"),
        ("reports/figures/dose_respons.svg", "not an artifact of this study"),
        ("reports/figures/dose_respons.svg", "Did you mean reports/figures/dose_response"),
        ("0123456789", "neither in plan/*.json nor in results/"),
        ("results/answers/a.b--0123456789.parquet", "a.b--0123456789: neither in plan"),
        ("params.yaml", "Expected a file under reports/ or results/, an input file, or an address"),
    ],
)
def test_what_there_is_not_is_said_with_what_there_is(shipped: Graph, asked: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        target_of(asked, shipped)
    assert said in str(caught.value)


def test_a_path_an_address_its_digits_and_a_run_record_ask_for_the_same(recorded: Plan) -> None:
    (cell, *_) = recorded.of("vectors")
    graph = Graph()
    digits = cell.address.rpartition("--")[2]
    for asked in (cell.path, cell.address, digits, f"{cell.path}.run.json", f"renamed--{digits}"):
        assert target_of(asked, graph).node.address == cell.address
    (raw,) = {raw.address for raw in recorded.raws.values() if raw.path.endswith("everyday.yaml")}
    assert target_of(raw, graph).node == target_of("data/grammar/everyday.yaml", graph).node
    assert "an input file" in walked(raw)


def test_an_artifact_that_the_plan_does_not_name_is_walked_by_its_passport(recorded: Plan) -> None:
    (model, *_) = recorded.of("models")
    path = Path("results/calibrations/old--0123456789.json")
    path.parent.mkdir(parents=True)
    passport = {"address": "old--0123456789", "recipe": {}, "code": "f" * 16, "inputs": {"model": {model.address: "0" * 64}}}
    storage.write_json({"passport": passport}, path)
    said = walked(str(path))
    assert "the recorded plan does not name it" in said and model.address in said and "everyday.yaml" in said


def test_what_is_at_hand_says_when_where_and_with_what_it_was_made(recorded: Plan) -> None:
    (cell, *_) = recorded.of("tasks")
    record = ran(cell, dirty=True)
    said = walked(cell.address)
    assert "abababa*" in said and f"of commit {'ab' * 20} with edits that it does not hold" in said
    assert f"pydantic {record['runtime']['versions']['pydantic']}" in said and "in 1.5 s by code" in said
    assert "by code with edits that the commit does not hold (1 of 1)" in " ".join(said.split())
    found = json.loads(lineage.as_json(target_of(cell.address, Graph()), Graph(), ()))["artifacts"][cell.address]
    assert found["run"] == record and found["at_hand"] is False


def test_acceptances_of_the_code_along_the_way_are_named_and_unchecked_ones_loudly(recorded: Plan) -> None:
    (task, *_), (vector, *_) = recorded.of("tasks"), recorded.of("vectors")
    shared = {"digest": "1" * 16, "commit": "0" * 40}
    accepted = (
        Acceptance(module="emsteer.data.tasks", stands_for=task.code, reason="a rename", checked=True, **shared),
        Acceptance(module="emsteer.data.tasks", stands_for=task.code, reason="in haste", checked=False, **shared),
        Acceptance(module="emsteer.other", stands_for="2" * 16, reason="elsewhere", checked=True, **shared),
    )
    said = walked(vector.address, accepted)
    assert "NOT CHECKED: data.tasks: in haste" in said and "same bytes in the miniature: data.tasks: a rename" in said
    assert "elsewhere" not in said


def test_a_published_file_that_was_edited_is_said_to_be_another(recorded: Plan) -> None:
    computed(recorded, *publishing.PUBLISHED)
    publishing.publish(publishing.published_cells(recorded))
    assert "edited by hand" not in walked("reports/tables/rates.csv")
    Path("reports/tables/rates.csv").write_text("setting\n")
    assert "this file has other bytes: edited by hand?" in walked("reports/tables/rates.csv")


def test_depth_ends_the_walk_and_a_graph_draws_every_box_once(recorded: Plan) -> None:
    (report,) = recorded.of("report")
    assert "answers" not in walked(recorded.of("figures")[0].address, depth=1)
    graph = Graph()
    drawn = lineage.as_dot(target_of(report.address, graph), graph)
    boxes = re.findall(r"^  (n\d+) \[label", drawn, re.MULTILINE)
    edges = re.findall(r"^  (n\d+) -> (n\d+) \[label=", drawn, re.MULTILINE)
    assert len(boxes) == len(set(boxes)) and {name for edge in edges for name in edge} == set(boxes)
    assert drawn.startswith("digraph lineage {") and drawn.endswith("}")


def test_a_lock_that_a_merge_has_broken_is_a_message(recorded: Plan) -> None:
    Path("dvc.lock").write_text("<<<<<<< HEAD\n")
    with pytest.raises(DataError, match=r"dvc\.lock: not what DVC writes"):
        walked(recorded.of("report")[0].address)
