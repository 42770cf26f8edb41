"""What is kept of a study: its reports, its parameters, and a stamp that says what made them."""

import csv
import io
import shutil
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from places import kept_bytes
from workflow_support import StudyFolder

from emsteer import keeping, storage
from emsteer.keeping import STAMP
from emsteer.plan import KINDS


def test_reports_are_kept_with_the_commit_that_made_them_and_what_it_cost(versioned: StudyFolder) -> None:
    target = versioned.path.with_name("kept")
    said = versioned.run("emsteer", "keep", str(target))
    stamp = storage.read_json(target / STAMP)
    assert stamp["commit"] == versioned.run("git", "rev-parse", "HEAD").strip() and stamp["commit"][:10] in said
    assert stamp["started_as"] == "study"
    assert stamp["cells"] == {kind: len(list((versioned.path / f"results/{kind}").glob("*.run.json"))) for kind in KINDS}
    assert set(stamp["jobs"]) >= {"prepare_models", "generate_answers", "witness_answers", "write_report"}
    assert all(job["processes"] >= 1 and job["cpu_s"] >= 0 for job in stamp["jobs"].values()) and stamp["wall_s"] >= 0
    with (target / "cost.csv").open() as stream:
        cost = {row["stage"]: row for row in csv.DictReader(stream)}
    assert {stage: int(row["cells"]) for stage, row in cost.items()} == {kind: n for kind, n in stamp["cells"].items() if n}
    assert all(float(row["taken_core_s"]) > 0 and float(row["estimated_core_s"]) > 0 for row in cost.values())
    for name in ("index.html", "index.json", "made_on.json"):
        assert (target / name).read_bytes() == (versioned.path / "reports" / name).read_bytes()
    assert (target / "params.yaml").read_bytes() == (versioned.path / "params.yaml").read_bytes()
    (target / "left over").touch()
    versioned.run("emsteer", "keep", str(target))
    assert not (target / "left over").exists(), "it takes the place of what was kept before"


@pytest.mark.parametrize("lack", ["unpublished", "uncommitted", "taken", "other answers"])
def test_nothing_is_kept_that_the_stamp_would_be_wrong_about(versioned: StudyFolder, lack: str) -> None:
    target = versioned.path.with_name("kept")
    if lack == "unpublished":
        shutil.rmtree(versioned.path / "reports/tables")
    elif lack == "uncommitted":
        (versioned.path / "src/emsteer/new.py").touch()
    elif lack == "other answers":
        (versioned.path / "reports/data").mkdir()
        with tarfile.open(versioned.path / "reports/data/cells.tar.xz", "w:xz") as archive:
            member = tarfile.TarInfo("records.json")
            member.size = 2
            archive.addfile(member, io.BytesIO(b"{}"))
    else:
        target.mkdir()
        (target / "mine").touch()
    said = versioned.run("emsteer", "keep", str(target), fails=True)
    cures = {"unpublished": "Run `snakemake` first", "uncommitted": "Commit.", "taken": "Choose another name."}
    assert {**cures, "other answers": "Run `emsteer export` first"}[lack] in said
    assert not (target / STAMP).exists()


def test_a_large_table_is_kept_compressed_and_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keeping, "LARGE", 40)
    large, small = "model,em\n" + "tiny,0.25\n" * 9, "model,em\ntiny,0.25\n"
    files = {"tables/rates.csv": large, "tables/claims.csv": small, "figures/overall.csv": large, "index.html": large}
    for name, text in files.items():
        path = keeping.REPORTS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    Path("params.yaml").touch()
    for target in ("once", "again"):
        keeping.fill(Path(target), {})
    names = {file.relative_to("once").as_posix() for file in Path("once").rglob("*.*")}
    kept = {"tables/rates.csv.gz", "tables/claims.csv", "figures/overall.csv.gz", "index.html", "params.yaml", STAMP}
    assert names == kept
    assert all((Path("once") / name).read_bytes() == (Path("again") / name).read_bytes() for name in names)
    assert {name: kept_bytes(Path("once"), name).decode() for name in files} == files
    assert len(pd.read_csv("once/tables/rates.csv.gz")) == 9
