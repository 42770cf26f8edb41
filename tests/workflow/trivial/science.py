"""Artifacts that hold their own passport, under the file names that each kind has."""

import os
import time
from collections.abc import Iterator, Sequence

from emsteer import storage
from emsteer.packs import Job

FOLDERS = {"models", "adapters", "tables", "figures", "report"}  # `KINDS` knows, and takes longer to import than the rest of a job
SECONDS = float(os.environ.get("TRIVIAL_SECONDS", "0"))  # a cell, so that there is time to kill a job in its middle


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes the passport: other inputs, another recipe or other code give other bytes, and nothing else does."""
    for job in jobs:
        time.sleep(SECONDS)
        kind, name = job.passport["kind"], job.address.partition("--")[0]
        if kind in FOLDERS:
            job.out.mkdir()
            for file in {"report": ["index.html"], "tables": [f"{name}.csv", f"{name}.json"]}.get(
                kind, [f"{name}.csv", f"{name}.svg"]
            ):
                storage.write_json(job.passport, job.out / file)
            if name == "metrics":  # DVC compares them
                storage.write_json(job.passport, job.out / "headline.json")
            if name == "claims":  # publishing reads which claims there are: none
                storage.write_text(job.out / "claims.csv", f"claim,digest,declared,{job.address}\n")
        else:
            storage.write_json(job.passport, job.out)
        yield job
