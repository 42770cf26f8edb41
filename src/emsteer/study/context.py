"""Names that parts of a study file refer to, read before any of it is checked."""

from typing import Any

from emsteer.study import pins
from emsteer.study.inputs import categories_of


def context(raw: object) -> dict[str, dict[str, Any]]:
    """Names that other parts of the file may refer to, read leniently: their own mistakes are reported where they are."""
    sections = raw if isinstance(raw, dict) else {}

    def section(name: str) -> dict[str, Any]:
        entries = sections.get(name)
        return entries if isinstance(entries, dict) else {}

    def names(of: str, detail: str) -> dict[str, Any]:
        return {name: entry.get(detail) if isinstance(entry, dict) else None for name, entry in section(of).items()}

    def sizes(detail: str) -> dict[str, int | None]:
        pinned = {name: getattr(pins.shape_of(entry), detail, None) for name, entry in section("models").items()}
        return {name: n if isinstance(n, int) else pinned[name] for name, n in names("models", detail).items()}

    return {
        "models": sizes("n_layers"),
        "tasks": names("tasks", "kind"),
        "benchmarks": names("benchmarks", "test_per_category"),
        "categories": {name: categories_of(entry) for name, entry in section("benchmarks").items()},
        "embedders": names("embedders", "kind"),
        "elicitations": names("elicitations", "judge"),
        "judges": names("judges", "kind"),
        "vectors": names("vectors", "construction"),
        "made_of": names("vectors", "of"),
        "sides": names("vectors", "side"),
        "sides_of_adapters": names("adapters", "side"),
        "subspaces": {"n_examples": names("vectors", "n_examples"), "d_model": sizes("d_model")},
        "adapters": names("adapters", "method"),
        "base_point": section("base_point"),
    }
