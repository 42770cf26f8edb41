"""Other bytes under one address: a model that was made again on another machine, and what was made from the one before."""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from hashlib import md5
from pathlib import Path

import pytest
from places import REPOSITORY
from planning import MINIATURE
from study_folders import filled, planned

from emsteer import consistency, packs, publishing, records, storage, workspace
from emsteer.errors import DataError
from emsteer.packs import Job
from emsteer.plan import KINDS, Cell, Plan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study folder in which every cell has run record and passport."""
    path = tmp_path_factory.mktemp("made")
    shutil.copytree(REPOSITORY / "data", path / "data")
    shutil.copy(MINIATURE, path / "params.yaml")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(path)
        filled(planned(0, 1))
        packs.sweep(cell.path for cell in planned(0, 1).all())
    return path


@pytest.fixture
def study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    shutil.copytree(made, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return planned(0, 1)


def made_elsewhere(cell: Cell) -> None:
    """The same cell as another machine made it: an artifact with other bytes, and their record."""
    path = Path(cell.path)
    (path / "more").write_text("rounded otherwise") if path.is_dir() else path.write_bytes(path.read_bytes() + b" ")
    record = storage.read_json(records.record_of(path)) | {"sha256": storage.sha256(path), "size": storage.size(path)}
    storage.write_text(records.record_of(path), json.dumps(record))


def readers(plan: Plan, of: Cell) -> set[str]:
    return {cell.path for cell in plan.all() if of in cell.upstream()}


def misfits(plan: Plan) -> set[str]:
    return {cell.path for cell, _ in consistency.misfits(plan)}


def test_what_was_made_from_other_bytes_is_known_from_run_records_alone(study: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    assert consistency.misfits(study) == []
    model = study.of("models")[0]
    made_elsewhere(model)
    with monkeypatch.context() as patched:
        patched.setattr(storage, "sha256", lambda path: pytest.fail(f"{path} was hashed"))
        assert misfits(study) == readers(study, model) and len(readers(study, model)) > 10
    said = consistency.told(consistency.misfits(study))
    assert f"from {model.address}. `emsteer stage`" in said and "\n" not in said
    assert f"`emsteer stage` sees to {len(misfits(study))} that" in publishing.status(study)


def test_they_are_set_aside_and_come_back_with_the_bytes_that_they_were_made_from(study: Plan) -> None:
    model = study.of("models")[0]
    path, n = Path(model.path), len(readers(study, model))
    before = storage.read_json(records.record_of(path))
    made_elsewhere(model)
    assert workspace.quarantine(study) == n and not misfits(study)
    assert all(workspace.restore(study, kind) == 0 for kind in KINDS), "what fits nothing does not come back"
    (path / "more").unlink()
    storage.write_text(records.record_of(path), json.dumps(before))
    assert sum(workspace.restore(study, kind) for kind in KINDS) == n and not misfits(study)
    assert all(cell.exists() for cell in study.all())


def test_only_gc_deletes_them(study: Plan) -> None:
    made_elsewhere(study.of("models")[0])
    n = workspace.quarantine(study)
    assert workspace.gc() == n and workspace.gc() == 0


def test_no_pack_takes_them_for_done(study: Plan) -> None:
    """Neither what was set aside nor the second name that a killed job left."""
    vectors = study.packs("vectors")[0]
    path = Path(vectors.cells[0].path)
    packs.fill(vectors.id, vectors.jobs(), "log.txt", make_nothing)  # gives every cell its second name
    made_elsewhere(vectors.cells[0].inputs["model"][0])  # type: ignore[arg-type]
    workspace.quarantine(study)
    assert not path.exists() and packs.second_name(path, packs.STAGING).exists() and packs.other_bytes(path)
    made: list[str] = []

    def make(jobs: Sequence[Job]) -> Iterator[Job]:
        for job in jobs:
            made.append(job.address)
            storage.write_json({"passport": job.passport}, job.out)
            yield job

    packs.fill(vectors.id, vectors.jobs(), "log.txt", make)
    assert set(made) == {cell.address for cell in vectors.cells if cell.inputs.get("model")} and not misfits_of(vectors.cells)


def make_nothing(jobs: Sequence[Job]) -> Iterator[Job]:
    yield from ()


def misfits_of(cells: Sequence[Cell]) -> list[Cell]:
    here = records.Here()
    return [cell for cell in cells if here.others(here.record(Path(cell.path)), cell.sources)]


def cached(cell: Cell, cache: Path) -> list[Path]:
    """What DVC would keep of a cell and its record: two objects and their listing; the first is the cell's."""
    objects, entries = [], []
    for path in (Path(cell.path), records.record_of(Path(cell.path))):
        entries.append({"md5": digest(path.read_bytes()), "relpath": path.name})
        objects.append(cache / entries[-1]["md5"][:2] / entries[-1]["md5"][2:])
        objects[-1].parent.mkdir(parents=True, exist_ok=True)
        objects[-1].write_bytes(path.read_bytes())
    text = json.dumps(entries)
    listing = cache / digest(text.encode())[:2] / f"{digest(text.encode())[2:]}.dir"
    storage.write_text(listing, text)
    return [*objects, listing]


def digest(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


def test_of_several_versions_in_the_cache_the_one_that_fits_comes_back(study: Plan) -> None:
    answers = next(cell for cell in study.of("answers") if cell.inputs.get("vector"))
    path, cache = Path(answers.path), Path("cache")
    cached(answers, cache)
    expected = path.read_bytes()
    for part in ("one", "two", "three"):
        record = storage.read_json(records.record_of(path))
        record["inputs"]["model"] = dict.fromkeys(record["inputs"]["model"], part)
        path.write_bytes(expected + part.encode())
        storage.write_text(records.record_of(path), json.dumps(record))
        cached(answers, cache)
    storage.remove(path)
    storage.remove(records.record_of(path))
    assert workspace._copied([answers], cache) == [] and path.read_bytes() == expected
    made_elsewhere(answers.inputs["model"][0])  # type: ignore[arg-type]
    storage.remove(path)
    assert workspace._copied([answers], cache) == [answers] and not path.exists()


@pytest.mark.parametrize("broken", [0, 1, 2], ids=["cell", "record", "listing"])
def test_what_is_cut_off_in_the_cache_is_named_and_dropped(study: Plan, broken: int, caplog: pytest.LogCaptureFixture) -> None:
    answers, cache = study.of("answers")[0], Path("cache")
    objects = cached(answers, cache)
    storage.remove(Path(answers.path))
    storage.remove(records.record_of(Path(answers.path)))
    whole = objects[broken].read_bytes()
    objects[broken].write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING, logger="emsteer"):
        assert workspace._copied([answers], cache) == [answers]
    assert f"{objects[broken]}: not the bytes of its name" in caplog.text and not objects[broken].exists()
    objects[broken].write_bytes(whole)  # as a remote gives it again
    assert workspace._copied([answers], cache) == [] and Path(answers.path).exists()


def test_a_record_that_cannot_be_read_is_no_reason_to_move_a_cell(study: Plan) -> None:
    broken = records.record_of(Path(study.of("answers")[0].path))
    broken.write_text("{")
    assert consistency.misfits(study) == []
    with pytest.raises(DataError):
        storage.read_json(broken)
