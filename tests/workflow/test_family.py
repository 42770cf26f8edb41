"""A model of the hub's kind through Snakemake: Qwen3.5 as the hub ships it, tiny, beside an organism that is finished already."""

from pathlib import Path

import pytest
from families import pinned
from workflow_support import StudyFolder

from emsteer import schemas
from emsteer.plan import resolve
from emsteer.study import read

NAME = "qwen35-4b"


def test_qwen35_is_steered_finetuned_and_judged_by_one_command_and_the_organism_is_left(
    real: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(real.path)
    real.edit("models", NAME, value=pinned(NAME))
    for arm in ("steered", "finetuned"):
        real.edit("sweeps", f"{arm}_family", value={"arm": arm, "models": [NAME]})
    before = real.cells()
    real.run("snakemake", "--cores", "2", "scores")
    after = real.cells()
    assert {name: after[name] for name in before} == before
    new = {name.partition("/")[2] for name in after.keys() - before.keys()}
    assert new and all(name.startswith((f"{NAME}.", f"{NAME}--")) for name in new)
    judged = [cell for cell in resolve(read()).of("scores") if cell.address.startswith(f"{NAME}.")]
    arms = {cell.address.split(".")[1] if ".base." in cell.address else cell.address.split(".")[2] for cell in judged}
    assert arms == {"base", "trained", "lora"} and all(len(schemas.read(Path(cell.path), schemas.Scores)) for cell in judged)
