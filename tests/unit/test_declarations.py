"""Declarations: a claim that is written or changed when there are results already is told apart from one that is not."""

from pathlib import Path

import pytest
from study_folders import computed, planned

from emsteer import declarations, publishing, storage
from emsteer.declarations import known, noted, on_page, said, text
from emsteer.errors import DataError


def table(**digests: str) -> bytes:
    rows = [f'{claim},"a subject, of several",{digest},2026-11-26' for claim, digest in digests.items() for _ in range(2)]
    return "\n".join(["claim,subject,digest,declared", *rows]).encode()


def test_what_was_declared_before_there_were_results_is_not_remarked_on() -> None:
    entries = noted([], table(spreads="a", matters="b"), after_results=False)
    assert [(entry["claim"], entry["digest"], entry["after_results"]) for entry in entries] == [
        ("matters", "b", False), ("spreads", "a", False)
    ]  # fmt: skip
    assert said(entries) == "" and on_page(b"<p>page</p><!-- declarations -->", entries).endswith(b"<!-- declarations -->")
    assert noted(entries, table(spreads="a", matters="b"), after_results=True) == entries, "publishing again changes nothing"


def test_a_change_an_addition_and_a_withdrawal_are_said() -> None:
    first = noted([], table(spreads="a", matters="b"), after_results=False)
    second = noted(first, table(spreads="c", new="d"), after_results=True)
    assert said(second) == (
        "All claims were declared when results of this study had been published already; changed since: spreads; "
        "withdrawn: matters (`reports/declarations.json`)."
    )
    assert "2 of 3 claims" in said(noted(first, table(spreads="c", matters="b", new="d"), after_results=True))
    assert b"changed since: spreads" in on_page(b"<!-- declarations -->", second)


def test_a_change_that_is_taken_back_leaves_its_entry_and_is_not_late() -> None:
    first = noted([], table(spreads="a"), after_results=False)
    back = noted(noted(first, table(spreads="c"), after_results=True), table(spreads="a"), after_results=True)
    assert [(entry["digest"], entry["published"]) for entry in back] == [("a", True), ("c", False)]
    assert said(back) == ""


@pytest.mark.parametrize("content", ["{}", '[{"claim": "a"}]', "[1]"])
def test_a_file_that_holds_something_else_loses_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "declarations.json"
    path.write_text(content)
    with pytest.raises(DataError, match="take it from git"):
        known(path)
    assert path.read_text() == content


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    entries = noted([], table(spreads="a", matters="b"), after_results=True)
    path = tmp_path / "declarations.json"
    for these in ([], entries):
        storage.write_text(path, text(these))
        assert known(path) == these
    assert path.read_text().count("\n") == 4, "an entry a line, for merges"


def test_the_first_publication_of_a_folder_is_before_results_and_the_second_after(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study_plan = planned(0, 1)
    computed(study_plan, *publishing.PUBLISHED)
    (claims,) = [cell for cell in study_plan.of("tables") if cell.address.startswith("claims--")]
    (page,) = study_plan.of("report")
    (Path(page.path) / publishing.PAGE).write_text(declarations.PLACE)
    for digest, late in (("a", False), ("c", True)):
        (Path(claims.path) / "claims.csv").write_bytes(table(spreads=digest))
        publishing.publish(publishing.published_cells(study_plan))
        assert known(publishing.DECLARATIONS)[-1] == {
            "claim": "spreads", "digest": digest, "declared": "2026-11-26", "after_results": late, "published": True
        }  # fmt: skip
        assert (declarations.PLACE in (publishing.REPORTS / publishing.PAGE).read_text()) is not late
        assert publishing.is_published(study_plan) and publishing.publish(publishing.published_cells(study_plan)) == []
    assert "the claim spreads is declared now that there are results" in caplog.text
