"""The folder of a study: setting aside, bringing back, recording the plan."""

import hashlib
import json
from pathlib import Path

import pytest
from study_folders import computed, planned

from emsteer import locks, packs, plan, records, storage, workspace
from emsteer.errors import BusyError


def test_pruned_cells_come_back_with_their_records(folder: Path) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers")
    n_extra = len(set(large.cells["answers"]) - set(small.cells["answers"]))
    assert workspace.prune(small, "answers") == n_extra == 4
    assert workspace.prune(small, "answers") == 0
    assert all(cell.exists() for cell in small.of("answers"))
    assert sum(workspace.retired(cell) for cell in large.of("answers")) == n_extra
    assert workspace.restore(large, "answers") == n_extra
    assert all(cell.exists() and records.record_of(Path(cell.path)).exists() for cell in large.of("answers"))


def test_folders_are_set_aside_and_brought_back_too(folder: Path) -> None:
    first, second = planned(0, 1), planned(0, 1, 2)
    computed(first, "tables")
    n_tables = len(set(first.cells["tables"]) - set(second.cells["tables"]))
    assert workspace.prune(second, "tables") == n_tables
    assert workspace.restore(first, "tables") == n_tables
    assert all(Path(path).is_dir() for path in first.paths("tables"))


def test_only_gc_deletes(folder: Path) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers")
    workspace.prune(small, "answers")
    assert workspace.gc() == 4
    assert workspace.restore(large, "answers") == 0


def test_a_persons_own_file_is_neither_moved_nor_deleted_and_is_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers", "tables")
    old = Path(large.paths("answers")[0])
    mine = [Path("results/answers", name) for name in ("notes.txt", f"{old.stem} copy.parquet", "mine--0123456789.parquet")]
    mine += [Path("results/.retired/answers/mine.csv"), Path("results/.others/answers/a--0123456789.parquet/mine.csv")]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    Path("results/answers/plots").mkdir()
    Path("results/answers/plots/mine.svg").write_text("mine")
    assert workspace.prune(small, "answers") == 4 and workspace.gc() == 4
    assert all(path.read_text() == "mine" for path in [*mine, Path("results/answers/plots/mine.svg")])
    assert all(str(path) in caplog.text for path in [*mine, Path("results/answers/plots")])
    assert packs.other_bytes(Path("results/answers/a--0123456789.parquet")) == [], "nor is it taken for a version of a cell"
    left = [path for shelf in (packs.RETIRED, packs.OTHERS) for path in shelf.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(mine[3:]), "and nothing else"


def test_the_recorded_plan_is_rewritten_only_where_it_changed(folder: Path) -> None:
    assert len(workspace.write_plan(planned(0, 1))) == len(plan.KINDS)
    assert workspace.write_plan(planned(0, 1)) == []
    assert {path.name for path in workspace.write_plan(planned(0, 1, 2))} == {
        f"{kind}.json"
        for kind in ("answers", "margins", "likeness", "effects", "witnesses", "scores", "tables", "figures", "report")
    }


def test_a_running_snakemake_is_noticed(folder: Path) -> None:
    assert not workspace.is_busy()
    held = locks.hold("snakemake", "")
    assert workspace.is_busy()
    held.close()


def test_nothing_is_moved_or_deleted_under_a_running_snakemake(folder: Path) -> None:
    large, small = planned(0, 1, 2), planned(0, 1)
    computed(large, "answers")
    held = locks.hold("snakemake", "")
    for move in (lambda: workspace.prune(small, "answers"), lambda: workspace.restore(small, "scores"), workspace.gc):
        with pytest.raises(BusyError, match="Snakemake is computing"):
            move()
    held.close()
    assert all(cell.exists() for cell in large.of("answers"))


def test_dvc_is_asked_only_where_its_lock_may_name_a_missing_cell(folder: Path) -> None:
    missing, cache = planned(0, 1).of("answers"), Path("cache")
    name = Path(missing[0].path).name
    assert not workspace._may_be_fetched(missing, "answers", cache), "there is no lock"

    def locked(*names: str, at_hand: bool = True) -> None:
        text = json.dumps([{"relpath": name, "md5": "ef"} for name in names])
        digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        lock = {"stages": {"answers": {"outs": [{"path": "results/answers", "md5": f"{digest}.dir"}]}}}
        Path("dvc.lock").write_text(json.dumps(lock))
        if at_hand:
            storage.write_text(cache / digest[:2] / f"{digest[2:]}.dir", text)

    locked(at_hand=False)
    assert workspace._may_be_fetched(missing, "answers", cache), "its listing is not at hand"
    assert not workspace._may_be_fetched(planned(0, 1).of("scores"), "scores", cache)
    locked("other.parquet")
    assert not workspace._may_be_fetched(missing, "answers", cache), "the listing names none of them"
    locked(name)
    assert workspace._may_be_fetched(missing, "answers", cache)
    Path("dvc.lock").write_text("<<<<<<< HEAD\nstages: {\n")
    assert workspace._may_be_fetched(missing, "answers", cache)
