"""Replies of judges, kept as they come: nothing is paid for twice.

A reply is kept under a digest of all that was asked: the judge's model, the digest of its instruction, the parameters of the
request, question and answer. It is written before anybody reads it, in SQLite beside JSON (`diskcache`; nothing is pickled, and
nothing is dropped for want of space). Threads and processes may share a folder: who asks first holds a claim on the key, and
the others wait for the reply. The claim of a process that is gone is void, that of another machine after a while. SQLite wants real
file locks: on a network file system without them give each machine a folder of its own.
"""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import diskcache

from emsteer.errors import DataError
from emsteer.storage import canonical_json

REPLY, CLAIM, TURN = "reply", "claim ", "turn "
LONGEST_QUEUE, MOST_IN_A_QUEUE = 600.0, 1000  # [s], turns
LOOKS_AGAIN = 0.05  # for what another asks [s]
Kept = dict[str, Any]


class Replies:
    """A folder of replies."""

    def __init__(self, folder: Path) -> None:
        """Opens it; makes it where there is none.

        Raises:
            DataError: The folder is there, and holds something else or cannot be written.
        """
        keys_alike = {"disk": diskcache.JSONDisk, "disk_compress_level": 0}  # compressed, they would depend on the build of zlib
        try:
            self._kept = diskcache.Cache(str(folder), eviction_policy="none", size_limit=2**62, **keys_alike)
        except (OSError, diskcache.core.sqlite3.DatabaseError) as error:
            raise DataError(
                f"{folder}: no folder of replies ({error}).\n  Give a folder that can be written, or a new one."
            ) from error
        self.folder = folder

    def __enter__(self) -> "Replies":
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes it."""
        self._kept.close()

    def get(self, asked: Kept) -> Kept | None:
        """The reply to what was asked, if there is one."""
        found = self._kept.get(key_of(asked), retry=True)
        return None if found is None else found[REPLY]

    def once(self, asked: Kept, ask: Callable[[], Kept], patience: float) -> tuple[Kept, bool]:
        """The reply to what is asked, from here or from `ask`; whether it was new.

        Args:
            asked: All that a reply depends on, as JSON.
            ask: Gets the reply; what it raises leaves nothing behind.
            patience: After which the claim of a process that was killed is void. [s]
        """
        key, claim = key_of(asked), f"{CLAIM}{key_of(asked)}"
        while True:
            found = self._kept.get(key, retry=True)
            if found is not None:
                return found[REPLY], False
            if self._claimed(claim, patience):
                break
            time.sleep(LOOKS_AGAIN)
        try:
            found = self._kept.get(key, retry=True)  # whoever held the claim before may have had it
            if found is not None:
                return found[REPLY], False
            reply = ask()
            self._kept.set(key, {"asked": asked, REPLY: reply, "at": time.time()}, retry=True)
            return reply, True
        finally:
            self._kept.delete(claim, retry=True)

    def _claimed(self, claim: str, patience: float) -> bool:
        """Whether the claim is ours now: nobody has it, or a process that is gone."""
        ours = {"host": socket.gethostname(), "pid": os.getpid(), "thread": threading.get_ident()}
        with self._kept.transact(retry=True):
            holder = self._kept.get(claim)
            if holder is not None and (holder["host"] != ours["host"] or _is_alive(holder["pid"])):
                return False
            self._kept.set(claim, ours, expire=patience)
            return True

    def turn(self, name: str, apart: float) -> float:
        """Takes the next turn of a queue whose turns are so far apart; how long it is until then. [s]"""
        with self._kept.transact(retry=True):
            now = time.time()
            longest = LONGEST_QUEUE + MOST_IN_A_QUEUE * apart  # a clock that was set back holds up nobody for longer
            at = min(max(now, self._kept.get(f"{TURN}{name}", 0.0)), now + longest)
            self._kept.set(f"{TURN}{name}", at + apart)
        return at - now

    def hold(self, name: str, seconds: float) -> None:
        """No turn of a queue comes before."""
        with self._kept.transact(retry=True):
            self._kept.set(f"{TURN}{name}", max(time.time() + seconds, self._kept.get(f"{TURN}{name}", 0.0)))

    def __iter__(self) -> Iterator[Kept]:
        """What was asked and replied, in the order of their digests."""
        for key in sorted(self._kept):
            if not key.startswith((CLAIM, TURN)) and (found := self._kept.get(key, retry=True)) is not None:
                yield {"key": key, **found}


def key_of(asked: Kept) -> str:
    """A digest of all that was asked."""
    return hashlib.sha256(canonical_json(asked).encode()).hexdigest()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
