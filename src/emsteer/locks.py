"""Locks that the kernel frees when their holder dies, however it dies, and a check that the file system keeps them.

A cell is one byte of one file, locked by range: POSIX record locks cross machines on network file systems that have a lock
service, and hold thousands of cells without a file for each. Whoever finds a cell's byte taken waits: its maker is at it.
"""

import errno
import fcntl
import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from emsteer.errors import REFUSALS, BusyError, StudyError

ELSEWHERE = "EMSTEER_LOCKS"
KEPT_OUT = 3
PROBE = f"""
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit({KEPT_OUT})
"""
CURE = (
    f"  Set {ELSEWHERE} to a folder where they do, shared by all machines that compute (often: in the home directory),\n"
    "  in the shell that starts Snakemake; jobs inherit it. See docs/cluster.md."
)
RESULTS = Path("results")
MOUNTS = Path("/proc/self/mountinfo")
log = logging.getLogger("emsteer")


def folder() -> Path:
    """Where the locks of this study lie: `results/.locks`, or a folder of its own under `$EMSTEER_LOCKS`.

    Raises:
        StudyError: It cannot be made.
    """
    home = os.environ.get(ELSEWHERE)
    if not home:
        _check_link(RESULTS)
    found = Path(home) / hashlib.sha256(os.fsencode(Path.cwd().resolve())).hexdigest()[:16] if home else RESULTS / ".locks"
    try:
        found.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if not home and error.errno in REFUSALS:
            raise  # it is all of the study that cannot be written
        raise StudyError(f"{found}: the folder of the locks cannot be made ({error.strerror}).\n{CURE}") from None
    return found


def _check_link(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise StudyError(
            f"{path}: a link to {path.readlink()}, which is not here.\n  Mount or make what it leads to, or remove the link."
        )


def hold(name: str, busy: str) -> IO[str]:
    """Takes a lock for as long as the result lives; raises BusyError when it is held."""
    stream = (folder() / name).open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise BusyError(busy) from None
    return stream


@contextmanager
def making(addresses: Iterable[str]) -> Iterator[None]:
    """Holds these cells, and waits for those that another process is making."""
    with (folder() / "cells").open("a") as stream:
        for place in sorted({_place(address) for address in addresses}):  # everyone in the same order: nobody waits in a circle
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except BlockingIOError:
                log.info("another process is making a cell of these; waiting for it")
                fcntl.lockf(stream, fcntl.LOCK_EX, 1, place)
        yield


def _place(address: str) -> int:
    return int(hashlib.sha256(address.encode()).hexdigest()[:15], 16)


def check(*, one_machine: bool) -> None:
    """Whether locks keep processes apart here.

    Args:
        one_machine: All processes run on this machine; locks that end at its border will do.

    Raises:
        StudyError: They do not. It says why, and what to set.
    """
    place = folder()
    kind, options = _mount_of(place, MOUNTS)
    if not _keeps_out_another_process(place / "probe"):
        why = "do not work"
    elif not one_machine and _ends_at_the_machine(kind, options):
        why = "hold within one machine only"
    else:
        return
    raise StudyError(f"{place}: file locks {why} on this file system ({kind}), so two jobs could make one cell twice.\n{CURE}")


def _keeps_out_another_process(probe: Path) -> bool:
    with probe.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH)
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True  # by a process that is checking just now
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                return False
            raise
        other = subprocess.run([sys.executable, "-S", "-E", "-c", PROBE, probe], capture_output=True, check=False)
        return other.returncode == KEPT_OUT


def _mount_of(path: Path, mounts: Path) -> tuple[str, set[str]]:
    """Kind and options of the file system that a path lies on, as a `mountinfo` of Linux tells; elsewhere unknown."""
    kind, options, longest = "unknown", set[str](), -1
    there = path.resolve()
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines() if mounts.exists() else ():
        before, _, after = line.partition(" - ")
        point, seen = before.split()[4].replace("\\040", " "), before.split()[5]
        if there.is_relative_to(point) and len(point) >= longest:  # of equal ones the later lies on top
            kind, *_, super_options = after.split()
            longest, options = len(point), {*seen.split(","), *super_options.split(",")}
    return kind, options


def _ends_at_the_machine(kind: str, options: set[str]) -> bool:
    """Whether processes on two machines could hold one lock."""
    if kind.startswith("nfs"):
        return "nolock" in options or any(option.startswith("local_lock=") and option != "local_lock=none" for option in options)
    if kind == "lustre":
        return "flock" not in options
    return kind == "fuse.sshfs"
