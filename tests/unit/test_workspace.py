"""The folder of a study: setting aside, bringing back, recording the plan."""

import shutil
from pathlib import Path

import pytest
from places import REPOSITORY
from study_folders import computed, planned

from emsteer import packs, plan, workspace
from emsteer.errors import BusyError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(REPOSITORY / "data", tmp_path / "data")
    shutil.copy(REPOSITORY / "tests/studies/miniature/params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def test_nothing_is_moved_or_deleted_under_a_running_snakemake(folder: Path) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers")
    held = packs.hold("snakemake", "")
    for move in (lambda: workspace.prune(small, "answers"), lambda: workspace.restore(small, "scores"), workspace.gc):
        with pytest.raises(BusyError, match="Snakemake is computing"):
            move()
    held.close()
    assert all(cell.exists() for cell in large.of("answers"))
