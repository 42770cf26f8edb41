"""`emsteer accept`: a pure refactor keeps every address, after a small study gave the same bytes with the old code and the new.

The old code is a commit, the new one the working tree. Each computes the miniature study in a folder of its own, with its own
rules, scripts and package.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from emsteer import recipes, scaffold, storage, study
from emsteer.errors import StudyError, listing
from emsteer.plan import KINDS, resolve
from emsteer.plan.accepted import FILE, Acceptance, read_accepted, standing_digest, written
from emsteer.plan.digests import ROOT, code_digest, source_of

MINIATURE = Path("tests/studies/miniature/params.yaml")


def accept(reason: str, against: str = "HEAD", *, params: Path = MINIATURE, checked: bool = True) -> list[Acceptance]:
    """Lets the code of the working tree stand for that of a commit, and writes it down in the package.

    Args:
        reason: Why bytes cannot have moved, for whoever reads the lineage of a result.
        against: The commit to compare with.
        params: The study that both compute.
        checked: False: nothing is computed, and the acceptance says so for ever.

    Raises:
        StudyError: No digest moved, there is no such commit, or the two gave other bytes. Nothing was written.
    """
    if Path("src").resolve() != ROOT:
        raise StudyError(f"accept: expected the repository of the package in use, {ROOT.parent}; this is {Path().resolve()}.")
    with tempfile.TemporaryDirectory(prefix="emsteer-accept-") as scratch:
        old, new = Path(scratch, "old"), Path(scratch, "new")
        commit = _check_out(against, old)
        made = {cell.recipe.module for cell in resolve(study.read(params)).all()} if checked else set()
        found = list(_moved(old / "src", reason, commit, made))
        if not found:
            raise StudyError(f"accept: no digest moved since {against}, so no address did. There is nothing to accept.")
        kept = [*read_accepted(), *found]
        if checked:
            scaffold.copy(Path(), scaffold.study_files(Path()), params, new)
            storage.write_text(new / "src" / FILE, written(kept))
            _compare(old, new, params)
        storage.write_text(ROOT / FILE, written(kept))
    return found


def _check_out(against: str, folder: Path) -> str:
    """The tree of a commit, as files; returns the commit's whole name."""
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{against}^{{commit}}"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise StudyError(f"accept: {against} is no commit of this repository.")
    commit = found.stdout.strip()
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", str(folder)], input=archive, check=True)
    return commit


def _moved(old: Path, reason: str, commit: str, made: set[str]) -> Iterator[Acceptance]:
    """What stands for what; `made`: modules whose cells are computed with both codes, so that an acceptance of them is checked."""
    now = read_accepted()
    before = [*now, *read_accepted(old)]  # the first ones too: they may have been left out of the commit
    for module in sorted(_modules()):
        if source_of(module, old) is None:
            continue  # new: nothing has an address by it
        stands_for = standing_digest(module, before, old)
        if standing_digest(module, now) != stands_for:
            digest = code_digest(module)
            yield Acceptance(
                module=module, digest=digest, stands_for=stands_for, reason=reason, commit=commit, checked=module in made
            )


def _modules() -> set[str]:
    """Every module that a recipe names."""
    classes = [recipes.Recipe]
    for recipe in classes:
        classes += recipe.__subclasses__()
    return {recipe.module for recipe in classes if hasattr(recipe, "module")}


def _compare(old: Path, new: Path, params: Path) -> None:
    content = params.read_bytes()
    own = old / params  # as the old commit has it: the old code may not know every key of today's
    said = _computed(old, content)
    if said and own.is_file() and own.read_bytes() != content:
        said = _computed(old, own.read_bytes())
    for folder, failure in ((old, said), (new, said or _computed(new, content))):
        if failure:
            raise StudyError(f"accept: {params} fails with the {folder.name} code. Nothing was accepted.\n{failure}")
    others = differences(old, new)
    if others:
        count = Counter(name.partition("/")[0] for name in others)
        kinds = ", ".join(f"{n} {kind}" for kind, n in count.items())
        raise StudyError(
            f"accept: other bytes or other addresses with the new code ({kinds}). Nothing was accepted.\n{listing(others)}\n"
            "  If bytes were meant to move, let the addresses move too: run `make results`."
        )


def _computed(folder: Path, content: bytes) -> str:
    """Computes a study in a folder; what Snakemake said if it failed, else nothing."""
    (folder / "params.yaml").write_bytes(content)
    for left in ("reports", "results"):
        storage.remove(folder / left)
    command = [sys.executable, "-m", "snakemake"]
    answer = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False)
    return "\n".join(answer.stderr.splitlines()[-15:]) if answer.returncode else ""


def _environment(folder: Path) -> dict[str, str]:
    """With the folder's package before the installed one."""
    paths = [str(folder / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def differences(old: Path, new: Path) -> list[str]:
    """`kind/address` of every cell that one of two study folders lacks, or that has other bytes in it; upstream first."""
    digests = [{name: digest for kind in KINDS for name, digest in _digests(folder, kind)} for folder in (old, new)]
    names = dict.fromkeys(chain(*digests))
    return [name for name in names if digests[0].get(name) != digests[1].get(name)]


def _digests(folder: Path, kind: str) -> Iterator[tuple[str, str]]:
    for path in sorted((folder / "results" / kind).glob("*--*.run.json")):
        record = storage.read_json(path)
        yield f"{kind}/{record['address']}", record["sha256"]
