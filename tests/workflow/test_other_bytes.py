"""A cell that another machine made again has other bytes under its address; what was made from the old ones goes."""

import json
from pathlib import Path

import yaml
from workflow_support import StudyFolder

from emsteer import records, storage

READERS = {
    "tables": 1,
    "figures": 1,
    "report": 1,
}  # of a cell of likeness


def artifact(study: StudyFolder, kind: str, begins: str) -> Path:
    return next(path for path in sorted((study.path / f"results/{kind}").glob(f"{begins}*")) if not path.name.endswith(".run.json"))


def made_elsewhere(study: StudyFolder) -> str:
    """Gives one cell the bytes, and the record of them, that another machine would have made; returns its name."""
    path = artifact(study, "likeness", "mini.base")
    content = path.read_bytes()
    path.unlink()  # DVC links it to its cache, and its record
    path.write_bytes(content + b" ")
    record = storage.read_json(records.record_of(path)) | {"sha256": storage.sha256(path), "size": storage.size(path)}
    records.record_of(path).unlink()
    records.record_of(path).write_text(json.dumps(record))
    return path.stem


def test_snakemake_stops_before_it_and_a_stage_makes_again_what_reads_it(finished: StudyFolder) -> None:
    name = made_elsewhere(finished)
    before = finished.cells()
    said = finished.run("snakemake", "--cores", "1", fails=True)
    assert f"from {name}. `emsteer stage` (or `dvc repro`) sets them aside" in said and "Traceback" not in said
    assert finished.cells() == before, "parsing moves nothing"
    said = finished.run("emsteer", "stage", "tables", "figures", "report")
    assert "1 computed" in said and "1 of any kind, made from other bytes than those here, set aside" in said
    assert finished.computed(before) == READERS
    finished.run("snakemake", "--cores", "1")
    assert "Nothing to be done" in finished.run("snakemake", "--cores", "1")
    assert "made from other bytes" not in finished.run("emsteer", "plan", "--status")


def test_repro_takes_nothing_from_its_cache_that_was_made_from_the_bytes_before(versioned: StudyFolder) -> None:
    """As in a clone that shares the cache: every table and figure is to come from there, and one of each must not."""
    made_elsewhere(versioned)
    old = versioned.records()
    for kind in ("tables", "figures"):
        storage.remove(versioned.path / "results" / kind)
    versioned.run("dvc", "repro")
    new = versioned.records()
    anew = {name.partition("--")[0] for name in old if new[name] != old[name]}
    assert anew == {"tables/likeness", "figures/likeness", "report/report"}
    assert "made from other bytes" not in versioned.run("emsteer", "plan", "--status")
    assert "up to date" in versioned.run("dvc", "repro")


def test_a_broken_cache_of_dvc_costs_a_warning(versioned: StudyFolder) -> None:
    lock = yaml.safe_load((versioned.path / "dvc.lock").read_text())
    cache = versioned.path / ".dvc/cache/files/md5"
    (listed,) = [out["md5"] for out in lock["stages"]["scores"]["outs"]]
    entries = json.loads((cache / listed[:2] / listed[2:]).read_text())
    before = versioned.records()
    n = len([name for name in before if name.startswith("scores/")])
    for path in (cache / entries[0]["md5"][:2] / entries[0]["md5"][2:], cache / listed[:2] / listed[2:]):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[: len(content) // 2])
        storage.remove(versioned.path / "results/scores")
        said = versioned.run("emsteer", "restore", "scores")
        assert f"restore scores: {n} cells came back" in said and "Traceback" not in said, "the remote has it"
        assert f"{path}: not the bytes of its name" in said and path.read_bytes() == content
    assert versioned.records() == before and "up to date" in versioned.run("dvc", "repro")


def test_other_kernels_make_other_bytes_and_what_reads_them_is_found(real: StudyFolder) -> None:
    """What is planned is what it was; a vector was made again with kernels for any processor."""
    path = artifact(real, "vectors", "mini.gardening.trained.s0")
    before = storage.sha256(path)
    storage.remove(path)
    storage.remove(records.record_of(path))
    kernels = {"ATEN_CPU_CAPABILITY": "default", "DNNL_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
    said = real.run("snakemake", "vectors", "--cores", "1", **kernels)
    record = storage.read_json(records.record_of(path))
    assert record["sha256"] != before and record["runtime"]["kernels"] == kernels
    assert "cells were made from other bytes than those here" in said and f"from {path.stem}. `emsteer stage`" in said
    status = real.run("emsteer", "plan", "--status")
    assert "made from other bytes than those here" in status and "nothing to compute" in status
