"""`snakemake --use-conda`, where conda is installed and where it is not. The conda is a stand-in: tests reach no channel."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import REPOSITORY
from workflow_support import OURS, StudyFolder

SAYS = "no `conda` on the PATH"
PINS = REPOSITORY / "workflow/envs/pins.py"
IMPORT_ALL = """
import importlib, pkgutil, emsteer
names = [module.name for module in pkgutil.walk_packages(emsteer.__path__, "emsteer.")]
for name in names:
    importlib.import_module(name)
print(len(names), emsteer.__file__)
"""


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """The folder of a stand-in `conda`, to be put on the PATH; what it was asked stands in `../calls`."""
    folder = tmp_path / "conda/bin"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("stand_in_conda.py"), folder)
    program = folder / "conda"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {folder}/stand_in_conda.py "$@"\n')
    program.chmod(0o755)
    (folder / "activate").write_text('export PATH="$1/bin:$PATH"\n')
    return folder


def without_conda(path: str) -> str:
    return os.pathsep.join(folder for folder in path.split(os.pathsep) if not (Path(folder) / "conda").exists())


def test_without_conda_it_is_said_in_one_line_and_the_study_goes_on_in_the_environment_at_hand(
    finished: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = without_conda(os.pathsep.join([OURS, os.environ["PATH"]]))
    assert shutil.which("conda", path=path) is None
    printed = finished.run("snakemake", "--cores", "8", "--use-conda", PATH=path)
    assert printed.count(SAYS) == 1 and "Nothing to be done" in printed
    shutil.rmtree(finished.path / "results/tasks")
    printed = finished.run("snakemake", "--cores", "8", "--use-conda", PATH=path)
    assert printed.count(SAYS) == 1 and (finished.path / "results/tasks").exists()


def test_with_conda_jobs_run_in_the_environment_that_it_makes_which_holds_all_they_need(finished: StudyFolder, conda: Path) -> None:
    shutil.rmtree(finished.path / "results/tasks")
    path, command = os.pathsep.join([OURS, str(conda), os.environ["PATH"]]), ("snakemake", "--cores", "8", "--use-conda")
    assert "in a path with spaces" in finished.run(*command, PATH=path, fails=True), "it would end in a shell's message"
    environments = conda.parents[1] / "environments"
    printed = finished.run(*command, "--conda-prefix", str(environments), PATH=path)
    assert SAYS not in printed and (finished.path / "results/tasks").exists()
    called = (conda.parent / "calls").read_text().splitlines()
    assert sum(line.startswith("conda env create") for line in called) == 1, "one environment for all rules"
    (made,) = environments.glob("*/bin")
    assert f"python of {made.parent}" in called, "and the job ran in it"
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    answer = subprocess.run([made / "python", "-c", IMPORT_ALL], env=alone, cwd="/", capture_output=True, text=True, check=True)
    n, _, where = answer.stdout.strip().partition(" ")
    assert int(n) > 80 and Path(where).is_relative_to(finished.path), "the package is the study's own"
    for name in ("snakemake", "dvc"):
        assert subprocess.run([made / "python", "-c", f"import {name}"], env=alone, cwd="/", capture_output=True).returncode != 0


def test_the_environment_has_the_versions_of_the_lock(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PINS, "--check"], check=True)
    *_, listed = yaml.safe_load((REPOSITORY / "workflow/envs/study.yaml").read_text())["dependencies"]
    assert set(listed["pip"]) < set((REPOSITORY / "requirements.lock").read_text().splitlines())


@pytest.mark.parametrize("edit", [("torch==", "torch==0."), ("numpy==", "pandas-stubs==1\nnumpy==9.")])
def test_a_lock_that_moved_away_from_the_environment_is_noticed(tmp_path: Path, edit: tuple[str, str]) -> None:
    for name in (
        "workflow/envs/pins.py",
        "workflow/envs/study.yaml",
        "requirements.lock",
        "requirements-models.lock",
        "pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    lock = tmp_path / "requirements.lock"
    lock.write_text(lock.read_text().replace(*edit, 1))
    copied = [sys.executable, tmp_path / "workflow/envs/pins.py"]
    answer = subprocess.run([*copied, "--check"], capture_output=True, text=True, check=False)
    assert answer.returncode == 1 and "run `python workflow/envs/pins.py`" in answer.stderr
    subprocess.run(copied, check=True)
    subprocess.run([*copied, "--check"], check=True)
