"""A stage of `dvc.yaml`: what is at hand is not computed, what is missing is asked of Snakemake once, the rest is set aside."""

import shutil
from pathlib import Path

import pytest
import yaml
from planning import MINIATURE

from emsteer import locks, packs, plan, records, stages, storage, study, workspace
from emsteer.errors import BusyError, StudyError
from emsteer.plan import Plan
from emsteer.stages import Stage


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a folder without a Snakefile, in which Snakemake fails whenever it is asked."""
    shutil.copytree(MINIATURE.parents[3] / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return plan.resolve(study.parse(yaml.safe_load(MINIATURE.read_text())))


def write_tasks(planned: Plan, shelf: Path) -> None:
    for path in map(Path, planned.paths("tasks")):
        for file in (path, records.record_of(path)):
            storage.write_text(packs.second_name(file, shelf), "{}")


def test_a_stage_with_everything_in_place_asks_nothing_of_snakemake_and_moves_nothing(planned: Plan) -> None:
    write_tasks(planned, packs.RESULTS)
    assert stages.complete(planned, "tasks") == Stage(n_restored=0, n_computed=0, n_set_aside=0, n_misfits=0)


def test_a_stage_whose_cells_were_set_aside_brings_them_back_and_asks_nothing_of_snakemake(planned: Plan) -> None:
    write_tasks(planned, packs.RETIRED)
    assert stages.complete(planned, "tasks") == Stage(n_restored=1, n_computed=0, n_set_aside=0, n_misfits=0)
    assert all(cell.exists() for cell in planned.of("tasks"))


def test_a_stage_sets_aside_what_the_plan_does_not_name(planned: Plan) -> None:
    write_tasks(planned, packs.RESULTS)
    storage.write_text(packs.RESULTS / "tasks/other--0123456789.parquet", "{}")
    storage.write_text(packs.RESULTS / "tasks/other--0123456789.parquet.run.json", "{}")
    assert stages.complete(planned, "tasks").n_set_aside == 1
    assert (packs.RETIRED / "tasks/other--0123456789.parquet").exists()


def test_a_stage_that_snakemake_cannot_complete_names_the_cells_and_sets_nothing_aside(
    planned: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    storage.write_text(packs.RESULTS / "tasks/other--0123456789.parquet", "{}")
    storage.write_text(packs.RESULTS / "tasks/other--0123456789.parquet.run.json", "{}")
    with pytest.raises(StudyError, match=r"1 of 1 missing cells were not computed.\n.*gardening--"):
        stages.complete(planned, "tasks")
    assert "No Snakefile found" in capfd.readouterr().err, "Snakemake itself says why"
    assert (packs.RESULTS / "tasks/other--0123456789.parquet").exists()


def test_a_stage_under_a_running_snakemake_is_refused_before_anything_moves(planned: Plan) -> None:
    write_tasks(planned, packs.RETIRED)
    held = locks.hold("snakemake", "")
    with pytest.raises(BusyError):
        stages.complete(planned, "tasks")
    held.close()
    assert not any(cell.exists() for cell in planned.of("tasks"))
    assert workspace.retired(planned.of("tasks")[0])
