"""Figures and the report."""

from typing import ClassVar

from pydantic import Field

from emsteer.recipes.base import Natural, Recipe
from emsteer.recipes.tables import BasePoint, Thresholds


class Figure(Recipe):
    """A figure of the tables, around the base point; one of panels per model leaves out models that have none."""

    has_panels: ClassVar[bool] = True
    base_point: BasePoint
    panels: tuple[str, ...] | None = Field(description="models that have a panel; null: all")


class DoseResponse(Figure):
    """EM and coherence by dose, all arms, one panel per model."""

    module = "emsteer.figures.dose_response"


class Breadth(Figure):
    """Off-domain against in-domain EM, traced by dose, step and scale."""

    module = "emsteer.figures.breadth"


class Tradeoff(Figure):
    """On-topic EM against coherence, traced by dose, step and scale."""

    module = "emsteer.figures.tradeoff"


class MatchedFigure(Figure):
    """Steered against finetuned where both are equally harmful in-domain, or equally coherent."""

    module = "emsteer.figures.matched"


class ThresholdsFigure(Figure):
    """The headline differences at other thresholds of harm and coherence."""

    module = "emsteer.figures.thresholds"


class Categories(Figure):
    """On-topic EM by category and arm, at the chosen settings."""

    module = "emsteer.figures.categories"


class Overall(Figure):
    """On-topic EM off-domain by model and target task, at the chosen settings."""

    has_panels = False
    module = "emsteer.figures.overall"


class Layers(Figure):
    """EM and coherence by layer."""

    module = "emsteer.figures.layers"


class Epochs(Figure):
    """EM by epochs of vector construction, as built and at equal norm."""

    module = "emsteer.figures.epochs"


class Ranks(Figure):
    """EM by rank of the steering subspace, as built and at equal norm."""

    module = "emsteer.figures.ranks"


class WitnessFigure(Figure):
    """What witnesses say by dose and by step, random directions and controls beside it."""

    module = "emsteer.figures.witnesses"


class LikenessFigure(Figure):
    """How near arms come to the finetuned model, by dose."""

    module = "emsteer.figures.likeness"


class RecoveryFigure(Figure):
    """On-topic EM off-domain by the planted breadth of the organism."""

    has_panels = False
    module = "emsteer.figures.recovery"


class FalloffFigure(Figure):
    """On-topic EM by how near a category is to the target task."""

    module = "emsteer.figures.falloff"


class JudgesFigure(Figure):
    """How far every two judges agree on the same answers."""

    has_panels = False
    module = "emsteer.figures.judges"


class Page(Recipe):
    """The report."""

    module = "emsteer.report.page"
    title: str
    examples_per_category: Natural
    answers: Natural
    notice: str | None
    thresholds: dict[str, Thresholds]
    judged_by: dict[str, str]
    base_point: BasePoint
