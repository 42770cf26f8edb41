"""A folder of the miniature study, in which the test runs."""

import shutil
from pathlib import Path

import pytest
from places import REPOSITORY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parameters and input files; nothing is computed."""
    shutil.copytree(REPOSITORY / "data", tmp_path / "data")
    shutil.copy(REPOSITORY / "tests/studies/miniature/params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
