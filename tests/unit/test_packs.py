"""Packs: nothing finished is lost, nothing finished is computed twice, whatever kills the job."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from emsteer import packs, records, storage
from emsteer.errors import DataError
from emsteer.packs import Job
from emsteer.recipes import ResidualNorms


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cell(name: str, *, folder: bool = False, inputs: dict[str, list[tuple[str, str]]] | None = None) -> dict[str, Any]:
    path = f"results/tables/{name}" if folder else f"results/scores/{name}.txt"
    return {"kind": "scores", "address": name, "path": path, "recipe": ResidualNorms(), "inputs": inputs or {}, "code": "c"}


class Maker:
    """Writes each cell's address, counts, and fails at the cell that it is told to fail at."""

    def __init__(self, fail_at: str = "", error: type[Exception] = RuntimeError) -> None:
        self.made: list[str] = []
        self.fail_at, self.error = fail_at, error

    def __call__(self, jobs: Sequence[Job]) -> Iterator[Job]:
        for job in jobs:
            if job.address == self.fail_at:
                job.out.write_text("half")
                raise self.error("boom")
            if "results/tables" in str(job.out.with_name("x")) or "folder" in job.address:
                job.out.mkdir()
                (job.out / "file").write_text(job.address)
            else:
                job.out.write_text(job.address)
            self.made.append(job.address)
            yield job


def fill(cells: list[dict[str, Any]], maker: Maker) -> None:
    packs.fill("pack", cells, "pack.log", maker)


def test_only_missing_cells_are_made() -> None:
    cells = [cell("a"), cell("b")]
    fill(cells[:1], Maker())
    maker = Maker()
    fill(cells, maker)
    assert maker.made == ["b"]
    assert [Path(c["path"]).read_text() for c in cells] == ["a", "b"]


def test_every_artifact_has_a_run_record_that_knows_its_bytes() -> None:
    fill([cell("a")], Maker())
    record = storage.read_json(records.record_of(Path("results/scores/a.txt")))
    assert record["address"] == "a" and record["sha256"] == storage.sha256(Path("results/scores/a.txt"))


def test_a_record_holds_the_processors_seconds_of_its_cell_and_the_first_what_starting_took() -> None:
    before = sum(os.times()[:4])
    fill([cell("a"), cell("b")], Maker())
    first, second = (storage.read_json(records.record_of(Path(f"results/scores/{name}.txt")))["cpu_s"] for name in "ab")
    assert before <= first + 0.01 and second >= 0 and first + second <= sum(os.times()[:4]) + 0.01, "rounded to milliseconds"


def test_a_failure_keeps_the_finished_cells_even_when_their_outputs_are_deleted() -> None:
    cells = [cell("a"), cell("b"), cell("c")]
    with pytest.raises(RuntimeError, match="boom"):
        fill(cells, Maker(fail_at="b"))
    Path("results/scores/a.txt").unlink(missing_ok=True)  # as Snakemake does without keep-incomplete
    maker = Maker()
    fill(cells, maker)
    assert maker.made == ["b", "c"]
    assert Path("results/scores/b.txt").read_text() == "b", "the half-written file of the failure is not taken for the cell"


def test_a_mistake_of_the_users_ends_with_its_message_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fill([cell("a")], Maker(fail_at="a", error=DataError))
    assert ended.value.code == 1
    assert "DataError: boom" in capsys.readouterr().err
    assert "DataError: boom" in Path("pack.log").read_text()


def test_folders_are_artifacts_like_files() -> None:
    fill([cell("folder", folder=True)], Maker())
    assert Path("results/tables/folder/file").read_text() == "folder"
    maker = Maker()
    fill([cell("folder", folder=True)], maker)
    assert maker.made == []


def test_a_cell_that_was_set_aside_comes_back_without_computing() -> None:
    fill([cell("a")], Maker())
    packs.sweep(["results/scores/a.txt"])
    shelf = packs.second_name(Path("results/scores/a.txt"), packs.RETIRED)
    shelf.parent.mkdir(parents=True)
    Path("results/scores/a.txt").rename(shelf)
    records.record_of(Path("results/scores/a.txt")).rename(records.record_of(shelf))
    maker = Maker()
    fill([cell("a")], maker)
    assert maker.made == [] and Path("results/scores/a.txt").read_text() == "a"


def test_a_second_name_of_broken_bytes_is_not_put_back() -> None:
    """Or the advice to delete a broken artifact and run again would bring it back for ever."""
    fill([cell("a")], Maker())
    with Path("results/scores/a.txt").open("r+") as stream:  # in place: through every name of the same bytes
        stream.write("z")
    Path("results/scores/a.txt").unlink()
    maker = Maker()
    fill([cell("a")], maker)
    assert maker.made == ["a"] and Path("results/scores/a.txt").read_text() == "a"


def test_an_input_that_is_not_there_is_a_message_that_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fill([cell("a", inputs={"grammar": [("g--1", "data/absent.yaml")]})], Maker())
    assert "dvc pull data/absent.yaml" in capsys.readouterr().err


def test_sweeping_drops_second_names_and_keeps_cells() -> None:
    fill([cell("a")], Maker())
    assert packs.second_name(Path("results/scores/a.txt"), packs.STAGING).exists()
    packs.sweep(["results/scores/a.txt"])
    assert not packs.second_name(Path("results/scores/a.txt"), packs.STAGING).exists()
    assert Path("results/scores/a.txt").exists()


def test_a_passport_holds_the_digest_of_each_input() -> None:
    Path("input").write_text("bytes")
    seen: list[Job] = []

    def make(jobs: Sequence[Job]) -> Iterator[Job]:
        seen.extend(jobs)
        yield from Maker()(jobs)

    packs.fill("pack", [cell("a", inputs={"model": [("m--1", "input")]})], "pack.log", make)
    assert seen[0].passport["inputs"] == {"model": {"m--1": storage.sha256(Path("input"))}}
    assert seen[0].input("model") == Path("input") and seen[0].by_address("model") == {"m--1": Path("input")}


def test_science_that_leaves_a_cell_out_is_our_bug_and_says_which() -> None:
    with pytest.raises(RuntimeError, match="'a'"):
        packs.fill("pack", [cell("a")], "pack.log", lambda jobs: iter(()))


def _slow_fill() -> None:
    def make(jobs: Sequence[Job]) -> Iterator[Job]:
        for job in Maker()(jobs):
            yield job
            time.sleep(0.2 if job.address == "a" else 60)

    packs.fill("pack", [cell("a"), cell("b"), cell("c")], "pack.log", make)


def _killed_in_mid_pack() -> None:
    child = multiprocessing.get_context("fork").Process(target=_slow_fill)
    child.start()
    staged = packs.second_name(Path("results/scores/b.txt"), packs.STAGING)
    while not staged.exists():
        time.sleep(0.01)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()


def test_after_a_kill_in_mid_pack_finished_cells_are_not_made_again() -> None:
    _killed_in_mid_pack()
    maker = Maker()
    fill([cell("a"), cell("b"), cell("c")], maker)
    assert maker.made == ["c"]


def _fill_and_wait_before_b() -> None:
    def make(jobs: Sequence[Job]) -> Iterator[Job]:
        for job in Maker()(jobs):
            while job.address == "b" and "waiting for it" not in Path("other.log").read_text():
                time.sleep(0.01)
            yield job

    packs.fill("pack", [cell("a"), cell("b")], "pack.log", make)


def test_a_cell_that_two_packs_share_is_made_once_and_the_second_waits_for_it() -> None:
    """As when a job of a killed run is still at it, and the study was cut otherwise meanwhile."""
    Path("other.log").touch()
    other = multiprocessing.get_context("fork").Process(target=_fill_and_wait_before_b)
    other.start()
    while not packs.second_name(Path("results/scores/a.txt"), packs.STAGING).exists():
        time.sleep(0.01)
    maker = Maker()
    packs.fill("another pack", [cell("z"), cell("b")], "other.log", maker)
    other.join()
    assert other.exitcode == 0 and maker.made == ["z"]
    assert Path("results/scores/b.txt").read_text() == "b"


@pytest.mark.parametrize(("device", "goes_on"), [("auto", True), ("cuda", False)])
def test_a_job_that_finds_fewer_cards_than_it_asked_for_goes_on_or_fails_as_the_study_says(
    device: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("emsteer.devices.present", list)
    made, log = cell("a") | {"device": device}, Path("log.txt")
    if goes_on:
        packs.fill("pack", [made], str(log), Maker(), n_gpus=2)
    else:
        with pytest.raises(SystemExit):
            packs.fill("pack", [made], str(log), Maker(), n_gpus=2)
    assert "pack: asks for 2 cards; 0 are here" in log.read_text()
    assert ("nothing was computed, because `execution.device` is cuda" in log.read_text()) != goes_on
    assert Path(made["path"]).exists() == goes_on


def test_an_input_that_is_not_what_its_run_wrote_is_refused_and_named_with_the_cure(caplog: pytest.LogCaptureFixture) -> None:
    fill([cell("in.folder", folder=True), cell("whole")], Maker())
    read = {"model": [("in.folder", "results/tables/in.folder")], "other": [("whole", "results/scores/whole.txt")]}
    Path("results/tables/in.folder/file").rename("results/tables/in.folder/other")
    Path("results/scores/whole.txt").unlink()
    maker = Maker()
    with pytest.raises(SystemExit):
        fill([cell("out", inputs=read)], maker)
    said = caplog.text
    assert "results/tables/in.folder: not the bytes that its run wrote (file is not there, other was not there)" in said
    assert "Delete it and run `snakemake`" in said and "results/scores/whole.txt: not there" in said, "all at once"
    assert not maker.made
