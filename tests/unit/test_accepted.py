"""Accepted digests: what stands for older code keeps its addresses, and nothing else does."""

import json
import shutil
from pathlib import Path

import pytest
from places import REPOSITORY
from test_digests import RUBRIC, cells, edit, unedited

from emsteer.errors import StudyError
from emsteer.plan.accepted import FILE, KEPT, Acceptance, keep_digests, read_accepted, standing_digest, standing_digests, written
from emsteer.plan.digests import code_digest

MODULE = "emsteer.judging.scores"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the source tree that a test may edit, with what was accepted for it."""
    return Path(shutil.copytree(REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")))


def acceptance(root: Path, module: str, stands_for: str) -> Acceptance:
    digest = code_digest(module, root=root)
    return Acceptance(module=module, digest=digest, stands_for=stands_for, reason="renamed", commit="0" * 40, checked=True)


def test_an_accepted_edit_moves_no_address_and_the_next_edit_does(source: Path) -> None:
    module = "emsteer.judging.rubric"
    before = standing_digest(module, read_accepted())
    edit(source, RUBRIC, "else 50.0", "else 51.0")
    assert cells(source)["scores"] != unedited()["scores"]
    (source / FILE).write_text(written([*read_accepted(source), acceptance(source, module, before)]))
    assert cells(source) == unedited(), "the file of the source tree that plans is the one that is read"
    edit(source, RUBRIC, "else 51.0", "else 52.0")
    assert cells(source)["scores"] != unedited()["scores"]


def test_an_acceptance_is_of_one_module(source: Path) -> None:
    accepted = [acceptance(source, "emsteer.judging.rubric", "a" * 16)]
    assert standing_digest("emsteer.judging.rubric", accepted, source) == "a" * 16
    assert standing_digest(MODULE, accepted, source) == code_digest(MODULE, root=source)


def test_what_is_written_is_read_back(source: Path) -> None:
    accepted = [acceptance(source, MODULE, "a" * 16), acceptance(source, "emsteer.finetune", "b" * 16)]
    (source / FILE).write_text(written(accepted))
    assert read_accepted(source) == accepted


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", '[{"module": "emsteer.finetune"}]', '{"a": 1}'])
def test_a_file_that_a_merge_or_a_hand_has_broken_is_refused(source: Path, text: str) -> None:
    (source / FILE).write_text(text)
    with pytest.raises(StudyError, match=r"accepted\.json.*\n  Restore it"):
        read_accepted(source)


def test_every_shipped_acceptance_has_a_reason_and_a_commit() -> None:
    path = REPOSITORY / "src" / FILE
    for row in json.loads(path.read_text()) if path.exists() else ():
        assert row["reason"].strip() and len(row["commit"]) == 40


def test_digests_are_known_as_long_as_no_file_of_the_package_changes(source: Path) -> None:
    known = standing_digests(source)
    known["emsteer.judging.rubric"] = "0" * 16
    assert standing_digests(source) is known
    (source / "emsteer/report/templates/page.html").write_text("another page")
    changed = standing_digests(source)
    assert changed == {}
    (source / FILE).write_text(written([]))
    assert standing_digests(source) is not changed


def keep(source: Path) -> None:
    known = standing_digests(source)
    known["emsteer.judging.rubric"] = "0" * 16
    keep_digests(known, source)


def test_digests_are_kept_for_other_processes_as_long_as_every_byte_of_the_package_is_the_same(source: Path) -> None:
    keep(source)
    (elsewhere := source.with_name("another")).mkdir()
    copied = Path(shutil.copytree(source, elsewhere / "src"))
    assert standing_digests(copied) == {"emsteer.judging.rubric": "0" * 16}, "whatever the names and times of its folders"
    edit(copied, RUBRIC, "else 50.0", "else 51.0")
    assert standing_digests(copied) == {}, "another formula"
    edit(copied, RUBRIC, "else 51.0", "else 50.0")
    assert standing_digests(copied) != {}


def test_digests_of_a_package_that_somebody_edits_meanwhile_are_not_kept(source: Path) -> None:
    known = standing_digests(source)
    known["emsteer.judging.rubric"] = "0" * 16
    edit(source, RUBRIC, "else 50.0", "else 51.0")
    keep_digests(known, source)
    assert not (source / KEPT).exists()


@pytest.mark.parametrize("broken", ["", "{", "{}", '{"sources": 1}'])
def test_what_was_kept_and_cannot_be_read_is_made_again(source: Path, broken: str) -> None:
    keep(source)
    (source / KEPT).write_text(broken)
    again = Path(shutil.copytree(source, source.with_name("again")))
    assert standing_digests(again) == {}


def test_a_package_that_cannot_be_written_to_plans_all_the_same(source: Path) -> None:
    (source / KEPT).parent.touch()  # no folder, so that nobody can write there, not even root
    keep(source)
    assert not (source / KEPT).exists()
