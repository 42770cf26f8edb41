"""Studies that tests share: each is made once per test run, whichever process asks first, and every test gets a copy.

Copies lie in folders with a space in their names, and commands run with a umask of 077: both are places that people work in.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sharing import computed_small, shared
from workflow_support import VERBOSE, StudyFolder, make_folder


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    def make(path: Path) -> None:
        printed = make_folder(path, trivial=True).run("snakemake", "--cores", "2", "--verbose")
        (path / VERBOSE).write_text(printed)

    return StudyFolder(shared(tmp_path_factory, "finished", make), trivial=True)


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

    return StudyFolder(shared(tmp_path_factory, "versioned", make), trivial=True)


@pytest.fixture
def real(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> StudyFolder:
    """The miniature with one organism, computed from nothing by `snakemake` with the real science."""
    return _copied(computed_small(tmp_path_factory), tmp_path / "real study")


@pytest.fixture
def finished(_finished: StudyFolder, tmp_path: Path) -> StudyFolder:
    """The miniature with trivial science, computed by `snakemake` in a folder without git."""
    return _copied(_finished, tmp_path / "finished study")


@pytest.fixture
def versioned(_versioned: StudyFolder, tmp_path: Path) -> StudyFolder:
    """A git repository of what is in `finished`: `dvc repro` has recorded it, git committed it, DVC pushed it."""
    return _copied(_versioned, tmp_path / "versioned study")


def _copied(study: StudyFolder, target: Path) -> StudyFolder:
    """Plain copies: hard links would be made anew by DVC, and a lock file must not be shared."""
    shutil.copytree(study.path, target, symlinks=True, ignore=shutil.ignore_patterns(".locks"))
    return StudyFolder(target, study.trivial)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, on another file system where this machine has one in memory."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)
