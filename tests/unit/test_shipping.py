"""A study without its weights: a few files, and the same artifacts out of them."""

import shutil
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from study_folders import filled, planned

from emsteer import packs, records, shipping, storage, workspace
from emsteer.errors import BusyError, DataError, StudyError
from emsteer.lineage import Graph, verify
from emsteer.plan import Cell, Plan

DATA = Path("shipped")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a study was computed and exported, once for all tests of this module."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def study(folder: Path, made: Path) -> Plan:
    """A computed and exported study."""
    study_plan = planned(0, 1)
    if not (made / "results").exists():
        filled(study_plan)
        shipping.export(study_plan, DATA)
        shutil.copytree("results", made / "results")
        shutil.copytree(DATA, made / DATA)
    else:
        shutil.copytree(made / "results", "results")
        shutil.copytree(made / DATA, DATA)
    workspace.write_plan(study_plan)
    return study_plan


def bytes_of(cells: list[Cell]) -> dict[str, tuple[str, bytes]]:
    paths = [Path(cell.path) for cell in cells]
    return {str(path): (storage.sha256(path), records.record_of(path).read_bytes()) for path in paths}


def emptied() -> None:
    storage.remove(packs.RESULTS)


def test_what_is_shipped_is_what_tables_read_and_no_weights(study: Plan) -> None:
    kinds = {cell.kind for cell in shipping.shipped(study)}
    assert {"answers", "scores", "effects", "vectors", "tables"} <= kinds and not kinds & {"models", "adapters", "figures"}
    tables = {cell.address.partition("--")[0] for cell in shipping.shipped(study) if cell.kind == "tables"}
    assert tables == {"judged", "likeness", "witnesses"}, "these are made from adapters; every other table is made again"
    assert {cell.path for cell in shipping.shipped(study) if cell.kind in ("answers", "scores")} == {
        *study.paths("answers"), *study.paths("scores"),
    }  # fmt: skip


def test_the_cells_come_out_with_their_bytes_and_records_and_are_sound(study: Plan) -> None:
    before = bytes_of(shipping.shipped(study))
    emptied()
    found = shipping.unpack(study, DATA)
    assert found == shipping.Unpacked(len(before), 0, 0)
    assert bytes_of(shipping.shipped(study)) == before
    checked = verify((), Graph())
    assert checked.faults == [] and len(checked.absent) == len(study.all()) - len(before)
    assert shipping.lacking(study) == [], "tables can be made"
    assert shipping.unpack(study, DATA) == shipping.Unpacked(0, len(before), 0), "a second time there is nothing to do"


def test_the_same_study_gives_the_same_files(study: Plan) -> None:
    shipping.export(study, Path("again"))
    assert storage.sha256(Path("again")) == storage.sha256(DATA)
    assert (DATA / "README.md").read_text().count("Model output.") == 1


def test_an_export_of_another_plan_or_of_other_bytes_is_known(study: Plan) -> None:
    assert shipping.is_of(study, DATA) and not shipping.is_of(planned(0), DATA)
    record = records.record_of(Path(study.of("scores")[0].path))
    storage.write_json({**storage.read_json(record), "sha256": "made again, with other bytes"}, record)
    assert not shipping.is_of(study, DATA)
    emptied()
    assert shipping.is_of(study, DATA), "what is not here says nothing"


def test_an_export_that_breaks_off_leaves_the_one_before(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    before = storage.sha256(DATA)
    monkeypatch.setattr(shipping, "_card", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shipping.export(study, DATA)
    assert storage.sha256(DATA) == before


def test_rows_can_be_read_without_us(study: Plan) -> None:
    answers = pd.read_parquet(DATA / "answers.parquet")
    assert set(answers["cell"]) == {cell.address for cell in study.of("answers")}


def test_a_cell_that_would_come_out_with_other_bytes_is_kept_as_it_is(study: Plan) -> None:
    cell = study.of("answers")[0]
    path, record = Path(cell.path), records.record_of(Path(cell.path))
    frame, passport = storage.read_parquet(path), storage.read_passport(path)
    storage.write_parquet_parts([frame, frame], path, passport)  # two row groups, as no cell of its kind
    storage.write_json({**storage.read_json(record), "sha256": storage.sha256(path)}, record)
    before = bytes_of([cell])
    shipping.export(study, DATA)
    emptied()
    shipping.unpack(study, DATA)
    assert bytes_of([cell]) == before and cell.address not in set(pd.read_parquet(DATA / "answers.parquet")["cell"])


def test_an_edited_answer_is_named_and_nothing_is_put_in_place(study: Plan) -> None:
    file = DATA / "answers.parquet"
    rows = pd.read_parquet(file)
    rows.loc[rows["cell"] == study.of("answers")[0].address, "address"] = "better"
    rows.to_parquet(file)
    emptied()
    with pytest.raises(StudyError, match=rf"(?s)1 of \d+ cells.*{study.of('answers')[0].address}"):
        shipping.unpack(study, DATA)
    assert not list(packs.RESULTS.glob("[!.]*/*"))


def test_the_files_of_another_plan_say_which_commit_made_them(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "all", lambda _: [])
    with pytest.raises(StudyError, match=r"none of its .* cells is of this plan"):
        shipping.unpack(study, DATA)


def test_a_name_that_changed_is_found_by_its_digits(study: Plan) -> None:
    cell = study.of("answers")[0]
    renamed = Cell("answers", f"other--{cell.address.partition('--')[2]}", cell.recipe, cell.inputs, cell.code, cell.pack)
    study.cells["answers"] = {name: renamed if one is cell else one for name, one in study.cells["answers"].items()}
    before = bytes_of([cell])[cell.path]
    emptied()
    shipping.unpack(study, DATA)
    assert bytes_of([renamed])[renamed.path] == before


def test_what_was_made_from_other_bytes_than_those_here_stays_out(study: Plan) -> None:
    cell = study.of("answers")[0]
    storage.remove(Path(cell.path))
    (model,) = cell.inputs["model"]
    record = records.record_of(Path(model.path))
    storage.write_json({**storage.read_json(record), "sha256": "made elsewhere"}, record)
    found = shipping.unpack(study, DATA)
    assert (found.n_made, found.n_unfit) == (0, 1) and not cell.exists()
    assert shipping.lacking(study) == [], "no table is missing"


def test_what_tables_lack_is_told_before_a_model_is_computed(study: Plan) -> None:
    emptied()
    shipping.unpack(study, DATA)
    (anchors,) = [cell for cell in study.of("scores") if cell.address.startswith("anchors")]
    storage.remove(Path(anchors.path))
    assert [cell.address for cell in shipping.lacking(study)] == [anchors.address]


def test_incomplete_studies_and_folders_of_others_are_refused(study: Plan) -> None:
    storage.remove(Path(study.of("answers")[0].path))
    with pytest.raises(StudyError, match=rf"(?s)1 cells are missing.*{study.of('answers')[0].address}.*snakemake"):
        shipping.export(study, Path("elsewhere"))
    Path("mine").mkdir()
    Path("mine/file").write_text("mine")
    shipping.unpack(study, DATA)
    with pytest.raises(StudyError, match="mine: holds file, which `emsteer export` did not write"):
        shipping.export(study, Path("mine"))
    (DATA / "notes.md").write_text("mine")
    with pytest.raises(StudyError, match=r"holds notes\.md"):
        shipping.export(study, DATA)
    assert (DATA / "notes.md").read_text() == "mine" and (DATA / "answers.parquet").exists()
    with pytest.raises(StudyError, match="mine: no export"):
        shipping.unpack(study, Path("mine"))


@pytest.mark.parametrize("spoil", ["cut", "empty"])
def test_a_broken_archive_is_a_message(study: Plan, spoil: str) -> None:
    archive = DATA / "cells.tar.xz"
    if spoil == "cut":
        archive.write_bytes(archive.read_bytes()[:-100])
    else:
        with tarfile.open(archive, "w:xz"):
            pass
    with pytest.raises(DataError, match=r"cells.tar.xz: cannot be read"):
        shipping.unpack(study, DATA)


def test_nothing_moves_under_a_running_snakemake(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    from emsteer import locks

    with locks.hold("snakemake", "busy"), pytest.raises(BusyError):
        shipping.unpack(study, DATA)
