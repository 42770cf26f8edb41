"""A study through `dvc repro`, with trivial science: after Snakemake, after edits, and from a clone over a remote."""

from workflow_support import DOSES, NEW_WITH_A_DOSE, SCALES, StudyFolder

PUBLISHABLE = ("tables", "figures", "report")


def test_after_snakemake_repro_records_and_publishes_the_same_and_computes_nothing(
    finished: StudyFolder, versioned: StudyFolder
) -> None:
    assert versioned.reports() == finished.reports()
    assert versioned.records() == finished.records(), "each run record holds the time of its run"
    before = versioned.cells()
    assert "up to date" in versioned.run("dvc", "repro")
    assert "Nothing to be done" in versioned.run("snakemake", "--cores", "1"), "nor has plain Snakemake anything to do after it"
    assert versioned.computed(before) == {}
    assert versioned.run("git", "status", "--porcelain") == ""


def test_a_dose_and_a_scale_more_compute_their_cells_and_out_again_and_back_again_nothing(versioned: StudyFolder) -> None:
    reports, first = versioned.reports(), versioned.cells()
    versioned.edit(*DOSES, value=[0, 1, 2])
    versioned.edit(*SCALES, value=[1, 2])
    versioned.run("dvc", "repro")
    both = {kind: n if kind in PUBLISHABLE else 2 * n for kind, n in NEW_WITH_A_DOSE.items()}
    assert versioned.computed(first) == both, "a new dose of a vector and a new scale of an adapter train nothing"
    second = versioned.cells()
    versioned.edit(*DOSES, value=[0, 1])
    versioned.edit(*SCALES, value=[1])
    versioned.run("dvc", "repro")
    assert versioned.computed(second | first) == {}, "taking it out again computes nothing"
    assert versioned.reports() == reports, "and the reports are byte for byte the old ones"
    versioned.edit(*DOSES, value=[0, 1, 2])
    versioned.edit(*SCALES, value=[1, 2])
    versioned.run("dvc", "repro")
    assert versioned.computed(second | first) == {}, "putting it back computes nothing either"
    assert versioned.cells() == second


def test_a_clone_that_edits_before_it_pulls_gets_the_rest_from_the_remote(versioned: StudyFolder) -> None:
    clone = StudyFolder(versioned.path.with_name("clone"), trivial=True)
    versioned.run("git", "clone", "-q", str(versioned.path), str(clone.path))
    clone.edit("judges", "rubric", "thresholds", "coherent_above", value=60)
    clone.run("dvc", "repro")
    brought = {name for name in clone.cells() if name.partition("/")[0] not in PUBLISHABLE}
    assert brought == {name for name in versioned.cells() if name.partition("/")[0] not in PUBLISHABLE}
    of_clone, of_remote = clone.records(), versioned.records()
    assert {name for name in brought if of_clone[name] != of_remote[name]} == set(), (
        "the remote gave them: nothing was pulled by hand"
    )
    stays = {name.partition("--")[0] for name in set(versioned.cells()) & set(clone.cells()) - brought}
    unjudged = {f"{kind}/{name}" for kind in ("tables", "figures") for name in ("likeness", "witnesses")}
    assert stays == unjudged | {"tables/distances", "tables/instruments", "tables/relatedness"}, (
        "a threshold moves every other table, figure and report"
    )
