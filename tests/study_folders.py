"""A study folder with something in the place of its cells: for tests of where files lie, and of passports and records."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from emsteer import packs, plan, records, storage, study
from emsteer.packs import Job
from emsteer.plan import Plan


def planned(*doses: float, also_at: Sequence[int] = ()) -> Plan:
    """`also_at`: layers where the mean difference steers at once, besides its own."""
    raw = yaml.safe_load(Path("params.yaml").read_text())
    raw["sweeps"]["trained"]["doses"] = list(doses)
    raw["sweeps"]["mean_difference"] |= {"also_at": list(also_at)} if also_at else {}
    return plan.resolve(study.parse(raw))


def computed(study_plan: Plan, *kinds: str, record: str = "{}") -> None:
    """Writes something in place of every missing cell: these tests are about where files lie, not what they hold."""
    for cell in (cell for kind in kinds for cell in study_plan.of(kind) if not cell.exists()):
        path, name = Path(cell.path), cell.address.partition("--")[0]
        files = [path]
        if plan.KINDS[cell.kind].is_folder:
            files = [path / "index.html"] if cell.kind == "report" else [path / f"{name}.{end}" for end in ("csv", "svg")]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(cell.address)
        records.record_of(path).write_text(record)


def filled(study_plan: Plan) -> None:
    """Makes every cell through its pack: run records and passports are real, and there is little else in it."""
    for kind in plan.KINDS:
        Path("results", kind).mkdir(parents=True, exist_ok=True)
        for pack in study_plan.packs(kind):
            packs.fill(pack.id, pack.jobs(), "log.txt", _passports)


def _passports(jobs: Sequence[Job]) -> Iterator[Job]:
    for job in jobs:
        kind, name = job.passport["kind"], job.address.partition("--")[0]
        suffix = plan.KINDS[kind].suffix
        if not suffix:
            job.out.mkdir()
            storage.write_json(job.passport, job.out / "passport.json")
            for file in ["index.html"] if kind == "report" else [f"{name}.csv", f"{name}.svg"]:
                (job.out / file).write_text(job.address)
        elif suffix == ".parquet":
            storage.write_parquet(pd.DataFrame({"address": [job.address]}), job.out, job.passport)
        elif suffix == ".safetensors":
            storage.write_tensors({"zero": np.zeros(1)}, job.out, job.passport)
        else:
            storage.write_json({"passport": job.passport}, job.out)
        yield job
