"""Which lines of `params.yaml` say what a recipe says: found by section, key and value, never by a name in an address."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emsteer.errors import ConfigError
from emsteer.lineage.graph import Node
from emsteer.study import PARAMS, reading

NAMED = (
    "models",
    "tasks",
    "benchmarks",
    "vectors",
    "adapters",
    "witnesses",
    "scores",
)  # a recipe agrees with one entry of a section
AXES = ("base_point", "sweeps")  # sections of values that an artifact may have one of
PLAIN = (*AXES, "calibration")  # sections of values; the others have an entry for each name
SECTIONS = {  # kind → sections that its recipes are made from
    "models": ("models", "embedders"),
    "tasks": ("tasks",),
    "benchmarks": ("benchmarks", "elicitations", *AXES),
    "embeddings": ("relatedness",),
    "elicitations": ("elicitations", "judges", "seed"),
    "vectors": ("vectors", "calibration", *AXES),
    "adapters": ("adapters", *AXES),
    "answers": ("answers", "seed", *AXES),
    "margins": ("margins", *AXES),
    "likeness": ("likeness", *AXES),
    "effects": ("effects", *AXES),
    "witnesses": ("witnesses",),
    "scores": ("judges",),
    "tables": ("analysis", "judges", "base_point", "relatedness", "anchors"),
    "figures": ("base_point", "report"),
    "report": ("report", "judges", "base_point"),
}
MANY = ("rows", "anchored", "placed", "measured", "groups")
CALLED = {  # what a recipe calls what the file calls otherwise
    "study_seed": "seed",
    "n_samples": "samples_per_block",
    "scale": "doses",
    "share": "doses",
    "kl": "doses",
    **{name: f"{name}s" for name in ("dose", "layer", "rank", "seed")},
}


class Origins:
    """What `params.yaml` says, and where."""

    def __init__(self, path: Path = PARAMS) -> None:
        """A file that cannot be read says nothing: `emsteer plan` says what is wrong with it."""
        try:
            written = reading.read(path)
        except ConfigError:
            written = reading.Written({})
        self._params = written.value if isinstance(written.value, dict) else {}
        self._lines = written.lines

    def of(self, node: Node) -> dict[str, list[int]]:
        """Dotted value of the recipe of a planned artifact → the lines that say it."""
        found: dict[str, set[int]] = {}
        for leaf, place in self._places(node) if node.planned else ():
            found.setdefault(leaf, set()).add(self._lines[place])
        return {leaf: sorted(lines) for leaf, lines in found.items()}

    def _places(self, node: Node) -> Iterator[tuple[str, str]]:
        """(leaf of the recipe, place in the file)."""
        recipe = leaves(node.recipe or {})
        found: set[str] = set()  # in a section of their own: what else has the key says something else
        sampled = node.kind != "answers" or "sampling.temperature" in recipe  # anchors are answers that nobody gave
        for section in SECTIONS.get(node.kind, ()) if sampled else ("anchors",):
            said = self._params.get(section)
            if node.kind in NAMED and section not in PLAIN and isinstance(said, Mapping):
                for name, entry in said.items():
                    alike = _alike(recipe, leaves(entry))
                    yield from ((leaf, f"{section}.{name}.{leaf}") for leaf in alike)
                    found.update(alike)
                continue
            of_file = dict(_leaves(said, section))
            here = [(leaf, place) for leaf, value in recipe.items() if leaf not in found for place in _saying(leaf, value, of_file)]
            yield from here
            found |= {leaf for leaf, _ in here if section not in AXES}


def leaves(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted path → value of everything in a recipe that is no mapping; what tables have many of is left out."""
    return dict(_leaves({name: value for name, value in recipe.items() if name not in MANY}, ""))


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for index, one in enumerate(value):
            yield from _leaves(one, f"{place}.{index}")
    else:
        yield place, value


def _alike(recipe: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    """Leaves that both have, if they agree in all of them."""
    shared = [leaf for leaf in entry if leaf in recipe]
    return shared if all(recipe[leaf] == entry[leaf] for leaf in shared) else []


def _saying(leaf: str, value: Any, of_file: Mapping[str, Any]) -> Iterator[str]:
    """Places whose value it is or has: those that end like the leaf, or else those with its key, or the plural of it."""
    exact = [place for place in of_file if f".{place}".endswith(f".{leaf}")]
    name = leaf.rpartition(".")[2]
    for place in exact or [place for place in of_file if place.rpartition(".")[2] in (name, CALLED.get(name))]:
        said = of_file[place]
        if value == said:
            yield place
        elif isinstance(said, list) and value in said:
            yield f"{place}.{said.index(value)}"
