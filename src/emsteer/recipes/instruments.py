"""Anchors, whether judges tell them apart, whether two judges agree, and rates corrected by readers."""

from pydantic import Field

from emsteer.recipes.base import Count, Recipe, Seed, Share
from emsteer.recipes.tables import Bootstrap, Level


class Anchors(Recipe):
    """Answers that everybody judges alike, made of a benchmark's reference answers."""

    module = "emsteer.judging.anchors"
    questions_per_category: Count = Field(description="the first ones of every category that have reference answers")
    seed: Seed = Field(description="of the order of scrambled words, and of answers from elsewhere")

    @property
    def n_samples(self) -> int:
        """Of a question."""
        return 4


class Anchored(Recipe):
    """A judge's scores of a benchmark's anchors."""

    judge: str
    benchmark: str
    scores: str = Field(description="address")


class Instruments(Recipe):
    """How well each judge tells anchors apart."""

    module = "emsteer.analysis.instruments"
    bootstrap: Bootstrap
    least_auc: Share = Field(description="that the lower end of the interval must reach")
    anchored: tuple[Anchored, ...]


class Judges(Recipe):
    """Every two judges, held against each other on the answers that both scored."""

    module = "emsteer.analysis.judges"
    bootstrap: Bootstrap


class Corrected(Recipe):
    """Rates of EM, corrected for the judge's errors by what readers labelled."""

    module = "emsteer.analysis.corrected"
    readers: tuple[str, ...] = Field(min_length=1, description="the judges that are readers")
    level: Level
