"""The folder of a study: setting aside, bringing back, publishing."""

import shutil
from pathlib import Path

import pytest
import yaml
from places import REPOSITORY

from emsteer import packs, plan, storage, study, workspace
from emsteer.errors import BusyError
from emsteer.plan import Plan


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(REPOSITORY / "data", tmp_path / "data")
    shutil.copy(REPOSITORY / "tests/studies/miniature/params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(*doses: float) -> Plan:
    raw = yaml.safe_load(Path("params.yaml").read_text())
    raw["sweeps"]["trained"]["doses"] = list(doses)
    return plan.resolve(study.parse(raw))


def computed(study_plan: Plan, *kinds: str) -> None:
    """Writes something in place of every missing cell: these tests are about where files lie, not what they hold."""
    for cell in (cell for kind in kinds for cell in study_plan.of(kind) if not cell.exists()):
        path, name = Path(cell.path), cell.address.partition("--")[0]
        files = [path]
        if plan.KINDS[cell.kind].is_folder:
            files = [path / "index.html"] if cell.kind == "report" else [path / f"{name}.{end}" for end in ("csv", "svg")]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(cell.address)
        packs.record_of(path).write_text("{}")


def test_pruned_cells_come_back_with_their_records(folder: Path) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers")
    n_extra = len(set(large.cells["answers"]) - set(small.cells["answers"]))
    assert workspace.prune(small, "answers") == n_extra == 4
    assert workspace.prune(small, "answers") == 0
    assert all(cell.exists() for cell in small.of("answers"))
    assert sum(workspace.retired(cell) for cell in large.of("answers")) == n_extra
    assert workspace.restore(large, "answers") == n_extra
    assert all(cell.exists() and packs.record_of(Path(cell.path)).exists() for cell in large.of("answers"))


def test_folders_are_set_aside_and_brought_back_too(folder: Path) -> None:
    first, second = planned(0, 1), planned(0, 1, 2)
    computed(first, "tables")
    n_tables = len(first.of("tables"))
    assert workspace.prune(second, "tables") == n_tables
    assert workspace.restore(first, "tables") == n_tables
    assert Path(first.paths("tables")[0]).is_dir()


def test_only_gc_deletes(folder: Path) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers")
    workspace.prune(small, "answers")
    assert workspace.gc() == 4
    assert workspace.restore(large, "answers") == 0


def test_publishing_is_needed_until_done_and_again_after_any_change(folder: Path) -> None:
    study_plan = planned(0, 1)
    assert not workspace.is_published(study_plan), "cells are missing"
    computed(study_plan, *workspace.PUBLISHED)
    assert not workspace.is_published(study_plan)
    assert workspace.publish(workspace.published_cells(study_plan))
    assert workspace.is_published(study_plan)
    assert workspace.publish(workspace.published_cells(study_plan)) == []
    Path("reports/tables/rates.csv").write_text("edited by hand")
    assert not workspace.is_published(study_plan)
    workspace.publish(workspace.published_cells(study_plan))
    Path("reports/index.html").unlink()
    assert not workspace.is_published(study_plan)


def test_adding_a_dose_and_taking_it_out_again_publishes_the_old_bytes(folder: Path) -> None:
    first, second = planned(0, 1), planned(0, 1, 2)
    for study_plan in (first, second):
        computed(study_plan, *workspace.PUBLISHED)
    workspace.publish(workspace.published_cells(first))
    before = storage.sha256(Path("reports"))
    workspace.publish(workspace.published_cells(second))
    assert storage.sha256(Path("reports")) != before
    assert not workspace.is_published(first)
    workspace.publish(workspace.published_cells(first))
    assert storage.sha256(Path("reports")) == before


def test_a_figure_that_the_plan_no_longer_has_leaves_reports(folder: Path) -> None:
    study_plan = planned(0, 1)
    computed(study_plan, *workspace.PUBLISHED)
    workspace.publish(workspace.published_cells(study_plan))
    Path("reports/figures/old.svg").write_text("old")
    workspace.publish(workspace.published_cells(study_plan))
    assert not Path("reports/figures/old.svg").exists()


def test_the_recorded_plan_is_rewritten_only_where_it_changed(folder: Path) -> None:
    assert len(workspace.write_plan(planned(0, 1))) == len(plan.KINDS)
    assert workspace.write_plan(planned(0, 1)) == []
    assert {path.name for path in workspace.write_plan(planned(0, 1, 2))} == {
        f"{kind}.json" for kind in ("answers", "margins", "scores", "tables", "figures", "report")
    }


def test_a_running_snakemake_is_noticed(folder: Path) -> None:
    assert not workspace.is_busy()
    held = packs.hold("snakemake", "")
    assert workspace.is_busy()
    held.close()


def test_an_index_that_a_merge_left_unreadable_is_published_anew(folder: Path) -> None:
    study_plan = planned(0, 1)
    computed(study_plan, *workspace.PUBLISHED)
    workspace.publish(workspace.published_cells(study_plan))
    for text in ("<<<<<<< HEAD\n{}", "[]", '{"a": 1}'):
        workspace.INDEX.write_text(text)
        assert not workspace.is_published(study_plan)
        workspace.publish(workspace.published_cells(study_plan))
        assert workspace.is_published(study_plan)


def test_nothing_is_moved_or_deleted_under_a_running_snakemake(folder: Path) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers")
    held = packs.hold("snakemake", "")
    for move in (lambda: workspace.prune(small, "answers"), lambda: workspace.restore(small, "scores"), workspace.gc):
        with pytest.raises(BusyError, match="Snakemake is computing"):
            move()
    held.close()
    assert all(cell.exists() for cell in large.of("answers"))
