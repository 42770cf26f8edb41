"""How unrelated questions are to target tasks."""

from typing import Annotated

from pydantic import Field

from emsteer.recipes.base import Recipe, Seed, Share
from emsteer.recipes.tables import Level


class Placed(Recipe):
    """Texts and where an embedder places them (addresses)."""

    texts: str
    embeddings: str


class Spaces(Recipe):
    """Every task and benchmark in the space of every embedder."""

    tasks: dict[str, dict[str, Placed]] = Field(description="embedder → task → its prompts")
    benchmarks: dict[str, dict[str, Placed]] = Field(description="embedder → benchmark → its questions")
    in_domain: dict[str, tuple[str, ...]] = Field(description="target task → benchmark categories that are in-domain")
    overlaps_above: Share = Field(
        description="a question overlaps that is as near as more than this share of the task's own prompts"
    )


class Distances(Spaces):
    """Every question and every task: how near the question comes to what the task asks."""

    module = "emsteer.analysis.distances"


class Relatedness(Spaces):
    """Every task and what it is compared with: two-sample tests, and questions that overlap."""

    module = "emsteer.analysis.relatedness"
    n_permutations: Annotated[int, Field(ge=99, le=10**9)] = Field(description="of the null of the maximum mean discrepancy")
    seed: Seed


class Falloff(Recipe):
    """Harm at the settings that are reported, by how near a category is to the task."""

    module = "emsteer.analysis.falloff"
    level: Level
