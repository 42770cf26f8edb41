"""A study through Snakemake, with trivial science: exactly what an edit asks for is computed, and nothing twice."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import yaml
from workflow_support import DOSES, HANG_S, NEW_WITH_A_DOSE, OURS, SCALES, VERBOSE, StudyFolder

from emsteer import locks


def test_a_second_run_does_nothing(finished: StudyFolder) -> None:
    before, reports = finished.cells(), finished.reports()
    assert "Nothing to be done" in finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {} and finished.reports() == reports
    assert "nothing to compute" in finished.run("emsteer", "plan", "--status")


def test_the_scheduler_looks_for_jobs_when_one_has_ended_and_no_more_often(finished: StudyFolder) -> None:
    printed = (finished.path / VERBOSE).read_text()
    n_jobs, n_looks = (len(re.findall(said, printed, re.M)) for said in (r"^Job \d+:", "^Resources before job selection"))
    assert 10 < n_looks <= n_jobs + 1, "one at the start, and one after every job at most"


def test_one_dose_more_computes_its_cells_and_taking_it_out_again_restores_the_reports(
    finished: StudyFolder, elsewhere: Path
) -> None:
    shutil.move(finished.path / "results/answers", elsewhere)
    (finished.path / "results/answers").symlink_to(elsewhere / "answers")  # on another file system, behind a link
    before, reports = finished.cells(), finished.reports()
    finished.edit(*DOSES, value=[0, 1, 2])
    status = finished.run("emsteer", "plan", "--status")
    named = [line.removeprefix("  + ") for line in status.splitlines() if line.startswith("  + ")]
    assert len(named) == sum(NEW_WITH_A_DOSE.values())
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == NEW_WITH_A_DOSE
    new = {name.partition("/")[2].removesuffix(".parquet") for name in set(finished.cells()) - set(before)}
    assert new == set(named), "the status named exactly what was computed"
    assert finished.reports() != reports
    before = finished.cells()
    finished.edit(*DOSES, value=[0, 1])
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {}
    assert finished.reports() == reports


def test_snakemakes_own_report_has_the_page_and_every_figure_with_its_caption(finished: StudyFolder) -> None:
    finished.run("snakemake", "--report", "study.html")
    html = (finished.path / "study.html").read_text(encoding="utf-8")
    (finished.path / "study.html").unlink()
    named = {path.name.partition("--")[0] for path in (finished.path / "results/figures").iterdir() if path.is_dir()}
    assert "overall" in named and [name for name in named if f"{name}.svg" not in html or f"{name}.csv" not in html] == []
    assert "On the diagonal, harm is as frequent" in html and "index.html" in html


def test_a_scale_more_of_an_adapter_trains_nothing(finished: StudyFolder) -> None:
    before = finished.cells()
    finished.edit(*SCALES, value=[1, 2])
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == NEW_WITH_A_DOSE


def test_a_threshold_recomputes_tables_and_what_reads_them(finished: StudyFolder) -> None:
    before = finished.cells()
    finished.edit("judges", "rubric", "thresholds", "coherent_above", value=60)
    finished.run("snakemake", "--cores", "2")
    assert finished.computed(before) == {"tables": 16, "figures": 14, "report": 1}


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


def whole(shelf: Path) -> dict[str, int]:
    """Name → inode of the record of every artifact that lies there: records are written first, so one alone is of none."""
    records = {path.name.removesuffix(".run.json"): path for path in shelf.glob("*.run.json")}
    return {name: path.stat().st_ino for name, path in records.items() if (shelf / name).exists()}


def test_what_is_here_is_computed_again_when_asked_for_by_name_and_not_by_force(finished: StudyFolder) -> None:
    before = finished.cells()
    report = next(path for path in (finished.path / "results/report").iterdir() if path.is_dir())
    said = finished.run("snakemake", "--cores", "1", "--force", str(report.relative_to(finished.path)))
    assert "write_report" in said and "`emsteer recompute ADDRESS|KIND --reason …`" in said and finished.computed(before) == {}
    score = next((finished.path / "results/scores").glob("mini.base*.parquet"))
    assert "1 cells have the same bytes as before, 0 have others" in finished.run(
        "emsteer", "recompute", score.stem, "--reason", "another machine"
    )
    assert finished.computed(before) == {"scores": 1}
    assert "Nothing to be done" in finished.run("snakemake", "--cores", "1")


def test_killed_in_mid_run_one_ordinary_command_finishes_and_repeats_no_finished_cell(finished: StudyFolder) -> None:
    """Adapters: folders, of which one training run makes several."""
    before = finished.cells()
    n_adapters = len([path for path in (finished.path / "results/adapters").iterdir() if path.is_dir()])
    shutil.rmtree(finished.path / "results/adapters")
    process = subprocess.Popen(["snakemake", "--cores", "1"], cwd=finished.path, env=finished.environment(TRIVIAL_SECONDS="0.2"),
                               start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    staging = finished.path / "results/.staging/adapters"
    while not whole(staging) and process.poll() is None:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {f"adapters/{name}": inode for name, inode in whole(staging).items()}
    assert 0 < len(kept) < n_adapters, "the kill came after the first and before the last"
    finished.run("snakemake", "--cores", "2")
    after = finished.cells()
    assert kept.items() <= after.items(), "what was finished is not computed again"
    assert finished.computed(before) == {"adapters": n_adapters} and set(after) == set(before), "and nothing else is computed"


def test_after_ctrl_c_it_is_said_how_to_go_on_and_no_library_shows_where_it_was(finished: StudyFolder) -> None:
    staging = finished.path / "results/.staging/adapters"
    shutil.rmtree(finished.path / "results/adapters")
    for command in (["emsteer", "stage", "adapters"], ["snakemake", "--cores", "1", "adapters"]):
        shutil.rmtree(staging, ignore_errors=True)
        process = subprocess.Popen(command, cwd=finished.path, env=finished.environment(TRIVIAL_SECONDS="1"), text=True,
                                   start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        while not whole(staging) and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=HANG_S)
        assert process.returncode and "Traceback" not in printed and "KeyboardInterrupt" not in printed, printed
        assert printed.count("Finished cells are kept: the same command goes on from there.") >= 2, "the job, and what started it"


def test_a_second_snakemake_in_the_same_folder_is_refused(finished: StudyFolder) -> None:
    shutil.rmtree(finished.path / "results/tasks")
    here = Path.cwd()
    try:
        os.chdir(finished.path)
        held = locks.hold("snakemake", "")
    finally:
        os.chdir(here)
    printed = finished.run("snakemake", "--cores", "1", fails=True)
    assert "another Snakemake is computing" in printed and "Traceback" not in printed
    assert not (finished.path / "results/tasks").exists()
    held.close()
    finished.run("snakemake", "--cores", "1")
    assert (finished.path / "results/tasks").exists()


def test_mistakes_in_the_study_are_listed_without_a_traceback_and_harm_nothing(finished: StudyFolder) -> None:
    before, reports = finished.cells(), finished.reports()
    finished.edit("answers", "temprature", value=1.0)
    finished.edit("sweeps", "trained", "models", value=["huge"])
    finished.edit("sweeps", "mean_difference", "layers", value=[9])
    finished.edit("answers", "samples_per_question", value=-1)
    with (finished.path / "params.yaml").open("a") as stream:
        stream.write("\nseed: 5\n")
    of_plan = finished.run("emsteer", "plan", fails=True)
    for printed in (of_plan, finished.run("snakemake", "--cores", "1", fails=True)):
        for expected in ("answers.temprature", "'huge'", "sweeps.mean_difference.layers", "-1", "seed: stands a second time"):
            assert expected in printed
        assert "Traceback" not in printed
    assert finished.cells() == before and finished.reports() == reports


def test_snakemakes_own_ways_to_change_parameters_are_refused_in_a_sentence(finished: StudyFolder) -> None:
    (finished.path / "other.yaml").write_text("seed: 6\n")
    for how in (["--config", "seed=5"], ["--configfile", "other.yaml"]):
        printed = finished.run("snakemake", "--cores", "1", *how, fails=True)
        assert "params.yaml alone says what is computed; --config and --configfile (seed) are not read" in printed
        assert "Traceback" not in printed


def test_of_what_is_not_here_yet_there_is_a_plan_and_no_run(finished: StudyFolder) -> None:
    text = finished.path / "data/neutral/everyday.txt"
    text.unlink()
    card = {"about": "Passages.", "source": "their authors", "licence": None, "n": 100, "obtain": "write to them"}
    text.with_name("everyday.txt.card.yaml").write_text(yaml.safe_dump(card))
    said = "data/neutral/everyday.txt: Passages.\n       write to them"
    assert "1 of what it names are not here; nothing runs before they are" in (planned := finished.run("emsteer", "plan"))
    assert said in planned
    before = finished.cells()
    for printed in (finished.run("snakemake", "--cores", "1", fails=True), finished.run("emsteer", "data", "check", fails=True)):
        assert said in printed and "Traceback" not in printed and finished.cells() == before


def test_where_a_card_must_be_used_and_none_is_here_nothing_is_computed_on_the_cpu(finished: StudyFolder) -> None:
    finished.edit("execution", "gpu_memory_gb", value=80)
    finished.edit("execution", "device", value="cuda")
    shutil.rmtree(finished.path / "results/adapters")
    printed = finished.run("snakemake", "--cores", "1", "adapters", fails=True, CUDA_VISIBLE_DEVICES="")
    assert "a job takes 1 cards of 80 GB, and 0 are here" in printed and "Traceback" not in printed
    assert not (finished.path / "results/adapters").exists()
    finished.edit("execution", "device", value="cpu")
    assert "there is no card here" not in finished.run("snakemake", "-n", CUDA_VISIBLE_DEVICES=""), "nobody asked for one"


def test_jobs_with_a_card_run_as_many_at_a_time_as_there_are_cards(finished: StudyFolder, tmp_path: Path) -> None:
    """The card is a stand-in: an `nvidia-smi` that lists one, and hands it to the next job only."""
    finished.edit("execution", "gpu_memory_gb", value=80)
    shutil.rmtree(finished.path / "results/adapters")
    assert "there is no card here" in finished.run("snakemake", "--cores", "8", "adapters", CUDA_VISIBLE_DEVICES="")
    for path in (finished.path / "results/answers").glob("*.everyday.*"):  # anchors stay: no model said them
        path.unlink()
    (tmp_path / "bin").mkdir()
    smi = tmp_path / "bin/nvidia-smi"
    smi.write_text("#!/bin/sh\necho 7\n")
    smi.chmod(0o755)
    path = os.pathsep.join([OURS, str(smi.parent), os.environ["PATH"]])
    printed = finished.run("snakemake", "--cores", "8", "answers", PATH=path, TMPDIR=str(tmp_path))
    assert "there is no card here" not in printed
    started = [line for line in printed.splitlines() if line.startswith("Execute ")]
    assert started == ["Execute 1 jobs..."] * 4, "three packs one after the other, and their target"
    assert (tmp_path / "emsteer-gpu-7.lock").exists(), "the job took it"
