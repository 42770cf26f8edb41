"""The miniature study through `dvc repro`: from a clean clone, after edits, and over a remote."""

import shutil
from pathlib import Path

import pytest
from workflow_support import StudyFolder

NEW_WITH_A_DOSE = {"answers": 4, "scores": 4, "tables": 3, "figures": 1, "report": 1}


@pytest.fixture
def versioned(folder: StudyFolder) -> StudyFolder:
    """A git repository with DVC, as a clone of ours is."""
    folder.run("git", "init", "-q", "-b", "main")
    if not (folder.path / ".dvc/config").exists():
        folder.run("dvc", "init", "-q")
    folder.run("git", "add", "-A")
    folder.run("git", "commit", "-q", "-m", "study")
    return folder


def test_the_life_of_a_study(versioned: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One test, since each step begins where the one before it ended; every step is a law of its own."""
    study = versioned
    study.run("dvc", "repro")
    assert "emsteer publish" in (study.path / "dvc.yaml").read_text()
    reports, first = study.reports(), study.cells()
    assert "reports/tables/rates.csv" in reports and "reports/index.html" in reports

    study.run("dvc", "repro")
    assert study.computed(first) == {}, "a second repro computes nothing"
    assert "nothing to be done" in study.run("snakemake", "--cores", "1").lower(), "nor does plain Snakemake after it"
    remote = tmp_path_factory.mktemp("remote")
    study.run("dvc", "remote", "add", "-q", "-d", "storage", str(remote))
    study.run("git", "add", "-A")
    study.run("git", "commit", "-q", "-m", "results")
    study.run("dvc", "push", "-q")

    study.edit("sweeps", "trained", "doses", value=[0, 1, 2])
    study.run("dvc", "repro")
    assert study.computed(first) == NEW_WITH_A_DOSE, "a new dose computes its own cells"
    second = study.cells()
    study.edit("sweeps", "trained", "doses", value=[0, 1])
    study.run("dvc", "repro")
    assert study.computed(second | first) == {}, "taking it out again computes nothing"
    assert study.reports() == reports, "and the reports are byte for byte the old ones"
    study.edit("sweeps", "trained", "doses", value=[0, 1, 2])
    study.run("dvc", "repro")
    assert study.computed(second | first) == {}, "putting it back computes nothing either"

    clone = StudyFolder(tmp_path_factory.mktemp("clone") / "study")
    study.run("git", "clone", "-q", str(study.path), str(clone.path))
    shutil.copy(study.path / ".dvc/config", clone.path / ".dvc/config")
    clone.edit("sweeps", "trained", "doses", value=[0, 1, 3])
    clone.run("dvc", "repro")
    made = {name for name in clone.cells() if ".a3." in name or name.split("/")[0] in ("tables", "figures", "report")}
    brought = set(clone.cells()) - made
    assert len(made) == sum(NEW_WITH_A_DOSE.values())
    assert brought <= set(first), "what the clone did not make, the remote gave it: nothing was pulled by hand"
    for name in sorted(brought):
        assert _record(clone.path, name) == _record(study.path, name), f"{name} was computed again"


def _record(study: Path, name: str) -> bytes:
    """The run record says when and in how many seconds: two runs never write the same one."""
    (found,) = [*study.glob(f"results/{name}.run.json"), *study.glob(f"results/.retired/{name}.run.json")][:1]
    return found.read_bytes()
