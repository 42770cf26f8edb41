"""Studies that are made once, whichever process of a test run, or of two at a time, asks first."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from workflow_support import StudyFolder, make_small_folder


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` has filled, in this process or another; `SHARED_STUDIES`: where several test runs look for it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    base = Path(os.environ.get("SHARED_STUDIES") or base)
    complete, path = base / f"{name}.complete", base / name / "study"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(path, ignore_errors=True)
            make(path)
            complete.touch()
    return path


def computed_small(factory: pytest.TempPathFactory) -> StudyFolder:
    """`make_small_folder`, computed by `snakemake` with the real science; to be read or copied."""

    def make(path: Path) -> None:
        make_small_folder(path).run("snakemake", "--cores", "2")

    return StudyFolder(shared(factory, "real", make))
