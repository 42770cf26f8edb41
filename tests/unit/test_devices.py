"""Cards: which are here, and that no two processes of a machine get the same one. The `nvidia-smi` is a stand-in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emsteer import devices

HOLD = """
import sys
from pathlib import Path
from emsteer import devices
print(*devices.claim(2, Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(devices, "_held", [])


def with_cards(monkeypatch: pytest.MonkeyPatch, folder: Path, n: int) -> None:
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + "".join(f"echo {i}\n" for i in range(n)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_cards_are_those_that_the_driver_lists_or_those_that_the_environment_leaves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_cards(monkeypatch, tmp_path, 3)
    assert devices.present() == ["0", "1", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8f6c")
    assert devices.present() == ["2", "GPU-8f6c"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.present() == []


def test_no_card_is_had_twice_and_a_dead_process_gives_its_cards_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_cards(monkeypatch, tmp_path, 3)
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout and other.stdin
    assert other.stdout.readline().split() == ["0", "1"]
    assert devices.claim(1, tmp_path) == ["2"] and os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    other.kill()
    other.wait()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices.claim(2, tmp_path) == ["0", "1"], "while this process still holds 2"


def test_one_that_asks_for_more_than_is_free_waits_and_holds_nothing_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_cards(monkeypatch, tmp_path, 2)
    assert devices.claim(1, tmp_path) == ["0"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    def slept(_seconds: float) -> None:
        stream = devices._lock(tmp_path / "emsteer-gpu-1.lock")
        assert stream is not None, "card 1 is free for others while two are waited for"
        stream.close()
        devices._held.pop().close()  # the holder of card 0 ends

    monkeypatch.setattr(devices.time, "sleep", slept)
    assert devices.claim(2, tmp_path) == ["0", "1"]


def test_what_asks_for_none_sees_none_and_what_asks_for_too_many_gets_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_cards(monkeypatch, tmp_path, 1)
    assert devices.claim(0, tmp_path) == [] and os.environ["CUDA_VISIBLE_DEVICES"] == ""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices.claim(4, tmp_path) == ["0"]


def test_a_slurm_job_uses_what_it_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    held = devices._lock(tmp_path / "emsteer-gpu-0.lock")
    assert held is not None, "another job on the node, whose card 0 is another card"
    assert devices.claim(1, tmp_path) == ["0"]
