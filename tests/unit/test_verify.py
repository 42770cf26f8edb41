"""Verification: a byte flipped anywhere is found and named, and so is an artifact in the place of another."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from study_folders import filled, planned

from emsteer import publishing, records, storage, workspace
from emsteer.errors import DataError
from emsteer.lineage import Graph, Verified, verify
from emsteer.plan import KINDS, Cell, Plan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a study was computed once for all tests of this module."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def study(folder: Path, made: Path) -> Plan:
    """A computed and published study, sound. One of its vectors steers two layers at once: one input, twice."""
    study_plan = planned(0, 1, also_at=[0])
    if not (made / "results").exists():
        filled(study_plan)
        publishing.publish(publishing.published_cells(study_plan))
        for name in ("results", "reports"):
            shutil.copytree(name, made / name)
    else:
        for name in ("results", "reports"):
            shutil.copytree(made / name, name)
    workspace.write_plan(study_plan)
    return study_plan


def looked(*asked: str, quick: bool = False) -> Verified:
    return verify(asked, Graph(), quick=quick)


def faults(*asked: str, quick: bool = False) -> list[str]:
    return looked(*asked, quick=quick).faults


def flip(path: Path) -> None:
    """Turns one bit of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def largest(cell: Cell) -> Path:
    files = storage.files_of(Path(cell.path))
    return max(files, key=lambda file: file.stat().st_size)


def rewritten(cell: Cell, **changes: object) -> None:
    """A vector's passport with other content, and the run record of the new bytes: a careful forger."""
    path = Path(cell.path)
    tensors, passport = storage.read_tensors(path)
    storage.write_tensors(tensors, path, {**passport, **changes})
    record = records.record_of(path)
    known = storage.read_json(record) | {"sha256": storage.sha256(path), "size": storage.size(path)}
    storage.write_json(known, record)


def test_a_computed_study_is_sound_and_everything_in_it_was_counted(study: Plan) -> None:
    found = looked()
    n_published = len(storage.read_json(publishing.INDEX))
    assert (found.faults, found.absent) == ([], [])
    assert found.n_sound == len(study.all()) + len(study.raws) + n_published
    assert looked(quick=True) == found


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_flipped_bit_in_any_kind_of_artifact_is_found(study: Plan, kind: str) -> None:
    cell = study.of(kind)[-1]
    flip(largest(cell))
    found = faults()
    assert found[0].startswith(f"{cell.path}: other bytes than its run made. Delete it and run again")
    readers = {other.path for other in study.all() if cell in other.upstream()}
    published = {f"reports/{name}" for name, entry in storage.read_json(publishing.INDEX).items() if entry["from"] == cell.address}
    assert {fault.partition(":")[0] for fault in found} == {cell.path, *readers, *published}, "and what was made from it"
    assert faults(quick=True) == [], "of the same size"


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.is_folder])
def test_a_hole_in_a_folder_is_found_by_a_quick_look_too(study: Plan, kind: str) -> None:
    cell = study.of(kind)[0]
    largest(cell).unlink()
    assert any(fault.startswith(f"{cell.path}: ") and "bytes where its run made" in fault for fault in faults(quick=True))
    assert cell.path in faults()[0]


def test_what_snakemake_leaves_in_a_folder_is_no_fault(study: Plan) -> None:
    (Path(study.of("models")[0].path) / ".snakemake_timestamp").touch()
    assert faults() == []


def test_a_table_edited_by_hand_is_found_where_it_is_published(study: Plan) -> None:
    with Path("reports/tables/rates.csv").open("a") as stream:
        stream.write("1\n")
    (fault,) = faults()
    assert fault.startswith("reports/tables/rates.csv: other bytes than were published: edited by hand?")
    assert faults("reports/tables/rates.csv") == [fault] and faults("reports/figures/breadth.svg") == []
    Path("reports/tables/rates.csv").unlink()
    assert faults(quick=True) == ["reports/tables/rates.csv: not there. Run `emsteer publish`"]


def test_a_figure_that_is_older_than_its_table_is_found(study: Plan) -> None:
    workspace.write_plan(planned(0, 2))
    found = faults()
    of_no_setting = {"tables/distances.csv", "tables/instruments.csv", "tables/relatedness.csv"}
    moved = {f"reports/{name}" for name in storage.read_json(publishing.INDEX).keys() - of_no_setting}
    assert {fault.partition(":")[0] for fault in found} == moved
    assert all("which the plan does not name: it is older than what it shows" in fault for fault in found)


def test_an_artifact_in_the_place_of_another_is_found(study: Plan) -> None:
    one, other = study.of("scores")[:2]
    shutil.copy(one.path, other.path)
    shutil.copy(records.record_of(Path(one.path)), records.record_of(Path(other.path)))
    found = [fault for fault in faults() if other.path in fault]
    assert found[0].startswith(f"{records.record_of(Path(other.path))}: is of {one.address}")
    record = records.record_of(Path(other.path))
    storage.write_json(storage.read_json(record) | {"address": other.address}, record)
    found = [fault for fault in faults() if other.path in fault]
    assert found[0].startswith(f"{other.path}: holds the passport of {one.address}")


def test_a_vector_whose_passport_names_another_model_is_found(study: Plan) -> None:
    vector = next(cell for cell in study.of("vectors") if "model" in cell.inputs)
    _, passport = storage.read_tensors(Path(vector.path))
    rewritten(vector, inputs={**passport["inputs"], "model": {"mini--0123456789": "0" * 64}})
    found = [fault for fault in faults() if fault.startswith(f"{vector.path}:")]
    assert found and "its passport was edited: recipe, inputs and code in it give the digits" in found[0]


def test_scores_of_other_answers_are_found(study: Plan) -> None:
    """The answers were made again with other bytes, records and all; their scores were not."""
    scores = study.of("scores")[0]
    (answers,) = scores.inputs["answers"]
    path = Path(answers.path)
    passport = storage.read_passport(path)
    storage.write_parquet(storage.read_parquet(path).assign(address="other"), path, passport)
    record = records.record_of(path)
    storage.write_json(storage.read_json(record) | {"sha256": storage.sha256(path), "size": storage.size(path)}, record)
    (fault,) = faults(scores.address)
    assert fault.startswith(f"{scores.path}: was made from other bytes of {answers.address} than those at hand. Delete it")


def test_an_input_file_that_was_edited_is_found(study: Plan) -> None:
    with Path("data/neutral/everyday.txt").open("a") as stream:
        stream.write("more\n")
    assert any(fault.startswith("data/neutral/everyday.txt: other bytes than the plan was made with") for fault in faults())


@pytest.mark.parametrize(("spoil", "said"), [(records.record_of, "has no run record"), (lambda path: path, None)])
def test_no_record_is_a_fault_and_no_artifact_is_none(study: Plan, spoil: object, said: str | None) -> None:
    cell = study.of("benchmarks")[0]
    spoil(Path(cell.path)).unlink()  # type: ignore[operator]
    found = looked(cell.address)
    assert found.absent == ([] if said else [cell.address])
    assert [said in fault for fault in found.faults if said] == ([True] if said else [])


def test_a_name_that_changed_is_no_fault(study: Plan) -> None:
    """Identity is the digits: an artifact of a renamed model keeps its bytes, its record and its passport."""
    cell = study.of("tasks")[0]
    renamed = Path(cell.path).with_name(f"other--{cell.address.rpartition('--')[2]}.parquet")
    Path(cell.path).rename(renamed)
    records.record_of(Path(cell.path)).rename(records.record_of(renamed))
    assert faults(str(renamed)) == []


def test_an_index_that_a_merge_has_broken_is_a_message(study: Plan) -> None:
    publishing.INDEX.write_text('{"index.html": {}}')
    with pytest.raises(DataError, match=r"reports/index\.json: not what `emsteer publish` writes"):
        looked()


def test_every_fault_says_what_to_do(study: Plan) -> None:
    kinds: Sequence[str] = ("answers", "tables")
    for kind in kinds:
        flip(largest(study.of(kind)[0]))
    assert all("run" in fault.lower() for fault in faults())
