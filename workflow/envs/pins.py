"""Writes study.yaml, the conda environment of a job: what the rules import, in the versions of requirements.lock.

    python workflow/envs/pins.py            # after a change of requirements.lock or of the dependencies in pyproject.toml
    python workflow/envs/pins.py --check    # says whether that is due

Conda brings the interpreter, pip the exact wheels. Snakemake and DVC are what starts jobs; no job imports them.
"""

import re
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(__file__).with_name("study.yaml")
STARTS_JOBS = {"dvc", "snakemake", "snakemake-executor-plugin-slurm"}
HEAD = """\
# The environment of a compute job, for --use-conda. Written by workflow/envs/pins.py from requirements.lock: do not edit.
# study.post-deploy.sh installs models ({models}) and the package itself, as it is in this folder.
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def canonical(name: str) -> str:
    """As the package index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    """Distribution → its line in requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return {canonical(line.partition("==")[0]): line for line in lines if "==" in line and not line.startswith("#")}


def needed() -> set[str]:
    """What the package's dependencies need, transitively, but for what starts jobs; and setuptools, which installs the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    todo = [Requirement(line) for line in project["dependencies"] if canonical(Requirement(line).name) not in STARTS_JOBS]
    found: set[tuple[str, str]] = set()
    todo.append(Requirement("setuptools"))
    while todo:
        requirement = todo.pop()
        for extra in ("", *requirement.extras):
            key = canonical(requirement.name), extra
            if key in found:
                continue
            found.add(key)
            wanted = (Requirement(line) for line in requires(requirement.name) or ())
            todo += [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def models() -> str:
    """Packages that study.post-deploy.sh installs; named here, because Snakemake makes a new environment when this text moves."""
    lines = (ROOT / "requirements-models.lock").read_text(encoding="utf-8").splitlines()
    return ", ".join(line for line in lines if not line.startswith("#"))


def text() -> str:
    """Of study.yaml."""
    pins = locked()
    names = sorted(needed())
    return HEAD.format(models=models()) + "".join(f"      - {pins[name]}\n" for name in names)


if __name__ == "__main__":
    fresh = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text()
    if "--check" not in sys.argv:
        TARGET.write_text(text(), encoding="utf-8")
    elif not fresh:
        sys.exit(f"{TARGET.relative_to(ROOT)}: not what requirements.lock says; run `python workflow/envs/pins.py`")
