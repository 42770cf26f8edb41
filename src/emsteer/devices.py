"""Which cards a process may use: those that a scheduler gave it, or those that no other process of this machine has claimed.

Nothing here imports torch: cards are hidden through `CUDA_VISIBLE_DEVICES`, which must happen before it is imported.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

VISIBLE = "CUDA_VISIBLE_DEVICES"
WAIT_S = 1.0
_held: list[IO[str]] = []  # as long as this process lives


def present() -> list[str]:
    """Ids of the cards that this process may see: what `CUDA_VISIBLE_DEVICES` names, else what `nvidia-smi` lists."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()


def claim(n: int, locks: Path | None = None) -> list[str]:
    """Leaves this process `n` cards that nobody else has claimed, and waits until there are; fewer where fewer are present.

    Args:
        n: 0 hides every card, so that what asked for none computes on the CPU.
        locks: Folder of the locks, one for all studies on a machine; the kernel frees them when a process dies.

    Returns:
        The ids. What a SLURM job was given is taken as it is: SLURM has done the counting.
    """
    cards = present()
    if n and "SLURM_JOB_ID" not in os.environ:
        cards = _free(min(n, len(cards)), cards, locks or Path(tempfile.gettempdir()))
    os.environ[VISIBLE] = ",".join(cards if n else [])
    return cards if n else []


def _free(n: int, cards: list[str], locks: Path) -> list[str]:
    while True:
        taken: dict[str, IO[str]] = {}
        for card in cards:
            if len(taken) < n and (stream := _lock(locks / f"emsteer-gpu-{card.replace('/', '_')}.lock")):
                taken[card] = stream
        if len(taken) == n:
            _held.extend(taken.values())
            return list(taken)
        for stream in taken.values():
            stream.close()  # all or none: two jobs that each hold half of what they need would wait forever
        time.sleep(WAIT_S)


def _lock(path: Path) -> IO[str] | None:
    stream = path.open("a")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream
