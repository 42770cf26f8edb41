"""Counterparts in sweeps: what takes the place of its vectors, at their very settings."""

from collections.abc import Sequence

from pydantic import Field, ValidationInfo

from emsteer.recipes import OF_CONSTRUCTION, Count
from emsteer.study.shape import Doses, Section, Seeds, rest_of_the_file

CAN = {"shuffled": "whose labels can be shuffled", "subspace": "which have a subspace"}


class Counterpart(Section):
    """One of every vector."""

    seeds: Seeds = Field(description="the vectors that have it; what nothing is drawn for has it too")
    doses: Doses = Field(description="in the unit of the sweep")

    def draws(self) -> Sequence[int | None]:
        """Each of its directions; None: it is not drawn."""
        return (None,)


class DrawnCounterpart(Counterpart):
    """Several of every vector."""

    n_draws: Count = Field(description="directions; more of them keep the first ones")

    def draws(self) -> Sequence[int | None]:
        """Each of its directions."""
        return range(self.n_draws)


def check_vectors(name: str, vectors: Sequence[str], info: ValidationInfo) -> None:
    """Raises ValueError for vectors that cannot have such a counterpart."""
    said, wanted = rest_of_the_file(info, "vectors"), OF_CONSTRUCTION.get(name)
    others = [vector for vector in vectors if vector in said and said[vector] != wanted]
    if wanted and others:
        raise ValueError(
            f"expected vectors made by {wanted}, {CAN[name]}; others: {', '.join(others)}. Give them a sweep of their own"
        )
