"""Judgements a second from an endpoint, as a share of what its latency and its limit allow: `make bench-judging`."""

import os
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "unit")]

from judge_server import KEY, Server, serving  # noqa: E402
from test_asked import cells  # noqa: E402

from emsteer.judging.asked import make  # noqa: E402

DELAY = 0.25  # of every reply [s]
BOUND_BY = {  # what bounds it → concurrency, requests per minute
    "latency, 8 at once": (8, 600_000),
    "latency, 32 at once": (32, 600_000),
    "limit, 1,200 a minute": (32, 1_200),
    "limit, 3,000 a minute": (32, 3_000),
}
N_CELLS = 10
N_REQUESTS = N_CELLS * 17 * 3


def main() -> None:
    """Prints a line for each bound."""
    os.environ["JUDGE_KEY"] = KEY
    print(f"{N_REQUESTS} requests, each {DELAY} s, on {os.cpu_count()} cores; the server runs beside the judge")
    for name, (concurrency, per_minute) in BOUND_BY.items():
        with serving(Server(delay=DELAY)) as server, tempfile.TemporaryDirectory() as folder:
            jobs = cells(Path(folder), server.url, N_CELLS, concurrency=concurrency, requests_per_minute=per_minute)
            start = time.monotonic()
            list(make(jobs))
            seconds = time.monotonic() - start
        least = max(N_REQUESTS * DELAY / concurrency, (N_REQUESTS - 1) * 60 / per_minute + DELAY)
        print(f"{name:22}  {N_REQUESTS / seconds:6.1f} a second, {100 * least / seconds:4.0f} % of what is possible", flush=True)


if __name__ == "__main__":
    main()
