"""Kinds of artifacts, input files, and cells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emsteer.recipes import Recipe, Service


@dataclass(frozen=True)
class Kind:
    """A kind of artifact, and the ending of its files (none: an artifact is a folder)."""

    name: str
    suffix: str

    @property
    def is_folder(self) -> bool:
        """Whether an artifact is a folder of files."""
        return not self.suffix


KINDS = {
    kind.name: kind
    for kind in (
        Kind("models", ""),
        Kind("tasks", ".parquet"),
        Kind("benchmarks", ".parquet"),
        Kind("embeddings", ".safetensors"),
        Kind("calibrations", ".json"),
        Kind("elicitations", ".parquet"),
        Kind("vectors", ".safetensors"),
        Kind("adapters", ""),
        Kind("answers", ".parquet"),
        Kind("margins", ".parquet"),
        Kind("likeness", ".parquet"),
        Kind("effects", ".parquet"),
        Kind("witnesses", ".parquet"),
        Kind("scores", ".parquet"),
        Kind("tables", ""),
        Kind("figures", ""),
        Kind("report", ""),
    )
}


@dataclass(frozen=True)
class Raw:
    """An input file that nothing makes."""

    path: str
    address: str  # its path and the digest of its bytes


@dataclass(frozen=True)
class Cell:
    """One artifact: what makes it, from what, and where it lies.

    Attributes:
        pack: Cells that one process makes together.
        place: Of a pinned model: where its files lie on this machine.
        service: Of a judge that is asked: where, how fast, for how much. None of these moves an address.
    """

    kind: str
    address: str
    recipe: Recipe
    inputs: Mapping[str, tuple["Cell | Raw", ...]]
    code: str
    pack: str
    place: str | None = None
    service: Service | None = None

    @property
    def path(self) -> str:
        """Relative to the folder of the study."""
        return f"results/{self.kind}/{self.address}{KINDS[self.kind].suffix}"

    def exists(self) -> bool:
        """Existing means fresh."""
        return Path(self.path).exists()

    def upstream(self) -> Iterator["Cell"]:
        """The cells it reads."""
        for group in self.inputs.values():
            yield from (item for item in group if isinstance(item, Cell))

    @property
    def sources(self) -> dict[str, list[tuple[str, str]]]:
        """Role → (address, path) of its inputs."""
        return {role: [(item.address, item.path) for item in group] for role, group in self.inputs.items()}

    @property
    def weights(self) -> str | None:
        """Where the files of the model that it pins or reads lie, if the study says so."""
        return self.place or self.places.get("model")

    @property
    def places(self) -> dict[str, str]:
        """Role → where the files of its pinned model lie on this machine, if the study says so."""
        of = {role: next((item.place for item in group if isinstance(item, Cell)), None) for role, group in self.inputs.items()}
        return {role: place for role, place in of.items() if place}

    def job(self) -> dict[str, Any]:
        """What a job needs to make it; travels to the process that does."""
        return {
            "kind": self.kind,
            "address": self.address,
            "path": self.path,
            "recipe": self.recipe,
            "inputs": self.sources,
            "code": self.code,
            "weights": self.weights,
            "places": self.places,
            "service": self.service,
        }

    def record(self) -> dict[str, Any]:
        """What `plan/<kind>.json` says of it."""
        inputs = {role: [item.address for item in group] for role, group in self.inputs.items()}
        return {"recipe": self.recipe.model_dump(mode="json"), "inputs": inputs, "code": self.code}
