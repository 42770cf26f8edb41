"""`emsteer accept` in a repository of its own, with trivial science: refused where bytes move, and then no address moves."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from planning import miniature
from workflow_support import TRIVIAL, StudyFolder, make_folder

STORAGE, RATES = "src/emsteer/storage.py", "src/emsteer/analysis/rates.py"


@pytest.fixture
def repository(tmp_path: Path) -> StudyFolder:
    """With one commit, and `small.yaml`: one organism, one vector, one dose."""
    study = make_folder(tmp_path / "repository", trivial=True)
    small = miniature()
    del small["models"]["mini_none"]
    small["sweeps"] = {"trained": {"arm": "steered"}}
    small |= dict.fromkeys(("likeness", "relatedness", "anchors", "effects")) | {"embedders": {}, "witnesses": {}}  # a process each
    small["answers"]["samples_per_question"] = 1
    (study.path / "small.yaml").write_text(json.dumps(small))
    study.run("git", "init", "-q")
    study.run("git", "add", "-A")
    study.run("git", "commit", "-q", "-m", "before")
    return study


def emsteer(study: StudyFolder, *arguments: str, fails: bool = False) -> str:
    return study.run("emsteer", *arguments, fails=fails, PYTHONPATH=os.pathsep.join([str(study.path / "src"), str(TRIVIAL)]))


def edit(study: StudyFolder, file: str, old: str, new: str) -> None:
    path = study.path / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def planned(study: StudyFolder) -> list[str]:
    return emsteer(study, "plan", "--status").splitlines()


def accept(study: StudyFolder, *more: str, fails: bool = False) -> str:
    return emsteer(study, "accept", "--reason", "a name", "--params", "small.yaml", *more, fails=fails)


def ours(study: StudyFolder) -> list[dict[str, Any]]:
    """What was accepted here; the repository ships others."""
    rows = json.loads((study.path / "src/emsteer/accepted.json").read_text())
    return [row for row in rows if row["reason"] == "a name"]


def test_a_refactor_is_accepted_if_a_small_study_gives_the_same_bytes_and_refused_if_not(repository: StudyFolder) -> None:
    before = planned(repository)
    assert "nothing to accept" in accept(repository, fails=True)
    with (repository.path / RATES).open("a") as stream:
        stream.write("\n\nUNUSED = 1\n")
    edit(repository, STORAGE, "json.dumps(value, indent=1,", "json.dumps(value, indent=2,")
    after = planned(repository)
    assert after != before
    said = accept(repository, fails=True)
    assert "other bytes" in said and "models/mini--" in said and "Traceback" not in said
    assert planned(repository) == after, "nothing was written"
    edit(repository, STORAGE, "json.dumps(value, indent=2,", "json.dumps(value, indent=1,")
    assert "of emsteer.analysis.rates stands for" in accept(repository)
    assert planned(repository) == before
    rows = ours(repository)
    head = repository.run("git", "rev-parse", "HEAD").strip()
    in_small = dict.fromkeys(("rates", "chosen", "evidence", "page"), True)
    elsewhere = dict.fromkeys(("directions", "effects"), False)  # the small study has no such table: nothing was checked
    assert {row["module"].rpartition(".")[2]: row["checked"] for row in rows} == in_small | elsewhere, (
        "what imports it has moved with it"
    )
    assert {row["commit"] for row in rows} == {head}


def test_unchecked_is_said_for_ever_and_a_second_refactor_stands_for_the_first_code(repository: StudyFolder) -> None:
    before = planned(repository)
    for name in ("FIRST", "SECOND"):
        with (repository.path / RATES).open("a") as stream:
            stream.write(f"\n\n{name} = 1\n")
        assert "unchecked" in accept(repository, "--unchecked")
        assert planned(repository) == before
        repository.run("git", "commit", "-q", "-a", "-m", f"{name}, but not the new file beside it")
    rows = ours(repository)
    of_rates = [row for row in rows if row["module"] == "emsteer.analysis.rates"]
    assert [row["checked"] for row in of_rates] == [False, False] and len({row["stands_for"] for row in of_rates}) == 1
    assert "no commit" in accept(repository, "--against", "nowhere", fails=True)
