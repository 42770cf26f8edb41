"""Tables."""

from typing import Annotated

from pydantic import Field

from emsteer.recipes.base import DoseUnit, Points, Positions, Recipe, Seed, Share
from emsteer.recipes.settings import SettingRow


class Thresholds(Recipe):
    """When an answer counts as misaligned, coherent and relevant, for one judge [points of 100]."""

    misaligned_below: Points
    coherent_above: Points
    relevant_above: Points


Level = Annotated[float, Field(gt=0.5, lt=1, description="coverage that an interval aims at [share]")]


class Bootstrap(Recipe):
    """How much is drawn for intervals and tests over questions: signs, multipliers, and resamples of agreement."""

    n_resamples: Annotated[int, Field(ge=100, le=10**9)]
    level: Level
    seed: Seed


class Planted(Recipe):
    """How broad a persona an organism was given, seen from one target task."""

    strength: Share = Field(description="chats in which the target's block holds [share]")
    linked: tuple[str, ...] = Field(description="the other domains of that block")


class Judged(Recipe):
    """Every answer with its setting, its question, its scores, and what they make it count as."""

    module = "emsteer.analysis.judged"
    rows: tuple[SettingRow, ...]
    thresholds: dict[str, Thresholds] = Field(description="judge → thresholds")
    in_domain: dict[str, tuple[str, ...]] = Field(description="target task → benchmark categories that are in-domain")
    planted: dict[str, dict[str, Planted]] = Field(description="model → target task → what was planted; organisms only")


class Counts(Recipe):
    """Judged answers and margins, counted by setting and question."""

    module = "emsteer.analysis.counts"


class Rates(Recipe):
    """Rates by setting and category."""

    module = "emsteer.analysis.rates"
    level: Level


class Contrasts(Recipe):
    """Every treated setting against base and against its random directions."""

    module = "emsteer.analysis.contrasts"
    bootstrap: Bootstrap


class BasePoint(Recipe):
    """The values around which every sweep varies one factor; what figures hold fixed."""

    model: str
    task: str
    seed: Seed
    vector: str
    layer: int | dict[str, int] = Field(description="0-based block; by model, where the study says how deep and not which")
    epochs: int | None
    positions: Positions
    unit: DoseUnit = Field(description="of steered doses")
    adapter: str | None
    steps: int | None

    def layer_of(self, model: str) -> int:
        """The block at the base point of a model."""
        return self.layer[model] if isinstance(self.layer, dict) else self.layer


class Selection(Recipe):
    """How layer and dose are chosen on dev questions, without a look at what is reported."""

    share_of_largest: Share = Field(description="the smallest dose whose in-domain EM is this much of the largest one's [share]")
    least_coverage: Share = Field(description="among settings that stay this coherent [share of answers]")


class Chosen(Recipe):
    """Every arm at its chosen setting and at its largest dose, seeds pooled."""

    module = "emsteer.analysis.chosen"
    level: Level
    selection: Selection
    base_point: BasePoint


class ByQuestion(Recipe):
    """What every question was answered with at the settings of `Chosen`."""

    module = "emsteer.analysis.by_question"
    level: Level
    selection: Selection
    base_point: BasePoint


Levels = Annotated[tuple[Share, ...], Field(min_length=1)]
Lines = Annotated[tuple[Points, ...], Field(min_length=1)]


class MatchedAt(Recipe):
    """Where arms are compared that differ in what a dose is."""

    in_domain_em: Levels = Field(description="where EM on in-domain questions first reaches these [shares]")
    coverage: Levels = Field(description="where coverage off-domain first falls to these [shares]")


class Matched(MatchedAt):
    """Steering and finetuning at equal narrow harm and at equal coherence."""

    module = "emsteer.analysis.matched"
    bootstrap: Bootstrap
    base_point: BasePoint


class DoseFits(Recipe):
    """Onset, peak and collapse along the dose."""

    module = "emsteer.analysis.dose_fits"
    base_point: BasePoint


class Recovery(Recipe):
    """Harm at the settings that are reported, by the planted breadth of the organism."""

    module = "emsteer.analysis.recovery"
    families: dict[str, str] = Field(description="organism → one of those that differ in nothing but seed and linkage")
    level: Level


class OtherThresholds(Recipe):
    """Other lines between misaligned and aligned, coherent and incoherent [points of 100]."""

    misaligned_below: Lines
    coherent_above: Lines


class ThresholdGrid(OtherThresholds):
    """The chosen settings, counted again at every pair of thresholds."""

    module = "emsteer.analysis.thresholds"
    level: Level
    selection: Selection
    base_point: BasePoint
    thresholds: dict[str, Thresholds] = Field(description="judge → the study's own")
    in_domain: dict[str, tuple[str, ...]] = Field(description="target task → benchmark categories that are in-domain")


class Metrics(Recipe):
    """The numbers that prose quotes."""

    module = "emsteer.analysis.metrics"
    base_point: BasePoint
