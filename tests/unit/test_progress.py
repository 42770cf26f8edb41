"""Progress: lines in logs and pipes, a bar on a terminal."""

import fcntl
import io
import logging
import os
import pty
import select
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from emsteer import packs, progress

QUIET_S = 1.0  # after which no more is expected


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    log = logging.getLogger("emsteer")
    before = list(log.handlers)
    yield
    for handler in [handler for handler in log.handlers if handler not in before]:
        log.removeHandler(handler)
        handler.close()


def worked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: io.TextIOBase, n: int) -> list[str]:
    """What a job of four cells, `n` of which get done, leaves in its log; a line is due after each."""
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "LINE_S", 0.0)
    monkeypatch.setattr(progress, "BAR_S", 0.0)
    packs._log_to(str(tmp_path / "log.txt"))
    shown = progress.bar(total=4, label="answers", unit="cells")
    for _ in range(n):
        shown.update()
    shown.close()
    return (tmp_path / "log.txt").read_text().splitlines()


def arrived(terminal: int) -> str:
    """All that a terminal was given: a read returns what has come so far, which may be its beginning."""
    parts = []
    while select.select([terminal], [], [], QUIET_S)[0]:
        parts.append(os.read(terminal, 100_000))
    return b"".join(parts).decode()


@pytest.mark.parametrize("n", [4, 2])
def test_in_a_pipe_progress_is_lines_and_the_log_has_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    screen = io.StringIO()
    written = worked(tmp_path, monkeypatch, screen, n)
    assert screen.getvalue().splitlines() == written and "\r" not in screen.getvalue()
    states = [line.partition(" in ")[0] for line in written]
    assert list(dict.fromkeys(states)) == [f"answers: {done} of 4 cells ({done * 25} %)" for done in range(n + 1)]
    assert states.count("answers: 4 of 4 cells (100 %)") == (n == 4), "the end is said once"


def test_on_a_terminal_progress_is_one_bar_and_lines_go_to_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with os.fdopen(theirs, "w") as screen:
        written = worked(tmp_path, monkeypatch, screen, 4)
        screen.flush()
        shown = arrived(ours)
    os.close(ours)
    assert "answers: 4 of 4 cells (100 %)" in written[-1] and "\r" not in "".join(written)
    assert "| 4/4 [" in shown and " of 4 cells" not in shown


def test_lines_come_every_few_seconds_and_when_all_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    packs._log_to(str(tmp_path / "log.txt"))
    for _ in progress.bar(range(1000), label="rows", unit="rows"):
        pass
    (line,) = (tmp_path / "log.txt").read_text().splitlines()
    assert line.startswith("rows: 1000 of 1000 rows")
