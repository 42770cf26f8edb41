"""Figures on disk: the drawing, its data and its passport."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from emsteer import schemas, storage
from emsteer.figures import style
from emsteer.figures.words import Words
from emsteer.packs import Job
from emsteer.recipes import BasePoint

Draw = Callable[[pd.DataFrame, BasePoint], tuple[Figure, pd.DataFrame]]


def of_panels(table: pd.DataFrame, models: Sequence[str] | None) -> pd.DataFrame:
    """What is drawn: rows of these models, of all where none are named."""
    return table if models is None else table[table["model"].isin(models)].reset_index(drop=True)


def drawn(jobs: Sequence[Job], draw: Draw, schema: type[schemas.Table], words: Words) -> Iterator[Job]:
    """Writes a folder: SVG, PNG, CSV of what is drawn, the same in words, passport. What a figure's `make` returns."""
    for job in jobs:
        table = of_panels(schemas.read(job.input("table"), schema), job.recipe.panels)
        with style.clean():
            figure, data = draw(table, job.recipe.base_point)
        name = job.address.partition("--")[0]
        style.save(figure, data, job.out, name)
        storage.write_text(job.out / f"{name}.txt", words(data) + "\n")
        storage.write_json(job.passport, job.out / "passport.json")
        yield job
