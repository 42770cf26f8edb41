"""Tables on disk: checked, and written for programs and for people."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from emsteer import schemas, storage
from emsteer.packs import Job

Compute = Callable[[Job], pd.DataFrame]
View = Callable[[pd.DataFrame], pd.DataFrame]


def tabulated(
    jobs: Sequence[Job], compute: Compute, schema: type[schemas.Table], published: View | None = pd.DataFrame.copy
) -> Iterator[Job]:
    """Writes folders of parquet (the table) and passport. What a table's `make` returns.

    Args:
        jobs: One a table.
        compute: Job → table.
        schema: Of the table.
        published: A view of the table for people, written as CSV beside it; None: it has none.
    """
    for job in jobs:
        frame = schemas.check(compute(job), schema, job.address)
        name = job.address.partition("--")[0]
        job.out.mkdir()
        storage.write_parquet(frame, job.out / f"{name}.parquet", job.passport)
        if published is not None:
            published(frame).to_csv(job.out / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
        storage.write_json(job.passport, job.out / "passport.json")
        yield job
