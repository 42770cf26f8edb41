"""Figures on disk: the module that a recipe names draws one; here it is saved with its data and its passport."""

import importlib
from collections.abc import Iterator, Sequence

import matplotlib

from emsteer import schemas, storage
from emsteer.figures import style
from emsteer.packs import Job


def make_figures(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder: SVG, PNG, CSV, passport."""
    for job in jobs:
        module = importlib.import_module(job.recipe.module)
        rates = schemas.read(job.input("rates"), schemas.Rates)
        with matplotlib.rc_context(style.RC):
            figure, data = module.draw(rates)
        style.save(figure, data, job.out, job.address.partition("--")[0])
        storage.write_json(job.passport, job.out / "passport.json")
        yield job
