"""What is kept of a study: its reports, its parameters, and a stamp that says what made them."""

import shutil

import pytest
from workflow_support import StudyFolder

from emsteer import storage
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
    for name in ("index.html", "index.json", "made_on.json"):
        assert (target / name).read_bytes() == (versioned.path / "reports" / name).read_bytes()
    assert (target / "params.yaml").read_bytes() == (versioned.path / "params.yaml").read_bytes()
    (target / "left over").touch()
    versioned.run("emsteer", "keep", str(target))
    assert not (target / "left over").exists(), "it takes the place of what was kept before"


@pytest.mark.parametrize("lack", ["unpublished", "uncommitted", "taken"])
def test_nothing_is_kept_that_the_stamp_would_be_wrong_about(versioned: StudyFolder, lack: str) -> None:
    target = versioned.path.with_name("kept")
    if lack == "unpublished":
        shutil.rmtree(versioned.path / "reports/tables")
    elif lack == "uncommitted":
        (versioned.path / "src/emsteer/new.py").touch()
    else:
        target.mkdir()
        (target / "mine").touch()
    said = versioned.run("emsteer", "keep", str(target), fails=True)
    assert {"unpublished": "Run `snakemake` first", "uncommitted": "Commit.", "taken": "Choose another name."}[lack] in said
    assert not (target / STAMP).exists()
