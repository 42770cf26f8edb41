"""Kept replies: asked for once, whoever asks, however the asker ends."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import diskcache
import pytest

from emsteer.errors import DataError
from emsteer.judging.replies import CLAIM, Kept, Replies, key_of

ASKED = {"model": "judge-2026-01-01", "instruction": "0" * 16, "question": "Why?", "answer": "So.", "temperature": 0}
PATIENCE = 60.0
ASKER = """
import sys, time
from pathlib import Path
from emsteer.judging.replies import Replies
folder, log, first, last, pause = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
def ask(index):
    with log.open("a") as stream:
        stream.write(f"{index}\\n")
    time.sleep(pause)
    return {"text": str(index)}
with Replies(folder) as replies:
    for index in range(first, last):
        reply, _ = replies.once({"question": index}, lambda: ask(index), 60)
        assert reply["text"] == str(index)
        print(index, flush=True)
"""


def asker(folder: Path, first: int, last: int, pause: float = 0.01) -> subprocess.Popen[str]:
    """Another process that asks for some replies, and logs what it had to ask for."""
    command = [sys.executable, "-c", ASKER, str(folder / "replies"), str(folder / "log"), str(first), str(last), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def asked_for(folder: Path) -> list[int]:
    return sorted(int(line) for line in (folder / "log").read_text().split())


def test_a_reply_is_asked_for_once_and_is_there_for_whoever_opens_the_folder_again(tmp_path: Path) -> None:
    calls = []

    def ask() -> Kept:
        calls.append(1)
        return {"text": "80", "first": [["80", -0.1]], "told": "ü { \u2028 \U0001f600"}

    with Replies(tmp_path) as replies:
        assert replies.get(ASKED) is None
        assert [replies.once(ASKED, ask, PATIENCE)[1] for _ in range(3)] == [True, False, False]
    with Replies(tmp_path) as replies:
        assert replies.get(ASKED) == replies.once(ASKED, ask, PATIENCE)[0] == ask() and len(calls) == 2
        (kept,) = replies
        assert kept["asked"] == ASKED and kept["key"] == key_of(ASKED)


@pytest.mark.parametrize("name", list(ASKED))
def test_whatever_a_reply_depends_on_is_in_its_key_and_the_order_of_names_is_not(tmp_path: Path, name: str) -> None:
    assert key_of({**ASKED, name: "another"}) != key_of(ASKED) == key_of(dict(reversed(ASKED.items())))


def test_what_failed_leaves_nothing_behind_and_may_be_asked_again_at_once(tmp_path: Path) -> None:
    def fail() -> Kept:
        raise TimeoutError

    with Replies(tmp_path) as replies:
        with pytest.raises(TimeoutError):
            replies.once(ASKED, fail, PATIENCE)
        assert replies.once(ASKED, lambda: {"text": "1"}, PATIENCE) == ({"text": "1"}, True)


def test_many_threads_that_want_the_same_reply_ask_for_it_once(tmp_path: Path) -> None:
    calls, found = [], []

    def ask() -> Kept:
        calls.append(1)
        time.sleep(0.1)
        return {"text": "80"}

    with Replies(tmp_path) as replies:
        threads = [threading.Thread(target=lambda: found.append(replies.once(ASKED, ask, PATIENCE))) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(calls) == 1 and len(found) == 12 and sum(new for _, new in found) == 1


def test_processes_that_want_the_same_replies_ask_for_each_once(tmp_path: Path) -> None:
    askers = [asker(tmp_path, first, first + 20) for first in (0, 5, 10)]
    assert [one.wait(60) for one in askers] == [0, 0, 0]
    assert asked_for(tmp_path) == list(range(30))


def test_a_process_that_is_killed_loses_no_reply_and_its_claim_is_void(tmp_path: Path) -> None:
    killed = asker(tmp_path, 0, 40, pause=0.05)
    assert killed.stdout is not None
    said = [int(killed.stdout.readline()) for _ in range(5)]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert asker(tmp_path, 0, 10).wait(30) == 0, "within the patience: the claim of a dead process is nobody's"
    twice = [index for index in range(10) if asked_for(tmp_path).count(index) > 1]
    assert set(range(10)) == set(asked_for(tmp_path)) and not set(twice) & set(said) and len(twice) <= 1


def test_another_machines_claim_holds_until_it_is_too_old(tmp_path: Path) -> None:
    with Replies(tmp_path) as replies:
        cache = diskcache.Cache(str(tmp_path), disk=diskcache.JSONDisk, disk_compress_level=0)
        cache.set(f"{CLAIM}{key_of(ASKED)}", {"host": "elsewhere", "pid": 1, "thread": 1}, expire=0.4)
        started = time.monotonic()
        assert replies.once(ASKED, lambda: {"text": "1"}, PATIENCE)[1]
        assert time.monotonic() - started > 0.3
        assert list(cache) == [key_of(ASKED)], "no claim is left"


def test_nothing_is_pickled_and_nothing_is_ever_dropped(tmp_path: Path) -> None:
    with Replies(tmp_path) as replies:
        replies.once(ASKED, lambda: {"text": "x" * 100_000}, PATIENCE)
        assert replies._kept.eviction_policy == "none" and replies._kept.size_limit > 2**60
    held = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
    assert json.dumps(key_of(ASKED)).encode() in held and b"x" * 50_000 in held, "plain JSON"


def test_a_folder_that_is_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_text("no database, " * 100)
    with pytest.raises(DataError, match="no folder of replies"):
        Replies(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="no folder of replies"):
        Replies(tmp_path / "file")
