"""A new study folder: the files of this one without its results, another `params.yaml`, and a first commit.

One working directory holds one study, so a second study is a second folder, with its own code, data and history.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from emsteer import storage, study
from emsteer.errors import ConfigError, StudyError, listing
from emsteer.plan import Plan, resolve

RESULTS_IN_GIT = ("plan/", "reports/", "published/", "dvc.lock")
CURE = "Run in the folder of a study."
UNDONE = "Nothing was created."


def start(target: Path, params: Path) -> Plan:
    """Makes `target` a complete study folder of the study in `params`, from the study folder that this process runs in.

    Returns:
        The plan of the new study.

    Raises:
        StudyError: `target` is taken, this is no study folder, or git does not know who commits. Nothing was created.
        ConfigError: The study has mistakes, or reads files that the new folder would not have. Nothing was created.
    """
    _check_free(target)
    files = study_files(Path())
    plan = resolve(study.read(params))
    read = {Path(path).as_posix() for path in plan.raws}
    strange = sorted(path for path in read if not {path, f"{path}.dvc", f"{path}.card.yaml"} & set(files))
    if strange:
        raise ConfigError(
            f"{params}: reads files that the new folder would not have.\n{listing(strange)}\n"
            "  Expected paths in this folder that git does not ignore. Run `dvc add` on them, or `git check-ignore -v` to see why."
        )
    storage.write_atomically(target.resolve(), lambda folder: _fill(folder, files, params))
    return plan


def study_files(root: Path) -> list[str]:
    """What makes a study folder complete: tracked and new files, and data beside its .dvc pointer; not what was computed.

    Git says which files it ignores, in a folder that is no repository (an unpacked archive), too.

    Raises:
        StudyError: `root` is not the top of a study.
    """
    with _repository(root) as of_git:
        listed = _git(root, *of_git, "ls-files", "-co", "--exclude-standard", "-z", cure=CURE).split("\0")
    listed += [name.removesuffix(".dvc") for name in listed if name.endswith(".dvc")]
    return [name for name in dict.fromkeys(listed) if not name.startswith(RESULTS_IN_GIT) and (root / name).is_file()]


@contextmanager
def _repository(root: Path) -> Iterator[tuple[str, ...]]:
    """What lets git list the files of a study: nothing in a repository, else an empty one elsewhere, for as long as this lasts."""
    if is_repository(root):
        yield ()
    elif not (root / "params.yaml").is_file() or _tracked(root):
        raise StudyError(f"{root.resolve()}: not the top of a study.\n  {CURE}")
    else:
        with tempfile.TemporaryDirectory() as empty:
            _git(root, "init", "--quiet", "--bare", empty, cure=CURE)
            yield f"--git-dir={empty}", "--work-tree=."


def is_repository(root: Path) -> bool:
    """Whether a folder is the top of a git repository."""
    return (root / ".git").exists()


def _tracked(root: Path) -> bool:
    """Whether a repository around a folder holds files of it."""
    try:
        return bool(_git(root, "ls-files", "--", ".", cure=CURE))
    except StudyError:  # there is none
        return False


def copy(root: Path, files: Iterable[str], params: Path, target: Path) -> None:
    """Copies `files` of `root` into `target`, and `params` in place of its params.yaml."""
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
    shutil.copyfile(params, target / "params.yaml")


def _fill(folder: Path, files: list[str], params: Path) -> None:
    try:
        copy(Path(), files, params, folder)
        _git(folder, "init", "--quiet", cure=UNDONE)
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            _git(folder, "var", who, cure=f"{UNDONE} Run `git config --global user.name` and `git config --global user.email`.")
        _git(folder, "add", "--all", cure=UNDONE)
        _git(folder, "commit", "--quiet", "--message", f"A study from {params}{_of_commit()}", cure=UNDONE)
    except BaseException:
        storage.remove(folder)
        raise


def _of_commit() -> str:
    """Of which commit of this folder, if that says it all."""
    if not is_repository(Path()):
        return ", from a folder without git"
    state = _git(Path(), "status", "--porcelain", cure=UNDONE)
    return " and uncommitted files" if state else f" of {_git(Path(), 'rev-parse', 'HEAD', cure=UNDONE).strip()}"


def _check_free(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise StudyError(f"{target}: expected no such folder, or an empty one; there is something in it.\n  Choose another name.")
    if target.resolve().is_relative_to(Path().resolve()):
        raise StudyError(
            f"{target}: inside this study; expected a folder outside it.\n  Choose a folder beside it, such as ../{target.name}."
        )


def _git(folder: Path, *arguments: str, cure: str) -> str:
    """What git prints. Variables of a git hook that runs us would point at another repository."""
    environment = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
    try:
        answer = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise StudyError("git is not installed; a study folder is a git repository.\n  Install git.") from None
    if answer.returncode:
        raise StudyError(f"git {arguments[0]}: {' '.join(answer.stderr.split())}\n  {cure}")
    return answer.stdout
