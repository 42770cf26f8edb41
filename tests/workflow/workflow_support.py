"""A copy of the repository with the miniature study in it, and the commands that a person would type there."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from places import REPOSITORY

from emsteer.plan import KINDS

TIMEOUT_S = 300
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.org",
    "DVC_NO_ANALYTICS": "1",
}  # fmt: skip


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study."""

    path: Path

    def run(self, *command: str, fails: bool = False) -> str:
        """Runs a command and returns what it printed; asserts that it succeeds, or fails."""
        answer = subprocess.run(
            command, cwd=self.path, env=ENVIRONMENT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        printed = answer.stdout + answer.stderr
        assert (answer.returncode != 0) == fails, f"{command} ended with {answer.returncode}:\n{printed}"
        return printed

    def edit(self, *path: str, value: object) -> None:
        """Sets one value of params.yaml."""
        file = self.path / "params.yaml"
        raw = yaml.safe_load(file.read_text())
        place: Any = raw
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
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

    def reports(self) -> dict[str, bytes]:
        """Name → bytes of everything under reports/."""
        return {
            str(path.relative_to(self.path)): path.read_bytes() for path in (self.path / "reports").rglob("*") if path.is_file()
        }


def make_folder(path: Path) -> StudyFolder:
    """The tracked and the new files of the repository, without results, and the miniature study."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    left_out = ("plan/", "reports/", "dvc.lock")
    for name in listed.stdout.split("\0"):
        if name and not name.startswith(left_out) and (REPOSITORY / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, path / name)
    shutil.copy(REPOSITORY / "tests/studies/miniature/params.yaml", path / "params.yaml")
    return StudyFolder(path)
