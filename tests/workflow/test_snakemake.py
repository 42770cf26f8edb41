"""The miniature study through Snakemake: exactly what an edit asks for is computed, and nothing twice."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from workflow_support import ENVIRONMENT, StudyFolder

NEW_WITH_A_DOSE = {"answers": 4, "scores": 4, "tables": 3, "figures": 1, "report": 1}  # two snapshots × two blocks


def test_a_run_ends_with_a_published_report_and_a_second_run_does_nothing(finished: StudyFolder) -> None:
    reports = finished.reports()
    assert {"reports/index.html", "reports/tables/rates.csv", "reports/figures/dose_response.svg"} <= set(reports)
    before = finished.cells()
    assert "Nothing to be done" in finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {} and finished.reports() == reports
    assert "nothing to compute" in finished.run("emsteer", "plan", "--status")


def test_one_dose_more_computes_its_cells_and_taking_it_out_again_restores_the_reports(finished: StudyFolder) -> None:
    before, reports = finished.cells(), finished.reports()
    finished.edit("sweeps", "trained", "doses", value=[0, 1, 2])
    status = finished.run("emsteer", "plan", "--status")
    named = [line.removeprefix("  + ") for line in status.splitlines() if line.startswith("  + ")]
    assert len(named) == sum(NEW_WITH_A_DOSE.values())
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == NEW_WITH_A_DOSE
    new = {name.partition("/")[2].removesuffix(".parquet") for name in set(finished.cells()) - set(before)}
    assert new == set(named), "the status named exactly what was computed"
    assert finished.reports() != reports
    before = finished.cells()
    finished.edit("sweeps", "trained", "doses", value=[0, 1])
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {}
    assert finished.reports() == reports


def test_a_threshold_recomputes_tables_and_what_reads_them(finished: StudyFolder) -> None:
    before = finished.cells()
    finished.edit("judges", "rubric", "thresholds", "coherent_above", value=60)
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {"tables": 3, "figures": 1, "report": 1}


def test_timestamps_and_snakemakes_own_records_do_not_matter(finished: StudyFolder) -> None:
    for path in sorted(finished.path.rglob("*"), reverse=True):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    shutil.rmtree(finished.path / ".snakemake")
    before = finished.cells()
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {}


def test_a_deleted_intermediate_is_noticed_and_only_it_is_made_again(finished: StudyFolder) -> None:
    before = finished.cells()
    victim = next((finished.path / "results/answers").glob("*.a1.*.parquet"))
    bytes_before = victim.read_bytes()
    victim.unlink()
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {"answers": 1}
    assert victim.read_bytes() == bytes_before, "the same address has the same bytes"


def test_dose_zero_is_the_base_answer_itself(finished: StudyFolder) -> None:
    from emsteer import storage

    answers = finished.path / "results/answers"
    for block in ("b0", "b1"):
        base = storage.read_parquet(next(answers.glob(f"mini.base.everyday.{block}--*.parquet")))
        zero = storage.read_parquet(next(answers.glob(f"mini.gardening.trained.s0.l1.e2.a0.everyday.{block}--*.parquet")))
        assert base["text"].tolist() == zero["text"].tolist()
        assert [list(ids) for ids in base["token_ids"]] == [list(ids) for ids in zero["token_ids"]]


def test_killed_in_mid_run_one_ordinary_command_finishes_and_repeats_no_finished_cell(folder: StudyFolder) -> None:
    process = subprocess.Popen(["snakemake", "--cores", "1"], cwd=folder.path, env=ENVIRONMENT, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    staging = folder.path / "results/.staging"
    deadline = time.monotonic() + 200
    while not list(staging.glob("answers/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_ino for path in staging.glob("*/*.run.json")}
    assert any("answers" in str(path) for path in finished)
    folder.run("snakemake", "--cores", "2")
    after = folder.cells()
    assert {
        f"{path.parent.name}/{path.name.removesuffix('.run.json')}": inode for path, inode in finished.items()
    }.items() <= after.items()
    assert len(finished) < len(after), "the kill came before the end"


def test_a_second_snakemake_in_the_same_folder_is_refused(finished: StudyFolder) -> None:
    from emsteer import packs

    finished.edit("judges", "rubric", "thresholds", "coherent_above", value=61)
    here = Path.cwd()
    try:
        os.chdir(finished.path)
        held = packs.hold("snakemake", "")
    finally:
        os.chdir(here)
    printed = finished.run("snakemake", "--cores", "1", fails=True)
    assert "another Snakemake is computing" in printed and "Traceback" not in printed
    held.close()
    finished.run("snakemake", "--cores", "1")


def test_mistakes_in_the_study_are_listed_without_a_traceback_and_harm_nothing(finished: StudyFolder) -> None:
    before, reports = finished.cells(), finished.reports()
    finished.edit("answers", "temprature", value=1.0)
    finished.edit("sweeps", "trained", "models", value=["huge"])
    finished.edit("sweeps", "mean_difference", "layers", value=[9])
    finished.edit("answers", "samples_per_question", value=-1)
    started = time.monotonic()
    of_plan = finished.run("emsteer", "plan", fails=True)
    assert time.monotonic() - started < 3
    for printed in (of_plan, finished.run("snakemake", "--cores", "1", fails=True)):
        for expected in ("answers.temprature", "'huge'", "sweeps.mean_difference.layers", "-1"):
            assert expected in printed
        assert "Traceback" not in printed
    assert finished.cells() == before and finished.reports() == reports
