"""`tests/alone/out_of_memory.py` in a process of its own: another one holds memory that earlier tests have given back to it."""

import os
import subprocess
import sys
from pathlib import Path

from places import REPOSITORY


def test_where_memory_ends_the_engine_halves_its_batches_or_says_what_to_do(tmp_path: Path) -> None:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={tmp_path / 'its'}"]
    answer = subprocess.run(
        [*command, "tests/alone/out_of_memory.py"], cwd=REPOSITORY, env=alone, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0 and "3 passed" in answer.stdout, answer.stdout + answer.stderr
