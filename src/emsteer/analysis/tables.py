"""Tables on disk: checked, and written for programs and for people."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from emsteer import schemas, storage
from emsteer.packs import Job

Compute = Callable[[Job], pd.DataFrame]
View = Callable[[pd.DataFrame], pd.DataFrame]


def tabulated(
    jobs: Sequence[Job], compute: Compute, schema: type[schemas.Table], published: View = pd.DataFrame.copy
) -> Iterator[Job]:
    """Writes a folder: parquet (the table), CSV (`published`, a view of it for people), passport. What a table's `make` returns."""
    for job in jobs:
        frame = schemas.check(compute(job), schema, job.address)
        name = job.address.partition("--")[0]
        job.out.mkdir()
        storage.write_parquet(frame, job.out / f"{name}.parquet", job.passport)
        published(frame).to_csv(job.out / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
        storage.write_json(job.passport, job.out / "passport.json")
        yield job
