"""A study as an RO-Crate: valid by the validator of those who wrote the profile, and its runs are those of the run records."""

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_cache
import rocrate.rocrate
import urllib3
from places import REPOSITORY
from requests.adapters import HTTPAdapter
from rocrate.rocrate import ROCrate
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from study_folders import filled, planned

from emsteer import cli, plan, publishing, storage, study, workspace
from emsteer.lineage import Graph, cards
from emsteer.plan import Plan

ZIP = Path("out.crate.zip")
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
TERMS_OF_1_1 = {  # that RO-Crate 1.3, whose context comes with the library, spells otherwise
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a study was computed and published, once for all tests of this module."""
    return tmp_path_factory.mktemp("made") / "study"


@pytest.fixture
def computed(folder: Path, made: Path) -> Plan:
    """A computed and published study."""
    study_plan = planned(0, 1)
    if not made.exists():
        shutil.copytree(REPOSITORY / "workflow", "workflow")
        shutil.copyfile(REPOSITORY / "Snakefile", "Snakefile")
        filled(study_plan)
        publishing.publish(publishing.published_cells(study_plan))
        workspace.write_plan(study_plan)
        shutil.copytree(folder, made)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return study_plan


def crate(monkeypatch: pytest.MonkeyPatch, *asked: str) -> dict[str, dict[str, Any]]:
    """`emsteer lineage … --crate` → @id → entity."""
    monkeypatch.setattr("sys.argv", ["emsteer", "lineage", *asked, "--crate", str(ZIP)])
    cli.main()
    with zipfile.ZipFile(ZIP) as archive:
        return {entity["@id"]: entity for entity in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}


class StandInNetwork(HTTPAdapter):
    """Gives the context of RO-Crate 1.1 and nothing else."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:  # type: ignore[override]
        bundled = Path(rocrate.rocrate.__file__).with_name("data") / "ro-crate.jsonld"
        content = json.dumps({"@context": storage.read_json(bundled)["@context"] | TERMS_OF_1_1}).encode()
        answer = urllib3.HTTPResponse(
            io.BytesIO(content), {"Content-Type": "application/ld+json"}, 200 if request.url == CONTEXT else 404,
            preload_content=False, request_url=request.url,
        )  # fmt: skip
        return self.build_response(request, answer)


def faults(path: Path, cache: Path) -> list[str]:
    session = requests_cache.CachedSession(str(cache), backend="sqlite", expire_after=-1)
    session.mount("https://", StandInNetwork())
    assert session.get(CONTEXT).ok
    settings = ValidationSettings(
        rocrate_uri=str(path), profile_identifier="provenance-run-crate-0.5", requirement_severity=Severity.REQUIRED,
        cache_path=str(cache), offline=True, skip_availability_check=True,
    )  # fmt: skip
    return [str(issue.message) for issue in services.validate(settings).get_issues()]


def test_the_crate_of_a_study_is_a_provenance_run_crate(computed: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crate(monkeypatch, publishing.published_cells(computed)[0].path)
    assert faults(ZIP, Path("cache")) == []
    with zipfile.ZipFile(ZIP) as archive:
        archive.extractall("crate")
    metadata = Path("crate/ro-crate-metadata.json")
    found.pop("#organize")
    broken = [entity for entity in found.values() if entity["@type"] != "HowToStep"]
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "@graph": broken}))
    assert faults(Path("crate"), Path("cache")), "and without its steps it is none"


def test_every_artifact_with_a_run_record_has_its_run_and_what_it_read(computed: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crate(monkeypatch)
    runs = {name for name in found if name.startswith("#run-")}
    above, queue = set(), [*publishing.published_cells(computed)]
    while queue:
        cell = queue.pop()
        if cell.address not in above:
            above.add(cell.address)
            queue += cell.upstream()
    assert runs == {f"#run-{address}" for address in above}
    cell = computed.of("scores")[0]
    run, record = found[f"#run-{cell.address}"], storage.read_json(Path(f"{cell.path}.run.json"))
    assert run["result"] == [{"@id": f"#{cell.address}"}] and found[f"#{cell.address}"]["sha256"] == record["sha256"]
    read = [one["@id"].removeprefix("#") for one in run["object"]]
    assert sorted(read) == sorted(
        item.address if hasattr(item, "kind") else item.path for group in cell.inputs.values() for item in group
    )
    assert run["instrument"] == {"@id": "workflow/rules/scores.smk"} and run["endTime"].startswith(record["finished"].rstrip("Z"))


def test_what_was_published_lies_in_it_and_says_what_it_is_of(computed: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crate(monkeypatch)
    index = storage.read_json(publishing.INDEX)
    for name, entry in index.items():
        assert found[f"reports/{name}"]["isBasedOn"] == {"@id": f"#{entry['from']}"}
    with zipfile.ZipFile(ZIP) as archive:
        assert {f"reports/{name}" for name in index} | {"params.yaml", "Snakefile"} <= {*archive.namelist()}
    assert ROCrate(str(ZIP)).mainEntity.id == "Snakefile", "and the library of others reads it"


def test_a_clone_without_run_records_is_told_how_to_get_them(
    computed: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert computed.all()
    storage.remove(Path("results"))
    with pytest.raises(SystemExit):
        crate(monkeypatch)
    assert "no artifact of these has a run record here" in capsys.readouterr().err and not ZIP.exists()
    with pytest.raises(SystemExit):
        monkeypatch.setattr("sys.argv", ["emsteer", "lineage"])
        cli.main()
    assert "--crate FILE" in capsys.readouterr().err


def test_every_published_table_of_the_shipped_study_has_a_card_that_says_what_a_row_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    graph, shipped = Graph(), plan.resolve(study.read())
    found = {cell.address: graph.node(cell.address) for cell in shipped.of("tables")}
    told = dict(cards.cards(shipped, graph, found))
    assert set(told) == {path.stem for path in Path("reports/tables").glob("*.csv")}
    assert "one for each setting, model, task, benchmark, judge, split, group, metric." in told["rates"]
    assert "| `em_low` | float64, may be null | `low` of `em` |" in told["rates"] and "547 answers" in told["rates"]
    assert "cosine to the nearest prompt of the task" in told["distances"]
