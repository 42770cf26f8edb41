"""The artifact of a model that exists already: its pin, once its files were read. Weights are not copied."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from emsteer import storage
from emsteer.models import sources
from emsteer.packs import Job
from emsteer.recipes import Pin

PIN = "pin.json"


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder: the pin and the passport."""
    for job in jobs:
        sources.check(job.recipe, sources.folder_of(job.recipe, job.weights))
        job.out.mkdir()
        storage.write_json(job.recipe.model_dump(mode="json"), job.out / PIN)
        storage.write_json(job.passport, job.out / "passport.json")
        yield job


def read_pin(folder: Path) -> Pin | None:
    """The pin in a model's artifact; None where the artifact is the model itself."""
    path = folder / PIN
    return Pin(**storage.read_json(path)) if path.exists() else None
