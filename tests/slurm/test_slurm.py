"""A study through `sbatch`: on a real SLURM of one node, which `make slurm` installs where it can. Its two cards are a stand-in."""

import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from sharing import computed_small
from workflow_support import HANG_S, StudyFolder, make_small_folder

CLUSTER = Path(__file__).with_name("cluster.sh")
PROFILE = "profiles/slurm"
SUBMITTED = {
    "prepare_models", "measure_calibrations", "elicit_answers", "build_vectors", "train_adapters", "generate_answers",
    "measure_margins", "embed_prompts", "measure_likeness", "measure_effects", "witness_answers", "score_answers",
}  # fmt: skip
WITHOUT_A_CARD = {
    "prepare_models.embedder-words.0",
    "embed_prompts.words.0",
    "elicit_answers.rubric.mini.0",
    "build_vectors.mini.counterparts.0",
    "witness_answers.words.0",
    "score_answers.rubric.mini.0",
    "generate_answers.anchors.0",
    "score_answers.rubric.anchors.0",
}  # fmt: skip  (they run no model)
CARD = "gres:gpu:1"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A running SLURM; the commands of this process talk to it."""
    home = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(home / "slurm.conf"))
        subprocess.run([CLUSTER, "up", home], check=True)
        yield
        subprocess.run([CLUSTER, "down", home], check=True)


@pytest.fixture(scope="module")
def computed(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyFolder, str]:
    """A small study that went through `sbatch`, and the id of the job that was killed meanwhile."""
    study = small_study(tmp_path_factory.mktemp("computed") / "study")
    killed = ""
    with (study.path / "printed").open("w") as printed:
        running = started(study, printed, "snakemake", "--profile", PROFILE)
        while running.poll() is None and not killed:
            killed = next((job for job, state, rule in queue() if state == "RUNNING" and "generate_answers.mini" in rule), "")
            time.sleep(0.3)
        if killed:
            subprocess.run(["scancel", killed], check=True)
        assert running.wait(HANG_S) == 0, (study.path / "printed").read_text()
    return study, killed


def started(study: StudyFolder, printed: IO[str], *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=study.path, env=study.environment(), stdout=printed, stderr=subprocess.STDOUT)


def small_study(path: Path) -> StudyFolder:
    """`make_small_folder`; its jobs ask for a card, and the queue is looked at often."""
    study = make_small_folder(path)
    study.edit("execution", "gpu_memory_gb", value=80)
    profile = path / PROFILE / "config.yaml"
    text, n = re.subn(r"(status-checks: )\d+", r"\g<1>2", profile.read_text())
    assert n == 1
    profile.write_text(text)
    return study


def queue() -> list[list[str]]:
    """Job id, state, comment (the rule) of every job in the queue."""
    answer = subprocess.run(["squeue", "-h", "-o", "%i %T %k"], capture_output=True, text=True, check=True)
    return [line.split() for line in answer.stdout.splitlines()]


def jobs() -> dict[str, dict[str, str]]:
    """Job id → what SLURM knows of every job that there was."""
    answer = subprocess.run(["scontrol", "show", "job", "-o"], capture_output=True, text=True, check=True)
    found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in answer.stdout.splitlines()]
    return {job["JobId"]: job | {"rule": job["Comment"].removeprefix("rule_")} for job in found if "JobId" in job}


def digests(study: StudyFolder) -> dict[str, str]:
    """Path → sha256 of everything that the study computed and published, but for run records: they say when and where."""
    files = [path for folder in ("results", "reports") for path in (study.path / folder).rglob("*") if path.is_file()]
    named = {str(path.relative_to(study.path)): path for path in files if not path.name.endswith(".run.json")}
    told = {name: path for name, path in named.items() if "/." not in name and path.name not in ("made_on.json", "cost.csv")}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in told.items()}


def test_what_runs_a_model_or_a_judge_is_submitted_and_asks_for_what_it_uses(computed: tuple[StudyFolder, str]) -> None:
    asked = {job["rule"]: job for job in jobs().values()}
    assert {rule.partition(".")[0] for rule in asked} == SUBMITTED, "and nothing else"
    assert {rule for rule, job in asked.items() if "TresPerJob" not in job} == WITHOUT_A_CARD
    assert {job["TresPerJob"] for rule, job in asked.items() if rule not in WITHOUT_A_CARD} == {CARD}
    assert all(int(job["MinMemoryNode"].rstrip("M")) >= 1000 and job["TimeLimit"] != "UNLIMITED" for job in asked.values())


def test_a_killed_job_is_submitted_again_and_asks_for_more(computed: tuple[StudyFolder, str]) -> None:
    _, killed = computed
    tries = [job for job in jobs().values() if job["rule"] == jobs()[killed]["rule"]]
    assert [job["JobState"] for job in tries] == ["CANCELLED", "COMPLETED"]
    first, second = (int(job["MinMemoryNode"].rstrip("M")) for job in tries)
    assert second == 2 * first and [job["TimeLimit"] for job in tries] == ["00:03:00", "00:06:00"]


def test_the_study_has_the_addresses_and_bytes_of_a_local_run(
    computed: tuple[StudyFolder, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    study, _ = computed
    here = computed_small(tmp_path_factory)
    assert len(digests(here)) > 100
    assert digests(study) == digests(here)


def test_a_dvc_stage_submits_through_the_profile_that_the_environment_names(computed: tuple[StudyFolder, str]) -> None:
    study, _ = computed
    scores = {name for name in study.cells() if name.startswith("scores/")}
    study.run("git", "init", "-q")
    shutil.rmtree(study.path / "results/scores")
    before = set(jobs())
    study.run("dvc", "repro", "--single-item", "scores", SNAKEMAKE_PROFILE=PROFILE)
    submitted = {job["rule"] for name, job in jobs().items() if name not in before}
    assert submitted == {"score_answers.rubric.mini.0", "score_answers.rubric.anchors.0"}
    assert scores and {name for name in study.cells() if name.startswith("scores/")} == scores
