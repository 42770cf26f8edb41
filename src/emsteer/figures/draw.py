"""Figures on disk: the drawing, its data and its passport."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas, storage
from emsteer.figures import style
from emsteer.packs import Job

Draw = Callable[[pd.DataFrame], tuple[Figure, pd.DataFrame]]


def drawn(jobs: Sequence[Job], draw: Draw) -> Iterator[Job]:
    """Writes a folder: SVG, PNG, CSV, passport. What a figure's `make` returns."""
    for job in jobs:
        rates = schemas.read(job.input("rates"), schemas.Rates)
        with style.clean():
            figure, data = draw(rates)
        style.save(figure, data, job.out, job.address.partition("--")[0])
        storage.write_json(job.passport, job.out / "passport.json")
        yield job
