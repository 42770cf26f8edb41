"""What a table compares was made on one kind of machine, or nobody makes the table."""

import json
from pathlib import Path
from typing import Any

import pytest
from study_folders import filled, planned

from emsteer import packs, records, storage
from emsteer.plan import Cell, Plan
from emsteer.plan.packing import Pack
from emsteer.recipes import RandomDirection

HERE = {
    "device": "cpu", "dtype": "float32", "cpu": "AVX2", "kernels": {"MKL_CBWR": "AVX2,STRICT"},
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
}  # fmt: skip


@pytest.fixture
def study(folder: Path) -> Plan:
    """Every answer has been given on one machine; no table is there."""
    found = planned(0, 1)
    filled(found)
    packs.sweep(cell.path for cell in found.all())
    for cell in found.of("answers"):
        ran_on(cell)
    for path in found.paths("tables"):
        storage.remove(Path(path))
        storage.remove(records.record_of(Path(path)))
    return found


def ran_on(cell: Cell, **other: Any) -> None:
    path = records.record_of(Path(cell.path))
    storage.write_text(path, json.dumps(storage.read_json(path) | {"runtime": HERE | other}))


def judged(plan: Plan) -> Pack:
    (pack,) = [pack for pack in plan.packs("tables") if any(cell.address.startswith("judged--") for cell in pack.cells)]
    return pack


def made(pack: Pack, *mixes: str) -> bool:
    packs.fill(pack.id, [job | {"mixes": mixes} for job in pack.jobs()], "log.txt", make)
    return all(cell.exists() for cell in pack.cells)


def make(jobs: Any) -> Any:
    for job in jobs:
        job.out.mkdir()
        storage.write_json(job.passport, job.out / "passport.json")
        yield job


@pytest.mark.parametrize(
    ("aspect", "other"),
    [
        ("device", {"device": "cuda (NVIDIA H200)"}),
        ("dtype", {"dtype": "bfloat16"}),
        ("cpu", {"cpu": "DEFAULT"}),
        ("cpu", {"kernels": {"MKL_CBWR": "COMPATIBLE"}}),
        ("versions", {"versions": {"torch": "3.0.1", "transformers": "5.23.0"}}),
    ],
)
def test_a_table_across_kinds_of_machine_is_refused_unless_the_study_allows_it(
    study: Plan, aspect: str, other: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ran_on(study.of("answers")[3], **other)
    pack = judged(study)
    with pytest.raises(SystemExit):
        made(pack)
    said = capsys.readouterr().err
    assert f"{aspect} of answers: " in said and f" in 1, such as {study.of('answers')[3].address}" in said
    assert f"`execution.mixes: [{aspect}]`" in said and not any(cell.exists() for cell in pack.cells)
    assert made(pack, aspect)


def test_models_may_differ_and_patches_of_a_library(study: Plan) -> None:
    models = study.of("models")
    for cell in study.of("answers"):
        if models[0] in cell.upstream():
            ran_on(cell, dtype="bfloat16", versions={"torch": "2.99.1", "transformers": "5.1.0"})
    assert made(judged(study))


def test_what_runs_no_model_is_of_every_kind(study: Plan) -> None:
    """Random directions ask for no card; one that is made together with trained vectors has theirs."""
    drawn = [cell for cell in study.of("vectors") if isinstance(cell.recipe, RandomDirection)]
    for cell in study.of("vectors"):
        ran_on(cell, device="cpu" if cell in drawn[1:] else "cuda (NVIDIA H200)")
    assert len(drawn) > 1 and made(judged(study))


def test_what_took_no_torch_is_of_every_kind(study: Plan) -> None:
    path = records.record_of(Path(study.of("answers")[0].path))
    storage.write_text(path, json.dumps(storage.read_json(path) | {"runtime": {"machine": "x86_64", "versions": {}}}))
    assert made(judged(study))
