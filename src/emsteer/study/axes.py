"""What a sweep varies of its vectors beside seed and layer: the axes that their constructions have, and no others."""

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import ValidationInfo

from emsteer.recipes import CONSTRUCTIONS
from emsteer.study.interventions import axes_of
from emsteer.study.shape import rest_of_the_file

VARIED: tuple[Literal["epochs", "rank"], ...] = ("epochs", "rank")
PLURAL = {"epochs": "epochs", "rank": "ranks", "seed": "seeds"}
Values = tuple[int, ...] | None


def are_known(vector: str, info: ValidationInfo) -> bool:
    """Whether the file says how these vectors are made."""
    return str(rest_of_the_file(info, "vectors").get(vector)) in CONSTRUCTIONS


def of_vectors(vector: str, info: ValidationInfo) -> frozenset[str]:
    """Axes of the vectors of that name; none where the file does not say how they are made."""
    return axes_of(vector, rest_of_the_file(info, "vectors"), rest_of_the_file(info, "made_of"))


def checked(axis: str, values: Values, vectors: Sequence[str], info: ValidationInfo) -> Values:
    """The values of one axis of a sweep.

    Args:
        axis: `epochs` or `rank`.
        values: What the sweep lists; None: nothing.
        vectors: Of the sweep.
        info: With the rest of the file.

    Raises:
        ValueError: It lists some for vectors without that axis, or none for vectors with it that the base point does not give.
    """
    having = _having(axis, values, vectors, info)
    steered = rest_of_the_file(info, "base_point").get("steered")
    of_base = steered.get(axis, ...) if isinstance(steered, dict) and axis == "epochs" else None
    if not values and having and of_base is None:
        raise ValueError(f"expected {PLURAL[axis]} for {', '.join(having)}: the base point has none to take")
    return values


def check_seeds(seeds: Values, vectors: Sequence[str], info: ValidationInfo) -> None:
    """Raises ValueError for a sweep that lists seeds, and vectors that nothing is drawn for."""
    _having("seed", seeds, vectors, info)


def _having(axis: str, values: Values, vectors: Sequence[str], info: ValidationInfo) -> list[str]:
    known = [name for name in vectors if are_known(name, info)]
    having = [name for name in known if axis in of_vectors(name, info)]
    others = [name for name in known if name not in having]
    if values and others:
        raise ValueError(f"expected no {PLURAL[axis]} beside {', '.join(others)}, which has none; give it a sweep of its own")
    return having


def bounds_of_rank(vectors: Iterable[str], models: Iterable[object], info: ValidationInfo) -> dict[str, int]:
    """What bounds the rank of these vectors in these models, by name."""
    said, sizes = rest_of_the_file(info, "vectors"), rest_of_the_file(info, "subspaces")
    ranked = [name for name in vectors if "rank" in of_vectors(name, info)]
    found = {
        f"{field} of {name}": sizes.get(field, {}).get(name)
        for name in ranked
        for field in CONSTRUCTIONS[said[name]].rank_is_at_most
    }
    found |= {f"d_model of {name}": sizes.get("d_model", {}).get(name) for name in models} if ranked else {}
    return {name: size for name, size in found.items() if isinstance(size, int)}
