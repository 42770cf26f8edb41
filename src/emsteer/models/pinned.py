"""The artifact of a model that exists already: its pin, dtype and chat settings. Its files are read, and not copied."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from emsteer import storage
from emsteer.models import sources
from emsteer.packs import Job
from emsteer.recipes import PinnedModel

PIN = "pin.json"


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder: `pin.json` and the passport."""
    for job in jobs:
        sources.check(job.recipe.pin, sources.folder_of(job.recipe.pin, job.weights))
        job.out.mkdir()
        storage.write_json(job.recipe.model_dump(mode="json"), job.out / PIN)
        storage.write_json(job.passport, job.out / "passport.json")
        yield job


def read_pinned(folder: Path) -> PinnedModel | None:
    """What `make` wrote; None where the artifact is the model itself."""
    path = folder / PIN
    return PinnedModel(**storage.read_json(path)) if path.exists() else None
