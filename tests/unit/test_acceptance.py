"""What each side of a comparison computes. Computing is replaced here; the real one is in `tests/workflow/test_accept.py`."""

from pathlib import Path

import pytest

from emsteer import acceptance
from emsteer.errors import StudyError
from emsteer.plan.digests import ROOT

PARAMS = Path("params/small.yaml")


def test_what_the_study_has_no_cell_of_is_not_called_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "standing_digest", lambda module, _accepted, root=None: "old" if root else "now")
    made = {"emsteer.analysis.rates"}
    found = {one.module: one.checked for one in acceptance._moved(ROOT, "why", "0" * 40, made)}
    assert found["emsteer.analysis.rates"] and not found["emsteer.models.pinned"]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(side, study) of everything that was computed. The old code does not know the key `new`."""
    monkeypatch.chdir(tmp_path)
    for side in (Path("old"), Path("new"), Path()):
        (side / PARAMS.parent).mkdir(parents=True)
    PARAMS.write_text("new: 1")
    found: list[tuple[str, str]] = []

    def computed(folder: Path, study: bytes) -> str:
        found.append((folder.name, study.decode()))
        return "unknown key: new" if (folder.name, study) == ("old", b"new: 1") else ""

    monkeypatch.setattr(acceptance, "_computed", computed)
    return found


def test_a_key_that_the_old_code_does_not_know_is_left_to_its_own_version_of_the_study(asked: list[tuple[str, str]]) -> None:
    (Path("old") / PARAMS).write_text("none")
    acceptance._compare(Path("old"), Path("new"), PARAMS)
    assert asked == [("old", "new: 1"), ("old", "none"), ("new", "new: 1")]


def test_where_the_old_code_has_no_other_study_its_failure_is_shown_and_nothing_more_is_computed(
    asked: list[tuple[str, str]],
) -> None:
    with pytest.raises(StudyError, match=r"fails with the old code. Nothing was accepted.\nunknown key: new"):
        acceptance._compare(Path("old"), Path("new"), PARAMS)
    assert asked == [("old", "new: 1")]
