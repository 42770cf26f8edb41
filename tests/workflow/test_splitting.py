"""Into how many jobs a study is cut changes no byte of it."""

import shutil
from pathlib import Path

import pytest
from workflow_support import StudyFolder

from emsteer import packs, plan, storage, study

SPLIT = ("vectors", "adapters", "answers", "margins", "likeness", "effects", "scores")  # what is upstream is one cell of each kind


def parts(n: int) -> list[plan.Pack]:
    """The packs of the study at hand, each kind cut into `n` jobs or, where there are fewer cells, into one for each."""
    read = study.read()
    found = []
    for kind in SPLIT:
        n_cells = max(len(pack.cells) for pack in plan.resolve(read).packs(kind))
        execution = read.execution.model_copy(update={"cells_per_job": -(-n_cells // n)})
        found += plan.resolve(read.model_copy(update={"execution": execution})).packs(kind)
    return found


def bytes_of(packs_: list[plan.Pack]) -> dict[str, str]:
    return {cell.address: storage.sha256(Path(cell.path)) for pack in packs_ for cell in pack.cells}


@pytest.mark.parametrize("n", [2, 5])
def test_a_study_in_one_job_a_kind_and_one_in_several_have_the_same_bytes(
    real: StudyFolder, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.chdir(real.path)
    whole = bytes_of(parts(1))
    for kind in SPLIT:
        shutil.rmtree(f"results/{kind}")
        Path(f"results/{kind}").mkdir()
    cut = parts(n)
    assert sum(pack.kind == "answers" and "steered" in pack.name for pack in cut) == n
    for pack in cut:
        packs.fill(pack.id, pack.jobs(), "log.txt")
    assert bytes_of(cut) == whole
