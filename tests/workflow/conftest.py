"""Studies that tests share: each is made once per test run, whichever process asks first, and every test gets a copy."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from workflow_support import StudyFolder, make_folder, make_small_folder


@pytest.fixture(scope="session")
def _real(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    def make(path: Path) -> None:
        make_small_folder(path).run("snakemake", "--cores", "2")

    return StudyFolder(_shared(tmp_path_factory, "real", make))


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    def make(path: Path) -> None:
        make_folder(path, trivial=True).run("snakemake", "--cores", "2")

    return StudyFolder(_shared(tmp_path_factory, "finished", make), trivial=True)


@pytest.fixture(scope="session")
def _versioned(tmp_path_factory: pytest.TempPathFactory, _finished: StudyFolder) -> StudyFolder:
    def make(path: Path) -> None:
        study = _copied(_finished, path)
        study.run("git", "init", "-q", "-b", "main")
        study.run("dvc", "remote", "add", "-q", "-d", "storage", str(path.with_name("remote")))
        study.run("git", "add", "-A")
        study.run("git", "commit", "-q", "-m", "study")
        study.run("dvc", "repro")
        study.run("git", "add", "-A")
        study.run("git", "commit", "-q", "-m", "results")
        study.run("dvc", "push", "-q")

    return StudyFolder(_shared(tmp_path_factory, "versioned", make), trivial=True)


@pytest.fixture
def real(_real: StudyFolder, tmp_path: Path) -> StudyFolder:
    """The miniature with one organism, computed from nothing by `snakemake` with the real science."""
    return _copied(_real, tmp_path / "real")


@pytest.fixture
def finished(_finished: StudyFolder, tmp_path: Path) -> StudyFolder:
    """The miniature with trivial science, computed by `snakemake` in a folder without git."""
    return _copied(_finished, tmp_path / "finished")


@pytest.fixture
def versioned(_versioned: StudyFolder, tmp_path: Path) -> StudyFolder:
    """A git repository of what is in `finished`: `dvc repro` has recorded it, git committed it, DVC pushed it."""
    return _copied(_versioned, tmp_path / "versioned")


def _shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    complete, path = base / f"{name}.complete", base / name / "study"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(path, ignore_errors=True)
            make(path)
            complete.touch()
    return path


def _copied(study: StudyFolder, target: Path) -> StudyFolder:
    """Plain copies: hard links would be made anew by DVC, and a lock file must not be shared."""
    shutil.copytree(study.path, target, symlinks=True, ignore=shutil.ignore_patterns(".locks"))
    return StudyFolder(target, study.trivial)
