"""Packs, and the plan that holds every cell."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emsteer.plan.accepted import Acceptance, Digests, read_accepted, standing_digest, standing_digests
from emsteer.plan.addresses import address, raw_address
from emsteer.plan.cells import KINDS, Cell, Raw
from emsteer.plan.costs import Needs, n_parts, needs
from emsteer.recipes import Recipe, Service
from emsteer.study import Execution


@dataclass(frozen=True)
class Pack:
    """Cells that one process makes. Membership follows from the plan alone, never from what exists."""

    kind: str
    name: str
    cells: tuple[Cell, ...]
    execution: Execution

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

    def needs(self, attempt: int = 1) -> Needs:
        """What a job that makes the missing cells asks of a scheduler; `attempt` counts from 1."""
        return needs(self.missing or self.cells, self.execution, attempt)

    def jobs(self) -> list[dict[str, Any]]:
        """`Cell.job()` of every cell, where it may be done, and what of different kinds of machine it may compare."""
        execution = {"device": self.execution.device, "mixes": self.execution.mixes}
        return [cell.job() | execution for cell in self.cells]


@dataclass
class Plan:
    """Every cell of a study, by kind and address."""

    execution: Execution
    accepted: list[Acceptance] = field(default_factory=read_accepted)
    codes: Digests = field(default_factory=standing_digests)  # sources do not change while one plan is made
    raws: dict[str, Raw] = field(default_factory=dict)  # path → input file: neither do these
    cells: dict[str, dict[str, Cell]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def add(
        self, kind: str, slug: str, recipe: Recipe, inputs: Mapping[str, Sequence[Cell | Raw]], pack: str, place: str | None = None,
        service: Service | None = None,
    ) -> Cell:  # fmt: skip
        """Plans a cell, once."""
        groups = {role: tuple(group) for role, group in inputs.items()}
        if recipe.module not in self.codes:
            self.codes[recipe.module] = standing_digest(recipe.module, self.accepted)
        code = self.codes[recipe.module]
        names = {role: [item.address for item in group] for role, group in groups.items()}
        name = address(kind, slug, recipe.model_dump(mode="json"), names, code)
        return self.cells[kind].setdefault(name, Cell(kind, name, recipe, groups, code, pack, place, service))

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
        """The packs of a kind: cells that share a model and an arm, in like parts, none larger than `execution` allows."""
        groups: dict[str, list[Cell]] = {}
        for cell in self.of(kind):
            groups.setdefault(cell.pack, []).append(cell)
        found = []
        for name, cells in groups.items():
            n = n_parts(cells, self.execution)
            bounds = [len(cells) * part // n for part in range(n + 1)]
            parts = itertools.pairwise(bounds)
            found += [
                Pack(kind, f"{name}.{part}", tuple(cells[start:end]), self.execution) for part, (start, end) in enumerate(parts)
            ]
        return found
