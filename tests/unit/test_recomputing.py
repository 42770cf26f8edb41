"""What is asked to be computed again, and what becomes of the old bytes; with Snakemake in tests/workflow/test_snakemake.py."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from study_folders import filled, planned

from emsteer import packs, recomputing, records, stages, storage, workspace
from emsteer.errors import StudyError
from emsteer.plan import Cell, Plan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a study was computed once for all tests of this module."""
    return tmp_path_factory.mktemp("made") / "results"


@pytest.fixture
def study(folder: Path, made: Path) -> Plan:
    study_plan = planned(0)
    if not made.exists():
        filled(study_plan)
        shutil.copytree(packs.RESULTS, made)
    else:
        shutil.copytree(made, packs.RESULTS)
    return study_plan


def again(study: Plan, monkeypatch: pytest.MonkeyPatch, cells: Sequence[Cell], content: str | None) -> recomputing.Recomputed:
    """Recomputes cells where, in the place of Snakemake, something writes `content` (None: the bytes of before) or nothing ("")."""
    old = {cell.path: (Path(cell.path).read_bytes(), records.record_of(Path(cell.path)).read_text()) for cell in cells}

    def compute(*targets: str) -> bool:
        assert set(targets) == set(old) and not any(Path(path).exists() for path in old), "nothing to take for it is left"
        for path, (before, record) in old.items():
            if content != "":
                Path(path).write_bytes(before if content is None else content.encode())
                records.record_of(Path(path)).write_text(record)
                new = storage.read_json(records.record_of(Path(path))) | {"sha256": storage.sha256(Path(path))}
                storage.write_json(new, records.record_of(Path(path)))
        return True

    monkeypatch.setattr(stages, "compute", compute)
    return recomputing.recompute(cells, "a new card")


def test_the_same_bytes_leave_nothing_behind_but_the_reason(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = recomputing.cells_of(study, ["scores"])
    before = storage.sha256(Path(cells[0].path))
    found = again(study, monkeypatch, cells, None)
    assert sorted(found.same) == sorted(cell.address for cell in study.of("scores")) and found.others == []
    record = storage.read_json(records.record_of(Path(cells[0].path)))
    assert record["recomputed"] == {"reason": "a new card", "sha256_before": before}
    assert not recomputing.AWAY.exists() and not list(packs.OTHERS.rglob("*.parquet"))


def test_of_other_bytes_the_old_ones_are_kept(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = recomputing.cells_of(study, [study.of("answers")[0].address.partition("--")[2]])
    before = storage.sha256(Path(cell.path))
    found = again(study, monkeypatch, [cell], "others")
    assert found == recomputing.Recomputed([], [cell.address])
    (kept,) = packs.other_bytes(Path(cell.path))
    assert storage.sha256(kept) == before and records.record_of(kept).exists() and Path(cell.path).read_text() == "others"
    assert workspace.gc() == 1


def test_what_could_not_be_computed_is_as_it_was(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = recomputing.cells_of(study, ["answers"])
    before = {cell.path: (storage.sha256(Path(cell.path)), records.record_of(Path(cell.path)).read_bytes()) for cell in cells}
    with pytest.raises(StudyError, match=rf"{len(cells)} of {len(cells)} cells were not computed, and are as they were"):
        again(study, monkeypatch, cells, "")
    assert {path: (storage.sha256(Path(path)), records.record_of(Path(path)).read_bytes()) for path in before} == before


def test_killed_on_the_way_the_next_one_brings_back_what_is_away(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = study.of("answers")[:2]
    before = storage.sha256(Path(first.path))

    def killed(*_: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "compute", killed)
    with pytest.raises(KeyboardInterrupt):
        recomputing.recompute([first], "a new card")
    assert not first.exists()
    again(study, monkeypatch, [second], None)
    assert storage.sha256(Path(first.path)) == before


def test_names_that_are_none_are_all_named_and_what_is_not_here_is_said(study: Plan) -> None:
    with pytest.raises(StudyError, match=r"(?s)2 of 3 are not known.*answer: no kind.*Did you mean `answers`.*nothing--0123456789"):
        recomputing.cells_of(study, ["answer", "scores", "nothing--0123456789"])
    storage.remove(packs.RESULTS)
    with pytest.raises(StudyError, match="none of these is here"):
        recomputing.cells_of(study, ["answers"])
