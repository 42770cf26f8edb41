"""One stage of `dvc.yaml` in one process: bring back, compute, set aside.

Cells are brought back before Snakemake is asked, and Snakemake is asked only if some are missing. The study's lock is
held while cells move and is free in between, because Snakemake takes it for its own run.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from emsteer import packs, workspace
from emsteer.errors import StudyError, listing
from emsteer.plan import Plan


@dataclass(frozen=True)
class Stage:
    """What a stage did, counted in cells."""

    n_restored: int
    n_computed: int
    n_set_aside: int
    n_misfits: int

    @property
    def summary(self) -> str:
        """For people."""
        misfits = f"; {self.n_misfits} of any kind, made from other bytes than those here, set aside" if self.n_misfits else ""
        return f"{self.n_restored} cells came back, {self.n_computed} computed, {self.n_set_aside} set aside{misfits}"


def complete(plan: Plan, kind: str) -> Stage:
    """Makes `results/<kind>/` hold exactly the planned cells, made from the bytes of the kinds before it.

    Raises:
        BusyError: A Snakemake is computing in this folder.
        StudyError: `results` is a link that DVC cannot follow, or Snakemake could not compute every cell; those that it finished
            are kept.
    """
    _check_where_results_lie()
    n_misfits = workspace.quarantine(plan)  # of later kinds, too: Snakemake would stop at them
    n_restored = workspace.restore(plan, kind)
    missing = [cell for cell in plan.of(kind) if not cell.exists()]
    if missing:
        compute(kind)
        failed = [cell.address for cell in missing if not cell.exists()]
        if failed:
            raise StudyError(
                f"stage {kind}: {len(failed)} of {len(missing)} missing cells were not computed.\n{listing(failed)}\n"
                "  Snakemake's messages above say why. Finished cells are kept: run the same command again after mending it."
            )
    return Stage(n_restored, len(missing), workspace.prune(plan, kind), n_misfits)


def _check_where_results_lie() -> None:
    results = packs.RESULTS.resolve()
    if Path(".git").exists() and not results.is_relative_to(Path.cwd()) and not _does_without_git():
        raise StudyError(
            f"{packs.RESULTS}: a link to {results}; there, DVC can version nothing for this git repository.\n"
            f"  Make `{packs.RESULTS}` a folder and link what is large in it ({packs.RESULTS}/models, {packs.RESULTS}/answers),\n"
            "  or let DVC do without git: `dvc config --local core.no_scm true`. Plain `snakemake` goes on as it is."
        )


def _does_without_git() -> bool:
    answer = subprocess.run([sys.executable, "-m", "dvc", "config", "core.no_scm"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == "true"


def compute(*targets: str) -> bool:
    """Snakemake in a process of its own, with the folder's default profile: rules or files. Whether it did all it should."""
    with subprocess.Popen([sys.executable, "-m", "snakemake", *targets]) as process:
        try:
            return process.wait() == 0
        except KeyboardInterrupt:
            process.wait()  # it was told, too, and ends its jobs first
            raise
