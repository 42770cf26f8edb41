"""Figures on disk: the drawing, its data and its passport."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas, storage
from emsteer.figures import style
from emsteer.packs import Job
from emsteer.recipes import BasePoint

Draw = Callable[[pd.DataFrame, BasePoint], tuple[Figure, pd.DataFrame]]


def drawn(jobs: Sequence[Job], draw: Draw, schema: type[schemas.Table]) -> Iterator[Job]:
    """Writes a folder: SVG, PNG, CSV of what is drawn, passport. What a figure's `make` returns."""
    for job in jobs:
        table = schemas.read(job.input("table"), schema)
        with style.clean():
            figure, data = draw(table, job.recipe.base_point)
        style.save(figure, data, job.out, job.address.partition("--")[0])
        storage.write_json(job.passport, job.out / "passport.json")
        yield job
