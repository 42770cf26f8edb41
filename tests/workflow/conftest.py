"""Fixtures of the workflow tests."""

import shutil
from pathlib import Path

import pytest
from workflow_support import StudyFolder, make_folder


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A fresh folder of the miniature study, nothing computed."""
    return make_folder(tmp_path)


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    study = make_folder(tmp_path_factory.mktemp("finished"))
    study.run("snakemake", "--cores", "2")
    return study


@pytest.fixture
def finished(_finished: StudyFolder, tmp_path: Path) -> StudyFolder:
    """A folder of its own in which Snakemake has run to the end."""
    shutil.copytree(_finished.path, tmp_path / "study", symlinks=True)
    return StudyFolder(tmp_path / "study")
