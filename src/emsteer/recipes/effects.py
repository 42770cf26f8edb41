"""Side effects as a table and a figure."""

from pydantic import Field

from emsteer.recipes.base import Recipe, Share
from emsteer.recipes.report import Figure
from emsteer.recipes.settings import Setting


class EffectsOf(Recipe):
    """Where it stands what else a setting does (an address)."""

    setting: Setting
    effects: str


class EffectsTable(Recipe):
    """What else every setting does to its model, beside its EM."""

    module = "emsteer.analysis.effects"
    level: Share
    measured: tuple[EffectsOf, ...]
    broken: dict[str, str] = Field(description="model → the cell of a setting that every number must tell from base")


class EffectsFigure(Figure):
    """EM, coherence, quiz and what is left of the push, by dose."""

    module = "emsteer.figures.effects"
