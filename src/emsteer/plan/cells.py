"""Cells, packs and the plan that holds them."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emsteer.plan.accepted import Acceptance, read_accepted, standing_digest
from emsteer.plan.addresses import address, raw_address
from emsteer.recipes import Recipe


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
        Kind("calibrations", ".json"),
        Kind("vectors", ".safetensors"),
        Kind("adapters", ""),
        Kind("answers", ".parquet"),
        Kind("margins", ".parquet"),
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
    """One artifact: what makes it, from what, and where it lies."""

    kind: str
    address: str
    recipe: Recipe
    inputs: Mapping[str, tuple["Cell | Raw", ...]]
    code: str
    pack: str

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

    def job(self) -> dict[str, Any]:
        """What a job needs to make it; travels to the process that does."""
        inputs = {role: [(item.address, item.path) for item in group] for role, group in self.inputs.items()}
        return {
            "kind": self.kind,
            "address": self.address,
            "path": self.path,
            "recipe": self.recipe,
            "inputs": inputs,
            "code": self.code,
        }

    def record(self) -> dict[str, Any]:
        """What `plan/<kind>.json` says of it."""
        inputs = {role: [item.address for item in group] for role, group in self.inputs.items()}
        return {"recipe": self.recipe.model_dump(mode="json"), "inputs": inputs, "code": self.code}


@dataclass(frozen=True)
class Pack:
    """Cells that one process makes. Membership follows from the plan alone, never from what exists."""

    kind: str
    name: str
    cells: tuple[Cell, ...]

    @property
    def id(self) -> str:
        """Unique among all packs."""
        return f"{self.kind}.{self.name}"

    @property
    def missing(self) -> list[Cell]:
        """The cells that do not exist."""
        return [cell for cell in self.cells if not cell.exists()]

    @property
    def summary(self) -> str:
        """For people: how many cells are missing, and which."""
        missing = self.missing
        return "\n  ".join([f"{len(missing)} of {len(self.cells)} cells", *(cell.address for cell in missing)])

    def jobs(self) -> list[dict[str, Any]]:
        """`Cell.job()` of every cell."""
        return [cell.job() for cell in self.cells]


@dataclass
class Plan:
    """Every cell of a study, by kind and address."""

    cells_per_job: int
    accepted: list[Acceptance] = field(default_factory=read_accepted)
    codes: dict[str, str] = field(default_factory=dict)  # module → digest: sources do not change while one plan is made
    raws: dict[str, Raw] = field(default_factory=dict)  # path → input file: neither do these
    cells: dict[str, dict[str, Cell]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def add(self, kind: str, slug: str, recipe: Recipe, inputs: Mapping[str, Sequence[Cell | Raw]], pack: str) -> Cell:
        """Plans a cell, once."""
        groups = {role: tuple(group) for role, group in inputs.items()}
        if recipe.module not in self.codes:
            self.codes[recipe.module] = standing_digest(recipe.module, self.accepted)
        code = self.codes[recipe.module]
        names = {role: [item.address for item in group] for role, group in groups.items()}
        name = address(kind, slug, recipe.model_dump(mode="json"), names, code)
        return self.cells[kind].setdefault(name, Cell(kind, name, recipe, groups, code, pack))

    def raw(self, path: str) -> Raw:
        """An input file, read once."""
        if path not in self.raws:
            self.raws[path] = Raw(path, raw_address(path))
        return self.raws[path]

    def of(self, kind: str) -> list[Cell]:
        """The cells of a kind."""
        return list(self.cells[kind].values())

    def paths(self, kind: str) -> list[str]:
        """The paths of a kind's cells."""
        return [cell.path for cell in self.of(kind)]

    def all(self) -> list[Cell]:
        """Every cell, upstream first."""
        return [cell for kind in KINDS for cell in self.of(kind)]

    def packs(self, kind: str) -> list[Pack]:
        """The packs of a kind: cells that share a model and an arm, in like parts of at most `cells_per_job`."""
        groups: dict[str, list[Cell]] = {}
        for cell in self.of(kind):
            groups.setdefault(cell.pack, []).append(cell)
        found = []
        for name, cells in groups.items():
            n_parts = -(-len(cells) // self.cells_per_job)
            bounds = [len(cells) * part // n_parts for part in range(n_parts + 1)]
            parts = itertools.pairwise(bounds)
            found += [Pack(kind, f"{name}.{part}", tuple(cells[start:end])) for part, (start, end) in enumerate(parts)]
        return found
