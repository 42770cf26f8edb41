"""A copy of the repository with the miniature study in it, and the commands that a person would type there."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from places import REPOSITORY
from planning import MINIATURE

from emsteer import scaffold
from emsteer.plan import KINDS

PRIVATE = 0o077  # a umask: nothing is for anybody else
HANG_S = 1800  # for hangs only: a slow machine is no mistake
VERBOSE = Path("logs/verbose.txt")  # what Snakemake said while it computed the study that is shared
TRIVIAL = Path(__file__).with_name("trivial")
DOSES = ("sweeps", "trained", "doses")
SCALES = ("base_point", "finetuned", "doses")
NEW_WITH_A_DOSE = {
    "answers": 4,
    "margins": 2,
    "likeness": 2,
    "effects": 2,
    "witnesses": 8,
    "scores": 4,
    "tables": 18,
    "figures": 16,
    "report": 1,
}  # two snapshots × two blocks
OURS = str(Path(sys.executable).parent)
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{OURS}{os.pathsep}{os.environ['PATH']}",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.org",
    "DVC_NO_ANALYTICS": "1",
}  # fmt: skip


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study. `trivial`: what makes artifacts there is the stand-in of `trivial/`; everything else is real."""

    path: Path
    trivial: bool = False

    def environment(self, **more: str) -> dict[str, str]:
        """Of a command that runs there."""
        return {**ENVIRONMENT, **({"PYTHONPATH": str(TRIVIAL)} if self.trivial else {}), **more}

    def run(self, *command: str, fails: bool = False, **environment: str) -> str:
        """Runs a command and returns what it printed; asserts that it succeeds, or fails."""
        env = self.environment(**environment)
        answer = subprocess.run(
            command, cwd=self.path, env=env, umask=PRIVATE, capture_output=True, text=True, timeout=HANG_S, check=False
        )
        printed = answer.stdout + answer.stderr
        assert (answer.returncode != 0) == fails, f"{command} ended with {answer.returncode}:\n{printed}"
        return printed

    def edit(self, *path: str, value: object) -> None:
        """Sets one value of params.yaml; None: takes it out."""
        file = self.path / "params.yaml"
        raw = yaml.safe_load(file.read_text())
        place: Any = raw
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        if value is None:
            del place[path[-1]]
        file.write_text(yaml.safe_dump(raw, sort_keys=False))

    def cells(self) -> dict[str, int]:
        """Every cell there is (`kind/name`), with the inode of its run record: another one means computed again."""
        records = [path for kind in KINDS for path in (self.path / "results" / kind).glob("*.run.json")]
        return {f"{path.parent.name}/{path.name.removesuffix('.run.json')}": path.stat().st_ino for path in records}

    def computed(self, before: dict[str, int]) -> dict[str, int]:
        """Kind → number of cells that were computed since."""
        counts: dict[str, int] = {}
        for name, inode in self.cells().items():
            if before.get(name) != inode:
                counts[name.partition("/")[0]] = counts.get(name.partition("/")[0], 0) + 1
        return counts

    def records(self) -> dict[str, bytes]:
        """The run record of every cell; it says when and in how many seconds, so two runs never write the same one."""
        return {name: (self.path / f"results/{name}.run.json").read_bytes() for name in self.cells()}

    def reports(self) -> dict[str, bytes]:
        """Name → bytes of everything under reports/."""
        return {
            str(path.relative_to(self.path)): path.read_bytes() for path in (self.path / "reports").rglob("*") if path.is_file()
        }


def make_folder(path: Path, *, trivial: bool = False) -> StudyFolder:
    """What `emsteer new` makes of the miniature study, but for the commit: some tests begin without git."""
    scaffold.copy(REPOSITORY, scaffold.study_files(REPOSITORY), MINIATURE, path)
    return StudyFolder(path, trivial)


def make_small_folder(path: Path) -> StudyFolder:
    """The miniature with one organism and the real science, in few jobs."""
    study = make_folder(path)
    study.edit("models", "mini_none", value=None)
    study.edit("sweeps", "mean_difference", "models", value=["mini"])
    study.edit("execution", "cells_per_job", value=100)
    return study
