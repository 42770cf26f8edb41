"""What a grammar file makes impossible in a study, said before anything runs."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from emsteer.mistakes import meant

Place = tuple[str | int, ...]
Found = tuple[Place, str, object]  # place, what was expected, what was found


def domains_of(path: object) -> frozenset[str] | None:
    """The domains of a grammar file; None where it is not at hand or no grammar: whoever reads it will say so."""
    file = Path(path) if isinstance(path, str) else Path()
    return _domains(file, file.stat().st_mtime_ns) if file.is_file() else None


@functools.lru_cache(maxsize=32)
def _domains(file: Path, _version: int) -> frozenset[str] | None:
    try:
        content = yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
        return frozenset(content["domains"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return None


def in_models(models: Mapping[str, Any]) -> Iterator[Found]:
    """Blocks of an organism that link what the grammar does not have, or a domain that another block has."""
    for name, model in models.items():
        linked: dict[str, str] = {}
        known = domains_of(model.grammar)
        for block, domains in model.linkage.blocks.items():
            if block in (known or ()):
                yield (name, "linkage", "blocks", block), "expected a name that no domain has", block
            for index, domain in enumerate(domains):
                place: Place = (name, "linkage", "blocks", block, index)
                yield from _stranger(place, domain, known, f"the domains of {model.grammar}")
                if domain in linked:
                    yield place, f"expected a domain in one block; it is in {linked[domain]} too", domain
                linked.setdefault(domain, block)


def in_tasks(tasks: Mapping[str, Any], of_benchmarks: Iterable[frozenset[str] | None]) -> Iterator[Found]:
    """Target tasks about a domain that the grammar does not have, and in-domain categories that no benchmark asks about."""
    sides = list(of_benchmarks)
    categories = None if None in sides or not sides else frozenset().union(*(side for side in sides if side))
    for name, task in tasks.items():
        if task.kind == "grammar":
            yield from _stranger((name, "domain"), task.domain, domains_of(task.grammar), f"the domains of {task.grammar}")
        for index, category in enumerate(task.in_domain):
            yield from _stranger((name, "in_domain", index), category, categories, "the categories of the benchmarks")


def _stranger(place: Place, name: str, known: frozenset[str] | None, what: str) -> Iterator[Found]:
    if known is not None and name not in known:
        yield place, f"expected one of {what}: {', '.join(sorted(known))}{meant(name, known)}", name
