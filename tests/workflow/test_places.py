"""Where people put a study: behind a link, where they may not write. Every other test has a space in its path."""

import os
import shutil
from pathlib import Path

import pytest
from places import REPOSITORY
from workflow_support import StudyFolder

MAY_NOT = "-dac_override,-dac_read_search"  # what lets root write where the permissions say no
UNPRIVILEGED = ("setpriv", f"--bounding-set={MAY_NOT}", f"--inh-caps={MAY_NOT}") if os.geteuid() == 0 else ()


def test_a_linked_results_is_computed_by_snakemake_and_refused_by_a_dvc_with_git(finished: StudyFolder, elsewhere: Path) -> None:
    results = finished.path / "results"
    shutil.move(results, elsewhere)
    results.symlink_to(elsewhere / "results")
    next((elsewhere / "results/report").glob("report--*/index.html")).parent.rename(elsewhere / "set aside")
    finished.run("snakemake", "--cores", "1")
    assert results.is_symlink() and list((elsewhere / "results/report").glob("report--*/index.html"))
    finished.run("git", "init", "-q")
    assert "results" not in finished.run("git", "status", "--porcelain", "-unormal").split(), "git does not see the link"
    said = finished.run("dvc", "repro", "--single-item", "models", fails=True)
    assert f"results: a link to {elsewhere / 'results'}" in said and "core.no_scm" in said and "Traceback" not in said
    finished.run("dvc", "config", "--local", "core.no_scm", "true")
    finished.run("dvc", "repro", "--single-item", "models")
    assert results.is_symlink()


def test_in_a_folder_that_is_read_only_one_can_look_and_is_told_so(finished: StudyFolder) -> None:
    shutil.rmtree(finished.path / "results/report")
    folders = [finished.path, *(path for path in finished.path.rglob("*") if not path.is_symlink())]
    for path in folders:
        path.chmod(path.stat().st_mode & ~0o222)
    assert "1 to compute" in finished.run(*UNPRIVILEGED, "emsteer", "plan", "--status")
    for command in (("snakemake", "--cores", "1"), ("emsteer", "prune"), ("emsteer", "recompute", "figures", "--reason", "a test")):
        said = finished.run(*UNPRIVILEGED, *command, fails=True)
        assert "Permission denied" in said and "copy the folder to a place of yours" in said and "Traceback" not in said, command
    for path in folders:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture
def bare(tmp_path: Path) -> StudyFolder:
    """What `make` reads before there is an environment."""
    for name in ("Makefile", "requirements.lock", "requirements-models.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return StudyFolder(tmp_path)


@pytest.mark.parametrize("python", ["python3.99", "false"])
def test_without_the_right_python_nothing_is_installed_and_it_is_said_which(bare: StudyFolder, python: str) -> None:
    said = bare.run("make", "study", f"PYTHON={python}", fails=True)
    assert f"{python}: no Python 3.11. Install it, or say where it is: make PYTHON=/path/to/python3.11" in said
    assert not (bare.path / ".venv").exists()


def test_where_one_may_not_write_make_says_so_before_it_installs(bare: StudyFolder) -> None:
    bare.path.chmod(0o555)
    said = bare.run(*UNPRIVILEGED, "make", "study", fails=True)
    bare.path.chmod(0o755)
    assert f"{bare.path}: you may not write here" in said
