"""Tables on disk: the module that a recipe names computes one; here it is checked and written, for programs and for people."""

import importlib
from collections.abc import Iterator, Sequence

from emsteer import schemas, storage
from emsteer.packs import Job


def make_tables(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder: parquet (the table), CSV (the module's `published` view of it), passport."""
    for job in jobs:
        module = importlib.import_module(job.recipe.module)
        frame = schemas.check(module.table(job), module.SCHEMA, job.address)
        name = job.address.partition("--")[0]
        job.out.mkdir()
        storage.write_parquet(frame, job.out / f"{name}.parquet", job.passport)
        module.published(frame).to_csv(job.out / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
        storage.write_json(job.passport, job.out / "passport.json")
        yield job
