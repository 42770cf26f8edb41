"""`snakemake --use-conda`, where conda is installed and where it is not. The conda is a stand-in: tests reach no channel."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from workflow_support import OURS, StudyFolder

SAYS = "no `conda` on the PATH"
CONDA = """#!/bin/sh
# Stand-in: answers what Snakemake asks, and makes an environment of a `python` that is this one's and a `pip` that only notes.
echo "conda $*" >> {calls}
case "$1" in
  --version) echo "conda 25.1.0" ;;
  info) echo '{{"conda_prefix": "{root}", "platform": "linux-64"}}' ;;
  config) echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  env) while [ "$1" != --prefix ]; do shift; done; mkdir -p "$2/bin"
       printf '#!/bin/sh\\necho "python of $0" >> {calls}\\nexec {python} "$@"\\n' > "$2/bin/python"
       printf '#!/bin/sh\\necho "pip $*" >> {calls}\\n' > "$2/bin/pip"; chmod +x "$2/bin/python" "$2/bin/pip" ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def conda(tmp_path: Path, calls: Path) -> Path:
    """The folder of a stand-in `conda`, to be put on the PATH."""
    folder = tmp_path / "conda/bin"
    folder.mkdir(parents=True)
    program = folder / "conda"
    program.write_text(CONDA.format(calls=calls, root=folder.parent, python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
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


def test_with_conda_jobs_run_in_the_environment_that_it_makes(finished: StudyFolder, conda: Path, calls: Path) -> None:
    shutil.rmtree(finished.path / "results/tasks")
    printed = finished.run("snakemake", "--cores", "8", "--use-conda", PATH=os.pathsep.join([OURS, str(conda), os.environ["PATH"]]))
    assert SAYS not in printed and (finished.path / "results/tasks").exists()
    called = calls.read_text().splitlines()
    assert any(line.startswith("conda env create") for line in called), "the environment of the rule was made"
    assert any(line.startswith("pip install") and "requirements.lock" in line for line in called), "with the exact versions"
    assert any(line.startswith("python of") and ".snakemake/conda" in line for line in called), "and the job ran in it"
