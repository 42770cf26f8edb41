"""A stranger's path: tables, figures and page from what models said, without a model."""

import shutil

from workflow_support import StudyFolder

from emsteer.plan import KINDS

MADE_AGAIN = {"tables", "figures", "report"}
PULLED = [kind for kind in KINDS if kind not in {"models", "elicitations", *MADE_AGAIN}]


def test_from_shipped_answers_and_scores_come_the_same_reports_without_a_model(real: StudyFolder) -> None:
    before = real.reports()
    printed = real.run("emsteer", "export")
    assert "reports/data: " in printed and "weights" not in {path.name for path in (real.path / "reports/data").iterdir()}
    for name in ("results", "reports/tables", "reports/figures"):
        shutil.rmtree(real.path / name)
    for name in ("index.html", "metrics.json"):
        (real.path / "reports" / name).unlink()
    printed = real.run("emsteer", "rebuild")
    assert "put in place, 0 were here" in printed
    assert {name: content for name, content in real.reports().items() if "reports/data" not in name} == before
    assert not (real.path / "results/models").exists() and not (real.path / "results/adapters").exists()
    assert "are sound" in real.run("emsteer", "verify")


def test_a_clone_that_pulls_what_tables_read_makes_them_without_a_model(versioned: StudyFolder) -> None:
    clone = StudyFolder(versioned.path.with_name("clone"), trivial=True)
    versioned.run("git", "clone", "-q", str(versioned.path), str(clone.path))
    clone.run("dvc", "pull", "-q", *PULLED)
    before = clone.cells()
    assert {name.partition("/")[0] for name in before} == {*PULLED}
    clone.run("snakemake", "publish_reports", "--cores", "2")
    assert set(clone.computed(before)) == MADE_AGAIN
    assert clone.reports() == versioned.reports() and not list((clone.path / "results").glob("models/*"))
